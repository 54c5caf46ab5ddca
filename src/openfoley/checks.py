"""Checks of single values: each takes the name of an argument and its value, and raises a UsageError that names both.

Here, below everything else, so that a wrong value is refused before anything heavy is imported.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from openfoley.errors import UsageError

Check = Callable[[str, Any], None]


@dataclass(frozen=True)
class Number:
    """A check: a number in [low, high] of that unit; optionally whole numbers only."""

    low: float
    high: float
    unit: str = ""
    whole: bool = False

    def __call__(self, name: str, value: Any) -> None:
        kinds = int if self.whole else (int, float, Fraction)
        if isinstance(value, bool) or not isinstance(value, kinds) or not self.low <= value <= self.high:
            kind = "a whole number " if self.whole else ""
            bounds = f"from {self.low:g} to {self.high:g}" if self.high < math.inf else f">= {self.low:g}"
            raise UsageError(f"{name} must be {kind}{bounds}{self.unit}, got {value!r}")

    @property
    def words(self) -> str:
        """The range for a help text."""
        return f", {self.low:g} to {self.high:g}" if self.high < math.inf else ""


COUNT = Number(1, math.inf, whole=True)


@dataclass(frozen=True)
class OneOf:
    """A check: one of these values."""

    values: tuple[str, ...]

    def __call__(self, name: str, value: Any) -> None:
        if value not in self.values:
            raise UsageError(f"{name} must be {' or '.join(map(repr, self.values))}, got {value!r}")


@dataclass(frozen=True)
class Several:
    """A check: a tuple whose values pass another one."""

    each: Check

    def __call__(self, name: str, value: Any) -> None:
        if not isinstance(value, tuple):
            raise UsageError(f"{name} must be a tuple, got {value!r}")
        for one in value:
            self.each(name, one)


@dataclass(frozen=True)
class Kind:
    """A check: a record of this class."""

    kind: type
    examples: str

    def __call__(self, name: str, value: Any) -> None:
        if not isinstance(value, self.kind):
            raise UsageError(f"{name} must be a {self.kind.__name__}, such as {self.examples}, got {value!r}")


def text(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise UsageError(f"{name} must be a text, got {value!r}")


def some_text(name: str, value: Any) -> None:
    text(name, value)
    if not value.strip():
        raise UsageError(f"{name} must not be empty, got {value!r}; leave it out, or name a thing in the picture")


def path(name: str, value: Any) -> None:
    if not isinstance(value, (str, os.PathLike)):
        raise UsageError(f"{name} must be a path, got {value!r}")


def function(name: str, value: Any) -> None:
    if not callable(value):
        raise UsageError(f"{name} must be a function, got {value!r}")


def instant(name: str, value: Any) -> None:
    """Seconds, or a text: timecode, read where the video is known."""
    is_number = isinstance(value, (int, float, Fraction)) and not isinstance(value, bool)
    if not isinstance(value, str) and not (is_number and math.isfinite(value)):
        raise UsageError(f"{name} must be seconds or timecode, got {value!r}")


def instants(name: str, value: Any) -> None:
    """The two ends of a span, in seconds or timecode."""
    if not isinstance(value, tuple) or len(value) != 2:
        raise UsageError(f"{name} must be two times in seconds or timecode, got {value!r}")
    for one in value:
        instant(name, one)


def seconds(name: str, value: Any) -> None:
    """The two ends of a span, in seconds."""
    edges(value, name)


def edges(span: object, name: str) -> tuple[Fraction, Fraction]:
    """The two ends of a span in s."""
    wrong = UsageError(f"{name} must be two times in seconds, got {span!r}")
    if not isinstance(span, Sequence) or len(span) != 2:
        raise wrong
    try:
        return Fraction(span[0]), Fraction(span[1])
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        raise wrong from None


NUDGE = Number(-60_000, 60_000, " ms")
FRAMES_PATTERN = re.compile(r"([+-]?\d+(?:\.\d+)?)f")


def nudge(name: str, value: Any) -> None:
    """Milliseconds, or frames ("2f")."""
    if not isinstance(value, str):
        NUDGE(name, value)
    elif not FRAMES_PATTERN.fullmatch(value):
        raise UsageError(f"{name} must be milliseconds or frames such as '2f', got {value!r}")


def flag(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise UsageError(f"{name} must be True or False, got {value!r}")
