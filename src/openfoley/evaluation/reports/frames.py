"""Frames in memory as the source of a sound: what H.264 would do to them is the only difference to a file."""

from __future__ import annotations

from fractions import Fraction

from jaxtyping import UInt8
from torch import Tensor

from openfoley.media.source import Source

RATE = Fraction(24)  # Hz, of the Gym's pictures here


def source_of(pictures: UInt8[Tensor, "frames 3 height width"]) -> Source:
    """Pictures at RATE."""
    return Source.tensor(pictures, RATE)
