"""Which material an event sounds like: a small convolutional network on the log-mel picture of the 0.4 s after an
onset.

It is a judge, trained on true Gym sound of training seeds only and never used by a generator. Its own accuracy on
true sound of other
seeds is reported beside every figure it gives, as that figure's ceiling. Training is deterministic on one machine and
takes
about a minute on two cores, so that the evaluation makes it afresh rather than shipping it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from openfoley.evaluation.truth import from_dict
from openfoley.gym.materials import HELD_OUT_MATERIALS, MATERIALS
from openfoley.hub.save import save_weights
from openfoley.media.spectrogram import log_mel

logger = logging.getLogger(__name__)

CLASSES = tuple(name for name in MATERIALS if name not in HELD_OUT_MATERIALS)
BEFORE_S, AFTER_S = 0.02, 0.40
MELS, FFT, HOP = 64, 1024, 441
"""At 44.1 kHz: 23 ms windows every 10 ms."""
RANGE = 7.0
"""Nepers (61 dB) below the crop's maximum that are kept; level is not material."""
WIDTHS = (24, 48, 96)


@dataclass(frozen=True)
class MaterialTraining:
    """Recipe for some 3000 events: about 100 s on two cores (0.93 on true sound with half of them)."""

    epochs: int = 6
    batch: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 0.02
    seed: int = 0


def crops(samples: Tensor, sample_rate: int, times_s: Sequence[float] | np.ndarray) -> Tensor:
    """Log-mel pictures [n, 1, MELS, frames] in 0..1 of the sound [channels, time] after each time."""
    before, length = round(BEFORE_S * sample_rate), round((BEFORE_S + AFTER_S) * sample_rate)
    mono = torch.nn.functional.pad(samples.float().mean(0), (before, length))
    pieces = [mono[round(t * sample_rate) : round(t * sample_rate) + length] for t in times_s]
    frames = 1 + length // HOP
    if not pieces:
        return torch.zeros(0, 1, MELS, frames)
    mel = log_mel(torch.stack(pieces), sample_rate, n_fft=FFT, hop_length=HOP, n_mels=MELS, f_min=40.0)
    top = mel.amax((1, 2), keepdim=True)
    return (1 + (mel - top).clamp_min(-RANGE) / RANGE)[:, None]


class MaterialClassifier(nn.Module):
    """Crops [n, 1, MELS, frames] -> logits [n, len(CLASSES)]."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for incoming, outgoing in zip((1, *WIDTHS), WIDTHS, strict=False):
            layers += [
                nn.Conv2d(incoming, outgoing, 3, padding=1),
                nn.BatchNorm2d(outgoing),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.trunk = nn.Sequential(*layers)
        # bands stay apart to the end (a band is a pitch, pitch and decay together are material); time is pooled
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * WIDTHS[-1] * (MELS // 8), len(CLASSES)))

    def forward(self, pictures: Tensor) -> Tensor:
        features = self.trunk(pictures)
        return self.head(torch.cat([features.mean(3), features.amax(3)], 1).flatten(1))

    @torch.inference_mode()
    def names(self, samples: Tensor, sample_rate: int, times_s: Sequence[float] | np.ndarray) -> list[str]:
        """The material heard at each time of a sound [channels, time]."""
        if not len(times_s):
            return []
        return [CLASSES[k] for k in self.eval()(crops(samples, sample_rate, times_s)).argmax(1).tolist()]


def examples(clips: Iterable[tuple[Tensor, int, dict[str, Any]]]) -> tuple[Tensor, Tensor]:
    """Crops and class indices of the scored events of (samples, rate, truth record) clips whose material is a class."""
    pictures, labels = [torch.zeros(0, 1, MELS, 1 + round((BEFORE_S + AFTER_S) * 44100) // HOP)], []
    for samples, rate, record in clips:
        truth = from_dict(record)
        known = [(t, m) for t, m in zip(truth.scored_s, truth.materials, strict=True) if m in CLASSES]
        if known:
            pictures.append(crops(samples, rate, [t for t, _ in known]))
            labels += [CLASSES.index(m) for _, m in known]
    return torch.cat(pictures), torch.tensor(labels, dtype=torch.long)


def train_classifier(pictures: Tensor, labels: Tensor, training: MaterialTraining | None = None) -> MaterialClassifier:
    """A classifier for these crops; classes weigh the same however often they occur."""
    recipe = training or MaterialTraining()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = MaterialClassifier()
        counts = torch.bincount(labels, minlength=len(CLASSES)).clamp_min(1)
        weights = counts.float().rsqrt()
        loss_of = nn.CrossEntropyLoss(weight=weights / weights.mean(), label_smoothing=0.05)
        optimiser = torch.optim.AdamW(model.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
        steps = recipe.epochs * (len(labels) // recipe.batch + 1)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps)
        for epoch in range(recipe.epochs):
            model.train()
            losses = []
            for chosen in torch.randperm(len(labels)).split(recipe.batch):
                if len(chosen) < 2:
                    continue
                loss = loss_of(model(pictures[chosen]), labels[chosen])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
                losses.append(loss.item())
            logger.info("material classifier: epoch %d of %d, loss %.3f", epoch + 1, recipe.epochs, np.mean(losses))
    return model.eval()


@torch.inference_mode()
def accuracy(model: MaterialClassifier, pictures: Tensor, labels: Tensor) -> float:
    """Share of crops whose class is found."""
    guesses = torch.cat([model(part).argmax(1) for part in pictures.split(256)]) if len(labels) else labels
    return float((guesses == labels).float().mean()) if len(labels) else float("nan")


def save_classifier(model: MaterialClassifier, path: Path) -> None:
    """Write the weights (safetensors)."""
    save_weights(model.state_dict(), path, exact=True)


def load_classifier(path: Path) -> MaterialClassifier:
    """The classifier of `save_classifier`."""
    model = MaterialClassifier()
    model.load_state_dict(load_file(str(path)))
    return model.eval()
