"""Holes in a recording: where the next packet begins later than the one before ends, nothing was recorded."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

LEAST_S = Fraction(1, 20)  # s; below it are the rounding of times and what encoders put before and behind
MOST_S = 600  # s; above it a clock was set anew, or two recordings put together
BLOCK = 1 << 16  # samples of silence at a time


class Gaps:
    """Follows the times of one sound, frame after frame. Slow clocks make no holes: each step counts by itself."""

    def __init__(self) -> None:
        self._end: Fraction | None = None  # s, of the frame before

    def before(self, frame: AudioFrame) -> int:
        """How many samples of silence belong in front of this frame. (Times that go back are not believed.)"""
        if frame.pts is None or frame.time_base is None:
            self._end = None
            return 0
        time = frame.pts * frame.time_base
        gap = time - self._end if self._end is not None else Fraction(0)
        self._end = time + Fraction(frame.samples, frame.sample_rate)
        return round(gap * frame.sample_rate) if LEAST_S < gap < MOST_S else 0


def silence(channels: int, samples: int) -> Iterator[Tensor]:
    """Zeros [channels, n] piece by piece."""
    for first in range(0, samples, BLOCK):
        yield torch.zeros(channels, min(BLOCK, samples - first))
