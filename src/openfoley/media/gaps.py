"""Holes in a recording: where the times of its packets go on later than its samples do, nothing was recorded."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

LEAST_S = Fraction(1, 20)  # s; below it are the rounding of times and what encoders put before and behind


class Gaps:
    """Counts the samples of one sound, frame after frame."""

    def __init__(self) -> None:
        self._first: Fraction | None = None  # s
        self._count = 0  # samples since then

    def before(self, frame: AudioFrame) -> int:
        """How many samples of silence belong in front of this frame. (Times that go back are not believed.)"""
        gap = 0
        if frame.pts is not None and frame.time_base is not None:
            time = frame.pts * frame.time_base
            if self._first is None:
                self._first = time - Fraction(self._count, frame.sample_rate)
            gap = round((time - self._first) * frame.sample_rate) - self._count
            gap = gap if gap > LEAST_S * frame.sample_rate else 0
        self._count += gap + frame.samples
        return gap
