"""What the command says: one line each, to standard error; results as one JSON object to standard output."""

from __future__ import annotations

import json
import math
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
    print(json.dumps(_plain(value), default=str), flush=True)


def _plain(value: Any) -> Any:
    """NaN and infinities are not JSON: they become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


class Bar:
    """A progress bar in a terminal; silent elsewhere, so that logs stay readable."""

    def __init__(self, label: str, unit: str = " s") -> None:
        self.label, self.unit, self.is_shown = label, unit, sys.stderr.isatty()
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
        print(
            f"\r{self.label} [{bar}] {round(done, 1):g} / {round(total, 1):g}{self.unit}",
            end=end,
            file=sys.stderr,
            flush=True,
        )
