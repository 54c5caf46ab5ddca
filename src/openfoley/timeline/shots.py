"""Cuts and what happens to the sound at them.

The paper's extension "is mostly usable for single-shot videos without cuts [...], as the model will attempt to carry
over the previous sound" (arXiv 2510.02916, section 5). Here a shot either starts afresh ("reset") or continues the
sound before the cut without its picture ("carry").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from openfoley.errors import UsageError
from openfoley.request import Cut

CutRule = Literal["auto", "carry", "reset", "none"]
CUT_RULES: tuple[CutRule, ...] = ("auto", "carry", "reset", "none")


def cut_rule(asked: object) -> CutRule | None:
    """The rule of that name; None for what names none (a file, a list of cuts)."""
    return next((rule for rule in CUT_RULES if rule == asked), None)


CUT_FADE_S = Fraction(1, 200)  # s, centred on the cut: no click, and 2.5 ms are far below any hearing of "too early"
SHORTEST_SHOT_S = Fraction(1, 10)  # s, two sync features; a nearer cut is not taken
FLASH_S = Fraction(1, 2)  # s, one context; "auto": a shot this short is a flash or an insert, its sound carries on


@dataclass(frozen=True)
class Shot:
    """What is seen in [start, end) s, and how its sound begins."""

    index: int
    start: Fraction
    end: Fraction
    join: Literal["start", "carry", "reset"]


def shots_of(duration: Fraction, cuts: Sequence[Cut], rule: CutRule) -> list[Shot]:
    """All shots of a video of `duration` s.

    rule: "reset" and "carry" for every cut that does not say itself; "auto": reset, but a shot of up to half a second
    carries on; "none": one shot, whatever cuts there are.
    """
    if duration <= 0:
        raise UsageError(f"duration must be > 0 s, got {float(duration)}")
    kept: list[Cut] = []
    for cut in sorted(cuts, key=lambda c: c.time) if rule != "none" else ():
        last = kept[-1].time if kept else Fraction(0)
        if cut.time - last >= SHORTEST_SHOT_S and duration - cut.time >= SHORTEST_SHOT_S:
            kept.append(cut)
    edges = [Fraction(0), *(cut.time for cut in kept), duration]
    shots = [Shot(0, Fraction(0), edges[1], "start")]
    for number, cut in enumerate(kept, start=1):
        start, end = edges[number : number + 2]
        join = cut.join
        if join is None:
            join = "carry" if rule == "carry" or (rule == "auto" and end - start <= FLASH_S) else "reset"
        shots.append(Shot(number, start, end, join))
    return shots
