"""A stem for each of several named things in one picture.

Apart, the stem of a name has the other names as negative texts. Each is a branch of guidance with its own picture
features, what this name selects, and the stem moves away from the mean of their velocities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from openfoley.checks import some_text
from openfoley.errors import UsageError
from openfoley.request import Cue, Prompting, Request

MOST_NAMES = 8  # a branch of guidance for each, in each stem
LONGEST_IN_FILE_NAME = 60  # characters


def split_names(text: str) -> list[str]:
    """ "dog barking; train" -> the names, without the blanks around them."""
    return [name.strip() for name in text.split(";")]


def check_names(names: Sequence[str]) -> None:
    """UsageError for names that stems cannot have."""
    if isinstance(names, str):
        raise UsageError(f"select_all: names must be a list of texts, got {names!r}; pass {split_names(names)!r}")
    if not 1 <= len(names) <= MOST_NAMES:
        raise UsageError(f"select_all: 1 to {MOST_NAMES} names are allowed, got {len(names)}; make several runs")
    for name in names:
        some_text("select_all: name", name)
    lower = [name.strip().casefold() for name in names]
    if (twice := next((name for name in names if lower.count(name.strip().casefold()) > 1), None)) is not None:
        raise UsageError(f"select_all: {twice!r} is there twice; name each thing once")
    files = [file_word(name) for name in names]
    if (same := next((one for one in files if files.count(one) > 1), None)) is not None:
        raise UsageError(
            f"select_all: two names give the same file name, {same!r}; make them differ in letters or digits"
        )


def stem_promptings(request: Request, names: Sequence[str], apart: bool) -> tuple[Prompting, ...]:
    """What each stem is asked for. UsageError for a request that selects by itself."""
    check_names(names)
    own, cues = request.prompting, request.timeline.cues
    if own.select is not None:
        raise UsageError("select_all: leave out select, and add its name to the others")
    check_cues(cues if isinstance(cues, tuple) else ())
    others = [tuple(name for name in names if name != one) if apart else () for one in names]
    return tuple(replace(own, select=one, beside=beside) for one, beside in zip(names, others, strict=True))


def check_cues(cues: Sequence[Cue]) -> None:
    """UsageError for cues that name stems or select by themselves."""
    if wrong := next((column for column in ("stem", "select") if any(getattr(cue, column) for cue in cues)), None):
        raise UsageError(f"select_all: the cues may not have the column {wrong!r}; leave it out, or use the cues alone")


def file_word(name: str) -> str:
    """A name as part of a file's: "dog barking" -> "dog-barking"."""
    letters = "".join(letter if letter.isalnum() or letter == "_" else " " for letter in name)
    return "-".join(letters.split())[:LONGEST_IN_FILE_NAME].rstrip("-").casefold() or "stem"
