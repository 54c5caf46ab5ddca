"""What the command says: one line each, to standard error; results as one JSON object to standard output."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

BAR_WIDTH = 30  # characters
REDRAW_S = 0.2


def one_line(text: str) -> str:
    """The text without line breaks and control characters, whatever a file name holds."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in text)


def complain(text: str) -> None:
    _say(f"openfoley: error: {one_line(text)}")


def note(text: str) -> None:
    _say(f"openfoley: {one_line(text)}")


def _say(line: str) -> None:
    safe = line.encode(sys.stderr.encoding or "utf-8", "backslashreplace").decode(sys.stderr.encoding or "utf-8")
    print(safe, file=sys.stderr, flush=True)


def print_json(value: Any) -> None:
    """One object on one line, ASCII only: safe in every terminal and for every file name."""
    print(json.dumps(value, default=str), flush=True)


class Bar:
    """A progress bar in a terminal; silent elsewhere, so that logs stay readable."""

    def __init__(self, label: str) -> None:
        self.label, self.is_shown = label, sys.stderr.isatty()
        self.drawn_at = 0.0

    def __call__(self, done: float, total: float) -> None:
        now = time.monotonic()
        is_last = done >= total
        if not self.is_shown or (now - self.drawn_at < REDRAW_S and not is_last):
            return
        self.drawn_at = now
        filled = round(BAR_WIDTH * done / total) if total else BAR_WIDTH
        bar = "#" * filled + "." * (BAR_WIDTH - filled)
        end = "\n" if is_last else ""
        print(f"\r{self.label} [{bar}] {done:.1f} / {total:.1f} s", end=end, file=sys.stderr, flush=True)
