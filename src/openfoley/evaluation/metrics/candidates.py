"""Events with a confidence each: the threshold of the largest F1, and average precision.

Average precision is the area under precision over recall, sum_k (R_k - R_k-1) P_k over falling thresholds. Scored are
visible events, within 50 ms unless another tolerance is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import expit

from openfoley.data.onset_detector import Onsets
from openfoley.evaluation.metrics.f1 import MAIN_TOLERANCE_S, clip_sums, pooled_f1
from openfoley.evaluation.metrics.truth import Truth
from openfoley.evaluation.stats.bootstrap import Estimate, ratio_interval

THRESHOLDS = expit(np.linspace(4.6, -4.6, 60))
"""Falling, 0.99 to 0.01, evenly in log-odds."""


@dataclass(frozen=True)
class Candidates:
    """Possible events of a clip in time order: times (s) and confidences in 0..1."""

    times_s: Float[np.ndarray, " n"]
    scores: Float[np.ndarray, " n"]

    def above(self, threshold: float) -> Float[np.ndarray, " chosen"]:
        """The times of those that reach a threshold."""
        return self.times_s[self.scores >= threshold]

    def onsets(self, threshold: float) -> Onsets:
        """The same as detected events; they have no loudness."""
        chosen = self.scores >= threshold
        return Onsets(self.times_s[chosen], np.full(chosen.sum(), np.nan), self.scores[chosen])


def best_threshold(
    found: Sequence[Candidates], truths: Sequence[Truth], tolerance_s: float = MAIN_TOLERANCE_S
) -> tuple[float, float]:
    """The one of THRESHOLDS with the largest pooled F1 (the highest of equal ones), and that F1."""
    f1 = pooled_f1(_sums(found, truths, tolerance_s).sum(0))
    best = int(f1.argmax())
    return float(THRESHOLDS[best]), float(f1[best])


def average_precision(found: Sequence[Candidates], truths: Sequence[Truth]) -> Estimate:
    """With its interval over clips; nan without an event. count: events."""
    sums = _sums(found, truths)
    events = int(sums[:, 0, 2].sum())
    if not events:
        return Estimate(float("nan"), (float("nan"), float("nan")), 0)
    flat = sums.reshape(len(sums), -1)
    return Estimate(float(_area(flat.sum(0, keepdims=True))[0]), ratio_interval(_area, flat), events)


def _sums(
    found: Sequence[Candidates], truths: Sequence[Truth], tolerance_s: float = MAIN_TOLERANCE_S
) -> Float[np.ndarray, "clips thresholds 3"]:
    """Hits, detections and events of each clip at every threshold."""
    seen = [truth.only(True) for truth in truths]
    at = [clip_sums([one.above(level) for one in found], seen, tolerance_s) for level in THRESHOLDS]
    return np.stack(at, axis=1)


def _area(pooled: Float[np.ndarray, "m thresholds_3"]) -> Float[np.ndarray, " m"]:
    hits, detections, events = np.moveaxis(pooled.reshape(len(pooled), -1, 3), 2, 0)
    with np.errstate(invalid="ignore"):
        recall = hits / events
    precision = hits / np.maximum(detections, 1)
    return (np.diff(recall, axis=1, prepend=0) * precision).sum(1)
