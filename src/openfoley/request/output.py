"""What is written, and how: beside the video's own sound, rate, bit depth, timecode, delay."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from openfoley.checks import FRAMES_PATTERN, NUDGE, Number, OneOf, flag, nudge, text
from openfoley.media.settings import AudioMode, BitDepth
from openfoley.request.declared import option


@dataclass(frozen=True)
class Output:
    """What is written, and how. audio: in addition to the video's own sound, or instead of it. sample_rate: Hz, None
    keeps the model's. bit_depth: None is 24. nudge: delay of the sound, ms."""

    audio: AudioMode = option(
        OneOf(("add", "replace")), "add to the video's own sound (the default) or replace it", default="add"
    )
    sample_rate: int | None = option(Number(8000, 192_000, " Hz", whole=True), "Hz", "R", usual="the model's")
    bit_depth: BitDepth | None = option(
        OneOf(("16", "24", "32f")), "bits per sample where the format has them", usual="24"
    )
    start_timecode: str | None = option(text, "timecode of the first frame, HH:MM:SS:FF", "TC", usual="the file's own")
    nudge: float | str = option(
        nudge, "delay of the sound in ms, or frames as 2f, -60000 to 60000", "MS|Nf", 0.0, usual="0"
    )
    force: bool = option(flag, default=False)

    def nudge_ms(self, frame_rate: Fraction) -> float:
        """The nudge in ms; one in frames is converted at `frame_rate` Hz."""
        if not isinstance(self.nudge, str):
            return self.nudge
        frames = FRAMES_PATTERN.fullmatch(self.nudge)
        assert frames is not None, "the request is checked"
        milliseconds = float(1000 * Fraction(frames[1]) / frame_rate)
        NUDGE("nudge", milliseconds)
        return milliseconds
