"""The part of the picture that sounds: a box, which is followed through its shot, or a mask of the whole video."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from openfoley.checks import instant
from openfoley.errors import UsageError

FORM = "X0,Y0,X1,Y1 or X0,Y0,X1,Y1@SECONDS"


@dataclass(frozen=True)
class Box:
    """Left, top, right and bottom edge in 0..1 of the picture's width and height, at `time` (s; or timecode, until the
    video is opened); None: on the first picture of the shot at hand."""

    left: float
    top: float
    right: float
    bottom: float
    time: Fraction | str | None = None

    @property
    def corners(self) -> tuple[float, float, float, float]:
        return self.left, self.top, self.right, self.bottom

    def __str__(self) -> str:
        """As on the command line."""
        edges = ",".join(f"{edge:g}" for edge in self.corners)
        at = "" if self.time is None else f"@{self.time if isinstance(self.time, str) else f'{float(self.time):g}'}"
        return edges + at


@dataclass(frozen=True)
class Region:
    """box or mask, and how it acts: "attention": the encoder pools no patch outside of it; "grey": the encoder is shown
    mid-grey outside of it."""

    box: Box | None
    mask: Path | None
    by: Literal["attention", "grey"]

    @property
    def option(self) -> str:
        """The name of the option that asks for it."""
        return "select_mask" if self.box is None else "select_box"


def parsed(name: str, value: Any) -> Any:
    """A Box from a text ("0.1,0.2,0.5,0.6@1.5") or four numbers; anything else as it is."""
    if isinstance(value, str):
        edges, at, time = value.partition("@")
        numbers: Sequence[str | float] = edges.split(",")
        if at and not time.strip():
            raise _wrong(name, value)
    elif isinstance(value, (tuple, list)):
        numbers, time = value, ""
    else:
        return value
    try:
        left, top, right, bottom = map(float, numbers)
    except (TypeError, ValueError):
        raise _wrong(name, value) from None
    return Box(left, top, right, bottom, _time(time.strip()))


def box(name: str, value: Any) -> None:
    """A check: a Box in the picture, with an area."""
    if not isinstance(value, Box):
        raise _wrong(name, value)
    edges = value.corners
    if not all(isinstance(edge, (int, float)) and math.isfinite(edge) for edge in edges):
        raise _wrong(name, str(value))
    if not all(0 <= edge <= 1 for edge in edges):
        raise UsageError(
            f"{name} must lie in the picture, its edges from 0 to 1, got {value}; divide pixels by its width and height"
        )
    if not (value.left < value.right and value.top < value.bottom):
        raise UsageError(f"{name} must have an area, X0 below X1 and Y0 below Y1, got {value}; swap or move the edges")
    if value.time is not None:
        instant(f"{name}: time", value.time)


def _time(text: str) -> Fraction | str | None:
    try:
        return Fraction(text) if text else None
    except (ValueError, ZeroDivisionError):
        return text  # timecode, read where the video is known


def _wrong(name: str, value: object) -> UsageError:
    return UsageError(
        f"{name} must be four numbers from 0 to 1, {FORM} (left, top, right, bottom), got {value!r}; "
        "for example 0.2,0.4,0.5,0.9@1.5"
    )
