"""Training data of the sync encoder: a Gym cache with its sound as 16 kHz mono and its onset targets.

mono16k.npy  int16  [scenes, 128000]
onsets.npy   uint8  [scenes, 192, 4, 7]   `onset_targets` times 255
"""

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int16, UInt8
from torch import Tensor

from openfoley.data.disk import create_array
from openfoley.data.gym_cache import FULL_SCALE, GymCache
from openfoley.data.gym_cache import SAMPLE_RATE as CACHE_RATE
from openfoley.data.onsets import onset_targets
from openfoley.data.seen_events import SeenEvents
from openfoley.data.snippets import (
    FRAME_RATE,
    SAMPLE_RATE,
    SNIPPET_FRAMES,
    SNIPPET_SAMPLES,
    Snippets,
    audio_ratio_is_right,
    first_sample,
)

ONSET_SCALE = 255


@dataclass(frozen=True)
class SyncClips:
    """Clips, memory-mapped until moved to a device; `video` of a Snippets, on the CPU, is a row here."""

    frames: UInt8[Tensor, "scenes frames 3 height width"]
    mono: Int16[Tensor, "scenes samples"]
    onsets: UInt8[Tensor, "scenes frames steps targets"]
    truth: list[dict]
    events: SeenEvents

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def frame_count(self) -> int:
        return self.frames.shape[1]

    @classmethod
    def open(cls, folder: Path) -> "SyncClips":
        """Opens a Gym cache; makes the two side arrays first if they are missing."""
        cache = GymCache.open(folder)
        frames = cache.frames.shape[1]
        if not audio_ratio_is_right(cache.sound.shape[-1], frames, CACHE_RATE, FRAME_RATE):
            raise ValueError(f"{folder}: sound and picture differ in length by more than 5 %")
        mono = _side_array(folder / "mono16k.npy", (_mono(sound) for sound in cache.sound), len(cache))
        onsets = _side_array(folder / "onsets.npy", (_onsets(row, frames) for row in mono), len(cache))
        tensors = [_mapped(array) for array in (cache.frames, mono, onsets)]
        return cls(*tensors, truth=cache.truth, events=SeenEvents.of(cache.truth))

    def to(self, device: torch.device | str) -> "SyncClips":
        """All arrays in the device's memory (a GPU must not wait for frames)."""
        return replace(self, **{name: getattr(self, name).to(device) for name in ("frames", "mono", "onsets")})

    def named(self, names: tuple[str, ...]) -> "SyncClips":
        """With the materials numbered as in `names` of other clips."""
        return replace(self, events=SeenEvents.of(self.truth, names))

    def pictures(self, snippets: Snippets) -> UInt8[Tensor, "snippets frames 3 height width"]:
        return self._rows(self.frames, snippets)

    def sounds(self, snippets: Snippets) -> Float[Tensor, "snippets time"]:
        """SNIPPET_SAMPLES in -1..1; the end of a clip is padded with silence (at most one sample)."""
        device, end = self.mono.device, self.mono.shape[1]
        index = first_sample(snippets.start).to(device)[:, None] + torch.arange(SNIPPET_SAMPLES, device=device)
        rows = self.mono[snippets.video.to(device)[:, None], index.clamp(max=end - 1)]
        return rows.float() / FULL_SCALE * (index < end)

    def activity(self, snippets: Snippets) -> Float[Tensor, "snippets frames steps targets"]:
        """Onset targets of the snippets, in 0..1."""
        return self._rows(self.onsets, snippets).float() / ONSET_SCALE

    def _rows(self, array: Tensor, snippets: Snippets) -> Tensor:
        device = array.device
        index = snippets.start.to(device)[:, None] + torch.arange(SNIPPET_FRAMES, device=device)
        return array[snippets.video.to(device)[:, None], index]


def _mapped(array: np.ndarray) -> Tensor:
    """A read-only map as a tensor. (A writable private map may not be larger than memory.)"""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _mono(sound: np.ndarray) -> np.ndarray:
    """int16 [2, n] at the cache's rate -> int16 [m] at 16 kHz."""
    import soxr

    mono = soxr.resample(sound.astype(np.float32).mean(0), CACHE_RATE, SAMPLE_RATE)
    return np.clip(np.round(mono), -FULL_SCALE, FULL_SCALE).astype(np.int16)


def _onsets(mono: np.ndarray, frames: int) -> np.ndarray:
    samples = torch.from_numpy(mono.astype(np.float32))[None] / FULL_SCALE
    return (onset_targets(samples, frames)[0] * ONSET_SCALE).round().byte().numpy()


def _side_array(path: Path, rows: Iterable[np.ndarray], count: int) -> np.ndarray:
    """Rows written beside the cache once, atomically."""
    if not path.exists():
        partial = path.with_name(f"{path.stem}.partial{os.getpid()}.npy")
        array = None
        for index, row in enumerate(rows):
            if array is None:
                array = create_array(partial, row.dtype.type, (count, *row.shape))
            array[index] = row
        del array
        os.replace(partial, path)
    return np.load(path, mmap_mode="r")
