"""Messages of one line to standard error; results as one JSON object to standard output."""

from __future__ import annotations

import json
import logging
import math
import os
import re
import sys
import threading
from typing import Any

from tqdm import tqdm

from openfoley.errors import OpenFoleyError

ANNOUNCE_AFTER_S = 1.0
TRACEBACK_VARIABLE = "OPENFOLEY_TRACEBACK"


def one_line(text: str) -> str:
    """The text without line breaks and control characters."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def complain(text: str) -> None:
    """Print an error in one line; Python options in it ("force=True") become command-line ones ("--force")."""
    word = lambda match: f"--{match[1].replace('_', '-')}"  # noqa: E731
    words = re.sub(r"\b([a-z_]+)=True\b", word, re.sub(r"^([a-z]+(?:_[a-z]+)+)(?= must |: )", word, text))
    _say(f"openfoley: error: {one_line(words)}")


def wants_traceback() -> bool:
    return os.environ.get(TRACEBACK_VARIABLE, "") not in ("", "0")


def explained(error: Exception) -> str:
    """An error's message; an unexpected one (a bug of ours, or a machine out of memory) with its kind."""
    if isinstance(error, OpenFoleyError):
        return str(error)
    first_line = (str(error).strip().splitlines() or ["no message"])[0]
    return f"unexpected {type(error).__name__}: {first_line} (set {TRACEBACK_VARIABLE}=1 to see where)"


def note(text: str) -> None:
    _say(f"openfoley: {one_line(text)}")


def _say(line: str) -> None:
    safe = line.encode(sys.stderr.encoding or "utf-8", "backslashreplace").decode(sys.stderr.encoding or "utf-8")
    print(safe, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """Print one object on one line, ASCII only: safe in every terminal."""
    print(json.dumps(_plain(value), default=str), flush=True)


def _plain(value: Any) -> Any:
    """NaN and infinities become null: they are not JSON."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


class Terminated(BaseException):
    """Raised by SIGTERM, so that unfinished files are removed."""


class Phases(logging.Handler):
    """Prints the current phase (`openfoley.phase` records) if it takes longer than ANNOUNCE_AFTER_S; in a terminal, a
    bar of how far it is where that is known."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.timer: threading.Timer | None = None
        self.bar: Bar | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if (done_s := getattr(record, "done_s", None)) is not None:
            if self.bar is not None and self.timer is not None and sys.stderr.isatty():
                self.timer.cancel()
                self.bar.show(done_s, getattr(record, "total_s", done_s))
            return
        self.end()
        self.bar = Bar(record.getMessage())
        self.timer = threading.Timer(ANNOUNCE_AFTER_S, note, [f"{record.getMessage()} ..."])
        self.timer.daemon = True
        self.timer.start()

    def end(self) -> None:
        """End the phase, announced or not."""
        if self.timer is not None:
            self.timer.cancel()
        if self.bar is not None:
            self.bar.close()


PHASES = Phases()


class Bar:
    """A progress bar with the remaining time in a terminal; silent elsewhere, so that logs stay readable."""

    def __init__(self, label: str, unit: str = "s") -> None:
        self.label, self.unit = label, unit
        self.bar: tqdm | None = None

    def __call__(self, done: float, total: float) -> None:
        if sys.stderr.isatty():
            PHASES.end()
            self.show(done, total)

    def show(self, done: float, total: float) -> None:
        if self.bar is None or self.bar.total != total:
            self.bar = tqdm(
                total=total, desc=self.label, unit=self.unit, file=sys.stderr,
                bar_format="{desc} {percentage:3.0f}% |{bar}| {n:.1f} / {total:.1f} {unit}, {remaining} left",
            )  # fmt: skip
        self.bar.update(done - self.bar.n)
        if done >= total:
            self.close()

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()
            self.bar = None
