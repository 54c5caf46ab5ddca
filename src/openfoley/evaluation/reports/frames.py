"""Frames in memory as a source; the only difference to a file is H.264 compression."""

from __future__ import annotations

from fractions import Fraction

from jaxtyping import UInt8
from torch import Tensor

from openfoley.media.source import Source

RATE = Fraction(24)  # Hz, of the Gym's pictures here


def source_of(pictures: UInt8[Tensor, "frames 3 height width"]) -> Source:
    """Pictures at RATE."""
    return Source.tensor(pictures, RATE)
