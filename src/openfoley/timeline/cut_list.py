"""A list of cuts as a text file: one a line, in seconds or timecode, with "carry" or "reset" to overrule the rule.

# cuts of reel 2
4.5
01:00:09:12 carry
"""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

from openfoley.errors import UsageError
from openfoley.media.read.opening import shown
from openfoley.media.time.timecode import Timecode, parse_time
from openfoley.request import Cut
from openfoley.timeline.shots import SHORTEST_SHOT_S


def read_cuts(path: str | os.PathLike[str], start: Timecode, duration: Fraction) -> list[Cut]:
    """start: the timecode of the video's first frame; duration: s. UsageError names the file and the line."""
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UsageError(f"the cut list {shown(path)} is not text in UTF-8; write one cut a line") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"the cut list {shown(path)} cannot be read: {reason}") from None
    cuts = []
    for number, line in enumerate(lines, start=1):
        words = line.split("#")[0].replace(",", " ").split()
        if words:
            cuts.append(_cut(words, start, duration, f"{shown(path)} line {number}"))
    cuts.sort(key=lambda cut: cut.time)
    for before, cut in zip(cuts, cuts[1:], strict=False):
        if cut.time - before.time < SHORTEST_SHOT_S:
            raise UsageError(
                f"{shown(path)}: the cuts at {float(before.time):.3f} and {float(cut.time):.3f} s are nearer than "
                f"{float(SHORTEST_SHOT_S):g} s; remove one"
            )
    return cuts


def _cut(words: list[str], start: Timecode, duration: Fraction, place: str) -> Cut:
    try:
        time = parse_time(words[0], start)
    except UsageError as error:
        raise UsageError(f"{place}: {error}") from None
    if not SHORTEST_SHOT_S <= time <= duration - SHORTEST_SHOT_S:
        limit = float(duration - SHORTEST_SHOT_S)
        raise UsageError(
            f"{place}: a cut must lie from {float(SHORTEST_SHOT_S):g} to {limit:.3f} s, got {float(time):.3f}"
        )
    if len(words) > 2 or (len(words) == 2 and words[1] not in ("carry", "reset")):
        raise UsageError(f"{place}: after the time only 'carry' or 'reset' may follow, got {' '.join(words[1:])!r}")
    return Cut(time, "carry" if words[1:] == ["carry"] else "reset" if len(words) == 2 else None)
