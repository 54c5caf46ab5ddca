"""F1 of detected events pooled over clips, and differences between two sets of sounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from openfoley.evaluation.metrics.matching import Counts, match
from openfoley.evaluation.metrics.truth import Truth
from openfoley.evaluation.stats.bootstrap import ratio_interval
from openfoley.evaluation.stats.pooled import paired_difference, value_of

MAIN_TOLERANCE_S = 0.050

Sums = Sequence[Sequence[float]] | np.ndarray
"""[clips, 3]: hits, detections, events."""


def score(detected_s: np.ndarray, truth: Truth, tolerance_s: float) -> Counts:
    """Counts of one clip at one tolerance, without ignored detections."""
    detected_s = detected_s[(detected_s >= 0) & (detected_s <= truth.duration_s)]
    answered, _ = match(detected_s, truth.scored_s, tolerance_s)
    rest = np.delete(detected_s, answered)
    spans = truth.ignored_spans
    in_a_span = (rest[:, None] >= spans[:, 0] - tolerance_s) & (rest[:, None] <= spans[:, 1] + tolerance_s)
    false = len(rest) - int(in_a_span.any(axis=1).sum())
    return Counts(len(answered), len(answered) + false, len(truth.scored_s))


def clip_sums(times: Sequence[np.ndarray], truths: Sequence[Truth], tolerance_s: float) -> np.ndarray:
    """[clips, 3]: hits, detections, events."""
    counts = [score(detected_s, truth, tolerance_s) for detected_s, truth in zip(times, truths, strict=True)]
    return np.array([(c.hits, c.detections, c.events) for c in counts], dtype=np.float64).reshape(-1, 3)


def visible_sums(times_s: np.ndarray, truth: Truth) -> list[float]:
    """[hits, detections, events] within 50 ms of a clip's visible events."""
    return clip_sums([times_s], [truth.only(True)], MAIN_TOLERANCE_S)[0].tolist()


def pooled_f1(sums: np.ndarray) -> np.ndarray:
    """[m, 3] -> [m]."""
    return 2 * sums[:, 0] / np.maximum(sums[:, 1] + sums[:, 2], 1)


def f1_of(sums: Sums) -> dict[str, Any]:
    """Pooled F1 of [clips, 3] sums with its interval."""
    table = np.asarray(sums, dtype=np.float64).reshape(-1, 3)
    return {
        "f1": value_of(pooled_f1, table),
        "interval": ratio_interval(pooled_f1, table),
        "events": int(table[:, 2].sum()),
        "clips": len(table),
    }


def f1_difference(ours: Sums, theirs: Sums) -> dict[str, Any]:
    """Difference in pooled F1 over the same clips, with a paired interval and p-value."""
    return paired_difference(pooled_f1, *(np.asarray(sums, dtype=np.float64).reshape(-1, 3) for sums in (ours, theirs)))


def relative_f1(ours: Sums, theirs: Sums) -> dict[str, Any]:
    """`f1_difference`, and the ratio of the two F1 with its paired interval."""
    both = np.concatenate([np.asarray(sums, dtype=np.float64) for sums in (ours, theirs)], axis=1)

    def share(pooled: np.ndarray) -> np.ndarray:
        return pooled_f1(pooled[:, :3]) / np.maximum(pooled_f1(pooled[:, 3:]), 1e-9)

    difference = f1_difference(ours, theirs)
    return {
        "f1": value_of(pooled_f1, both[:, :3]),
        "other_f1": value_of(pooled_f1, both[:, 3:]),
        "share": value_of(share, both),
        "share_interval": ratio_interval(share, both),
        "difference": difference["difference"],
        "difference_interval": difference["interval"],
        "clips": len(both),
    }
