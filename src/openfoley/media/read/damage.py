"""What is wrong with a damaged file, in words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Damage:
    """What is wrong with a file, to follow "... is". loses: pictures or sound are missing."""

    text: str
    loses: bool = True


def cut_short(end: int, size: int) -> Damage:
    """A file of `size` bytes that must reach to byte `end`."""
    return Damage(f"cut short ({size} bytes there, at least {end} expected)")
