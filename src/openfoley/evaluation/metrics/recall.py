"""Recall of visible events by how near the next contact is, and by how much louder the clip's loudest is.

Both are of the discrete audible events of the clip, visible or not: a contact behind a panel or beyond the picture's
edge sounds as close and as loud as one in it. Continuous and inaudible events do not count. Only visible events are
scored, each matched at most once within 50 ms.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from openfoley.evaluation.metrics.f1 import MAIN_TOLERANCE_S
from openfoley.evaluation.metrics.matching import match_closest
from openfoley.evaluation.metrics.truth import Truth
from openfoley.evaluation.stats.bootstrap import Estimate, ratio_interval

GAP_EDGES_S = (0.0, 0.1, 0.25, math.inf)
GAP_DECIMALS = 6  # of the truth's times: 0.4 - 0.3 is 0.1, not less
LEVEL_EDGES_DB = (0.0, 10.0, 20.0, math.inf)

Times = Float[np.ndarray, " _"]


@dataclass(frozen=True)
class RecallIn:
    """Recall of the visible events whose gap (s) or level below the loudest (dB) is in [low, high); `recall.count` is
    their number."""

    low: float
    high: float
    recall: Estimate


def range_words(low: float, high: float | None, unit: str) -> str:
    """As "0.1 .. 0.25 s" or "0.25 s or more". high: None (in JSON) is infinity."""
    return f"{low:g} {unit} or more" if high in (None, math.inf) else f"{low:g} .. {high:g} {unit}"


def recall_by_gap(detected_s: Sequence[Times], truths: Sequence[Truth], seed: int = 0) -> list[RecallIn]:
    """By the time to the nearest other audible contact of the clip; an event without another is in the last range.
    detected_s: times (s) of each clip. seed: of the intervals, which resample clips."""
    return _recall_by(gaps_s, GAP_EDGES_S, detected_s, truths, seed)


def recall_by_level(detected_s: Sequence[Times], truths: Sequence[Truth], seed: int = 0) -> list[RecallIn]:
    """By the level below the clip's loudest audible contact. Events of unknown loudness are in no range."""
    return _recall_by(levels_below_db, LEVEL_EDGES_DB, detected_s, truths, seed)


def gaps_s(truth: Truth) -> Float[np.ndarray, " events"]:
    """Time from each scored event to the nearest other; inf for the only one."""
    between = np.diff(truth.scored_s).round(GAP_DECIMALS)
    return np.minimum(np.append(np.inf, between), np.append(between, np.inf))[: len(truth.scored_s)]


def levels_below_db(truth: Truth) -> Float[np.ndarray, " events"]:
    """Level of each scored event below the loudest, >= 0; nan where it is unknown."""
    known = truth.loudness_db[np.isfinite(truth.loudness_db)]
    return (known.max() if len(known) else np.nan) - truth.loudness_db


def _recall_by(
    property_of: Callable[[Truth], np.ndarray],
    edges: Sequence[float],
    detected_s: Sequence[Times],
    truths: Sequence[Truth],
    seed: int,
) -> list[RecallIn]:
    sums = [_sums(times_s, truth, property_of(truth), edges) for times_s, truth in zip(detected_s, truths, strict=True)]
    return [
        RecallIn(edges[k], edges[k + 1], _recall(of_clips, seed)) for k, of_clips in enumerate(np.stack(sums, axis=1))
    ]


def _sums(times_s: Times, truth: Truth, values: np.ndarray, edges: Sequence[float]) -> Float[np.ndarray, "ranges 2"]:
    """(detected, all) visible events of each range. Of the largest matchings the one with the smallest errors: of two
    close events that share a detection the nearer one is detected."""
    seen = truth.only(True).scored_s
    inside = times_s[(times_s >= 0) & (times_s <= truth.duration_s)]
    is_detected = np.zeros(len(seen), dtype=bool)
    is_detected[match_closest(inside, seen, MAIN_TOLERANCE_S)[1]] = True
    values = values[truth.visible]
    within = [(values >= low) & (values < high) for low, high in zip(edges, edges[1:], strict=False)]
    within[-1] |= values == math.inf
    return np.array([(is_detected[rows].sum(), rows.sum()) for rows in within], dtype=np.float64)


def _recall(sums: Float[np.ndarray, "clips 2"], seed: int) -> Estimate:
    def recall(pooled: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return pooled[:, 0] / pooled[:, 1]

    events = int(sums[:, 1].sum())
    interval = ratio_interval(recall, sums, seed=seed)
    return Estimate(float(sums[:, 0].sum() / events) if events else float("nan"), interval, events)
