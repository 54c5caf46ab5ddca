"""A still image as a video of the sound's duration."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from openfoley.media.read.still import upright
from openfoley.media.write.encode import write_video

FRAMES = 2  # one for each half: a single frame would have no length of its own in some containers
LOSSLESS = 0  # libx264's rate factor
MOST_TICKS = 1_000_000  # of a rate's denominator, that it fits FFmpeg's fractions


def write_still_video(image: Path, duration: Fraction, out: Path) -> None:
    """`image`, scaled to at most LARGEST_SIDE and even sides, for `duration` s in the video file `out`."""
    picture = upright(image)
    rate = (FRAMES / duration).limit_denominator(MOST_TICKS)
    write_video(out, (picture for _ in range(FRAMES)), rate, crf=LOSSLESS)
