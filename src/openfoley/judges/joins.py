"""Whether an instant of a sound is a join of two windows: a small network on the log-mel picture around it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.judges.training import Recipe, fit

RECIPE = Recipe(epochs=12, batch=64, learning_rate=2e-3, weight_decay=0.05)


class JoinClassifier(nn.Module):
    """Pictures [n, 1, bands, frames] -> logits [n]. The middle of the picture is where a join would be."""

    def __init__(self, frames: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for incoming, outgoing in ((1, 16), (16, 32), (32, 48)):
            layers += [
                nn.Conv2d(incoming, outgoing, 3, padding=1),
                nn.BatchNorm2d(outgoing),
                nn.MaxPool2d(2),  # before the ReLU it is the same, on a quarter of the numbers
                nn.ReLU(),
            ]
        self.trunk = nn.Sequential(*layers)
        self.head = nn.Sequential(nn.Dropout(0.4), nn.Linear(48 * (frames // 8), 1))
        # twice as fast on a CPU, mostly for the pooling; torch.nn tells of no such argument
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, pictures: Float[Tensor, "n 1 bands frames"]) -> Float[Tensor, " n"]:
        return self.head(self.trunk(pictures).mean(2).flatten(1))[:, 0]  # time stays, bands are pooled


def train_join_classifier(
    pictures: Float[Tensor, "n 1 bands frames"], labels: Float[Tensor, " n"], recipe: Recipe = RECIPE
) -> JoinClassifier:
    """Both classes (1: a join) weigh the same."""
    loss_of = nn.BCEWithLogitsLoss(pos_weight=(1 - labels).sum() / labels.sum().clamp_min(1))
    return fit(lambda: JoinClassifier(pictures.shape[-1]), pictures, labels, loss_of, recipe)
