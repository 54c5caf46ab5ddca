"""Any duration as a plan of windows in whole latents (arXiv 2510.02916, section 3.2: outpainting).

The first window has no context. Each later one starts `context` latents before the end of the one before; those are
known, kept bit for bit, and the generator continues from them. A short video is a plan of one window. Windows are
balanced: the new latents are shared out evenly, so that the last one is never tiny.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from openfoley.errors import UsageError
from openfoley.types import Window

WINDOW_LATENTS = 345  # 8 s at 44100/1024 Hz, the training length of section 4.1
CONTEXT_LATENTS = 22  # 0.5 s, inside the 1 to 88 latents kept clean in training (section 3.2)


def latents_for(duration: Fraction, latent_rate: Fraction) -> int:
    """How many whole latents cover `duration` seconds, at least one."""
    return max(1, ceil(duration * latent_rate))


def plan_windows(
    duration: Fraction,
    latent_rate: Fraction,
    *,
    window: int = WINDOW_LATENTS,
    context: int = CONTEXT_LATENTS,
) -> list[Window]:
    """Windows that cover `duration` seconds; each holds at most `window` latents, `context` of them known."""
    if duration <= 0:
        raise UsageError(f"duration must be > 0 s, got {float(duration)}")
    if not 0 <= context < window:
        raise UsageError(f"context must be from 0 to {window - 1} latents (less than the window), got {context}")
    total = latents_for(duration, latent_rate)
    if total <= window:
        return [Window(first_latent=0, latent_count=total, context=0)]
    # With n windows the plan holds total + (n - 1) * context latents; the fewest windows that fit, evenly filled.
    count = ceil(Fraction(total - context, window - context))
    sizes = _share(total + (count - 1) * context, count)
    windows, end = [], 0
    for index, size in enumerate(sizes):
        known = context if index else 0
        windows.append(Window(first_latent=end - known, latent_count=size, context=known))
        end = windows[-1].end_latent
    return windows


def _share(total: int, parts: int) -> list[int]:
    """`total` as `parts` integers that differ by at most one, larger ones first."""
    size, larger = divmod(total, parts)
    return [size + 1] * larger + [size] * (parts - larger)


def describe(windows: Sequence[Window], latent_rate: Fraction) -> str:
    """The plan as a table, one line a window."""
    lines = ["window   start s     end s   latents   known"]
    for index, window in enumerate(windows):
        start, end = window.first_latent / latent_rate, window.end_latent / latent_rate
        lines.append(f"{index:6d} {float(start):9.3f} {float(end):9.3f} {window.latent_count:9d} {window.context:7d}")
    return "\n".join(lines)
