"""Material classifier: a small convolutional network on the log-mel spectrogram of the 0.4 s after an onset.

It is trained on true Gym sound of training seeds only and never used by a generator. Its accuracy on true sound of
other seeds is reported with every result as its ceiling. Training is deterministic on one machine and takes about a
minute on two cores, so it is trained when needed rather than shipped.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from openfoley.gym.materials import HELD_OUT_MATERIALS, MATERIALS
from openfoley.judges.training import Recipe, fit
from openfoley.media.spectrogram import log_mel

CLASSES = tuple(name for name in MATERIALS if name not in HELD_OUT_MATERIALS)
BEFORE_S, AFTER_S = 0.02, 0.40
MELS, FFT, HOP = 64, 1024, 441
"""At 44.1 kHz: 23 ms windows every 10 ms."""
RANGE = 7.0
"""Nepers (61 dB) below the crop's maximum that are kept, independent of level."""
WIDTHS = (24, 48, 96)

RECIPE = Recipe(epochs=6, batch=64, learning_rate=3e-3, weight_decay=0.02)
"""For some 3000 events: about 100 s on two cores (accuracy 0.93 on true sound with half of them)."""


def crops(
    samples: Float[Tensor, "channels time"], sample_rate: int, times_s: Sequence[float] | np.ndarray
) -> Float[Tensor, "n 1 mels frames"]:
    """Log-mel spectrograms in 0..1 of the sound after each time."""
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
        # only time is pooled: bands stay separate, as pitch and decay together identify a material
        self.head = nn.Sequential(nn.Dropout(0.3), nn.Linear(2 * WIDTHS[-1] * (MELS // 8), len(CLASSES)))

    def forward(self, pictures: Float[Tensor, "n 1 mels frames"]) -> Float[Tensor, "n classes"]:
        features = self.trunk(pictures)
        return self.head(torch.cat([features.mean(3), features.amax(3)], 1).flatten(1))

    @torch.inference_mode()
    def names(
        self, samples: Float[Tensor, "channels time"], sample_rate: int, times_s: Sequence[float] | np.ndarray
    ) -> list[str]:
        """The most likely material at each time of a sound."""
        if not len(times_s):
            return []
        return [CLASSES[k] for k in self.eval()(crops(samples, sample_rate, times_s)).argmax(1).tolist()]


def train_classifier(
    pictures: Float[Tensor, "n 1 mels frames"], labels: Int[Tensor, " n"], recipe: Recipe = RECIPE
) -> MaterialClassifier:
    """A classifier for these crops, with balanced class weights."""
    weights = torch.bincount(labels, minlength=len(CLASSES)).clamp_min(1).float().rsqrt()
    loss_of = nn.CrossEntropyLoss(weight=weights / weights.mean(), label_smoothing=0.05)
    return fit(MaterialClassifier, pictures, labels, loss_of, recipe)


@torch.inference_mode()
def accuracy(model: MaterialClassifier, pictures: Float[Tensor, "n 1 mels frames"], labels: Int[Tensor, " n"]) -> float:
    """Share of crops classified correctly."""
    guesses = torch.cat([model(part).argmax(1) for part in pictures.split(256)]) if len(labels) else labels
    return float((guesses == labels).float().mean()) if len(labels) else float("nan")
