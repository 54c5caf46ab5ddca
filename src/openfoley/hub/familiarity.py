"""Whether a video is out of distribution for a model.

A Gaussian is fitted to the semantic features of the training scenes. The distance of a video is the root mean square
of its features' Mahalanobis distances, divided by sqrt(dim): about 1 for training scenes. The threshold was chosen on
validation scenes (recipes/salsa_v_gym_familiarity.py).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.hub.knowledge import real_footage_words

logger = logging.getLogger(__name__)

FILE_NAME = "familiarity.safetensors"
SHRINKAGE = 0.05  # of the covariance towards its mean variance, so that directions that hardly vary cannot dominate


@dataclass(frozen=True)
class Familiarity:
    """mean [dim], precision [dim, dim] and threshold (a distance) of the semantic features of a model's training."""

    mean: Float[Tensor, " dim"]
    precision: Float[Tensor, "dim dim"]
    threshold: float

    @classmethod
    def of(cls, features: Float[Tensor, "n dim"], threshold: float = 0.0) -> Familiarity:
        """Fit to features of training scenes."""
        features = features.double()
        covariance = torch.cov(features.T)
        level = covariance.diagonal().mean()
        covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * level * torch.eye(len(covariance)).double()
        return cls(features.mean(0).float(), torch.linalg.inv(covariance).float().contiguous(), threshold)

    @classmethod
    def load(cls, folder: Path) -> Familiarity | None:
        """Read from a model folder; None if it has none."""
        from safetensors.torch import load_file

        path = folder / FILE_NAME
        if not path.is_file():
            return None
        tensors = load_file(path)
        return cls(tensors["mean"], tensors["precision"], float(tensors["threshold"]))

    def save(self, folder: Path) -> None:
        from safetensors.torch import save_file

        threshold = torch.tensor(self.threshold)
        save_file({"mean": self.mean, "precision": self.precision, "threshold": threshold}, folder / FILE_NAME)

    def squared(self, features: Float[Tensor, "n dim"]) -> Float[Tensor, " n"]:
        """Squared distances of single features; their mean over the training set is 1."""
        away = features.detach().cpu().float() - self.mean
        return torch.einsum("nd,de,ne->n", away, self.precision, away) / len(self.mean)


@dataclass
class SeenPictures:
    """A video's distance to the training set, accumulated as its features arrive."""

    familiarity: Familiarity
    total: float = 0.0
    count: int = 0

    def add(self, features: Tensor) -> None:
        self.total += float(self.familiarity.squared(features).sum())
        self.count += len(features)

    @property
    def distance(self) -> float:
        return (self.total / self.count) ** 0.5 if self.count else 0.0

    @property
    def is_unlike_training(self) -> bool:
        return self.distance > self.familiarity.threshold


def warn_of_pictures(model: str, seen: SeenPictures, selects: bool = False) -> None:
    """Warn once about a video that is unlike the training set. selects: as in `real_footage_words`."""
    if seen.is_unlike_training:
        logger.warning(
            "%s knows Gym-like scenes, and these pictures are unlike them (distance %.1f, %.1f at most in training): "
            "expect missing sounds; for real footage there is %s",
            model, seen.distance, seen.familiarity.threshold, real_footage_words(model, selects),
        )  # fmt: skip
