"""What a list of cuts and a cue sheet say: a new shot, a span that sounds otherwise than the rest."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

from openfoley.checks import Number, OneOf, instant, path, some_text, text
from openfoley.errors import UsageError
from openfoley.region import Box, box

WEIGHT = Number(0, 20)  # of guidance
SAID_BY_CUES = ("prompt", "negative_prompt", "select", "select_box", "select_mask")


@dataclass(frozen=True)
class Cut:
    """The first instant (s; or timecode, until the video is opened) of a new shot; join: None leaves it to the rule."""

    time: Fraction
    join: Literal["carry", "reset"] | None = None


@dataclass(frozen=True)
class Cue:
    """What [start, end) s (or timecode, until the video is opened) should sound like; None: as in the rest of the
    video. Cues with a stem name become a separate sound. A box or a mask replaces either of the request."""

    start: Fraction
    end: Fraction
    prompt: str | None = None
    negative_prompt: str | None = None
    seed: int | None = None
    guidance: float | None = None
    stem: str | None = None
    select: str | None = None
    select_box: Box | None = None
    select_mask: Path | None = None


def rule_or_cuts(name: str, value: Any) -> None:
    """A rule, a file with a list of cuts, or Cuts."""
    if isinstance(value, (str, os.PathLike)):
        return
    if not isinstance(value, tuple) or not all(isinstance(one, Cut) for one in value):
        raise UsageError(f"{name} must be a rule, a file or a list of openfoley.Cut, got {value!r}")
    for cut in value:
        instant(f"{name}: time", cut.time)
        if cut.join is not None:
            OneOf(("carry", "reset"))(f"{name}: join", cut.join)


def sheet_or_cues(name: str, value: Any) -> None:
    """A cue sheet, or Cues."""
    if isinstance(value, (str, os.PathLike)):
        return
    if not isinstance(value, tuple) or not all(isinstance(one, Cue) for one in value):
        raise UsageError(f"{name} must be a file or a list of openfoley.Cue, got {value!r}")
    checks = {"start": instant, "end": instant, "prompt": text, "negative_prompt": text, "stem": text}
    checks |= {"select": some_text, "select_box": box, "select_mask": path}
    checks |= {"seed": Number(0, math.inf, whole=True), "guidance": WEIGHT}
    for cue in value:
        for one, check in checks.items():
            if one in ("start", "end") or getattr(cue, one) is not None:
                check(f"{name}: {one}", getattr(cue, one))
        one_region(f"{name}: ", cue.select_box, cue.select_mask)


def one_region(where: str, box: Box | None, mask: Path | None) -> None:
    """UsageError for a box beside a mask."""
    if box is not None and mask is not None:
        raise UsageError(
            f"{where}select_box and select_mask exclude each other, got {box} and {str(mask)!r}; pass one of them"
        )
