"""The pictures of a Gym cache in other looks, so that a generator also learns from features of what no Gym scene is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from openfoley.data.augmentation import BRIGHTEST, STRONG, augment

WHOLE = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
IN_PLACE = replace(STRONG, crop_probability=0.0, mirror=False)
"""Nothing moves, so that the sound still belongs to the picture."""


class AugmentedFrames:
    """Like uint8 frames [scenes, time, 3, height, width]; every scene is changed as a whole, by its own seed alone, so
    that all who read from it see the same."""

    def __init__(self, frames: np.ndarray, seeds: Sequence[int]) -> None:
        self.frames, self.seeds, self.shape = frames, seeds, frames.shape

    def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
        scenes, times = key
        return np.stack([self._scene(k)[times] for k in range(*scenes.indices(len(self.frames)))])

    def _scene(self, number: int) -> np.ndarray:
        pictures = torch.from_numpy(np.array(self.frames[number]))[None]
        changed = augment(pictures, WHOLE, IN_PLACE, torch.Generator().manual_seed(self.seeds[number]))
        return (changed[0] * BRIGHTEST).round().byte().numpy()
