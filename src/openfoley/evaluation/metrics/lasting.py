"""The level of lasting sounds along a scene: does what lasts stay as loud as it should, window after window?

In windows of WINDOW_S a level is the QUANTILE of the powers of 50 ms in dB: what sounds all the time, beside few events
or many. Only windows count in which one source sounds from beginning to end. The spread is the standard deviation over
a clip's windows; the true sound has one too, since sources change their level and their distance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from openfoley.evaluation.metrics.joins import FLOOR_POWER
from openfoley.evaluation.stats.pooled import mean_of

WINDOW_S = 4.0
FRAME_S = 0.05
QUANTILE = 0.2
FEWEST = 4
"""Windows that a clip needs."""
GAP_S = 0.001
"""Spans of one source this near to each other are one: it goes on over a cut."""


def covered_windows(record: dict[str, Any]) -> list[float]:
    """Starts (s) of the windows throughout which one source sounds, of a truth record (`gym.truth`)."""
    spans: dict[str, list[list[float]]] = {}
    for event in sorted(record["events"], key=lambda e: e["time_s"]):
        if event.get("continuous") and event.get("audible", True):
            own = spans.setdefault(event["object_id"], [])
            if own and event["time_s"] - own[-1][1] <= GAP_S:
                own[-1][1] = max(own[-1][1], event["end_s"])
            else:
                own.append([event["time_s"], event["end_s"]])
    all_spans = [span for own in spans.values() for span in own]
    starts = np.arange(int(record["duration_s"] / WINDOW_S + 1e-9)) * WINDOW_S
    return [float(s) for s in starts if any(a <= s + GAP_S and s + WINDOW_S <= b + GAP_S for a, b in all_spans)]


def window_levels_db(
    mono: Float[Tensor, " time"], sample_rate: int, starts_s: Sequence[float]
) -> Float[np.ndarray, " windows"]:
    frame = round(FRAME_S * sample_rate)
    levels = []
    for start in starts_s:
        first = round(start * sample_rate)
        part = mono[first : first + round(WINDOW_S * sample_rate)]
        powers = part[: len(part) // frame * frame].reshape(-1, frame).square().mean(1)
        levels.append(10 * float(np.log10(float(powers.quantile(QUANTILE)) + FLOOR_POWER)))
    return np.array(levels)


def spreads_db(ours: Sequence[float], true: Sequence[float]) -> dict[str, float]:
    """Of one clip: spread of the levels, of the true ones, of the differences between both, and their mean. nan with
    fewer than FEWEST windows."""
    if len(ours) < FEWEST:
        return dict.fromkeys(("own", "true", "against_true", "offset"), float("nan"))
    own, other = np.asarray(ours), np.asarray(true)
    return {
        "own": float(own.std()), "true": float(other.std()),
        "against_true": float((own - other).std()), "offset": float((own - other).mean()),
    }  # fmt: skip


def lasting_figures(clips: Sequence[dict[str, float]]) -> dict[str, Any]:
    """Means over the clips of `spreads_db`, and that of the difference of both spreads, with intervals."""
    names = ("own", "true", "against_true", "offset")
    figures: dict[str, Any] = {name: mean_of([clip[name] for clip in clips]) for name in names}
    figures["own_minus_true"] = mean_of([clip["own"] - clip["true"] for clip in clips])
    figures["clips"] = int(sum(np.isfinite(clip["own"]) for clip in clips))
    return figures


def lasting_change(ours: Sequence[dict[str, float]], base: Sequence[dict[str, float]]) -> dict[str, Any]:
    """The spread against the true sound beside that of `base`, paired by clip."""
    return mean_of([one["against_true"] - other["against_true"] for one, other in zip(ours, base, strict=True)])
