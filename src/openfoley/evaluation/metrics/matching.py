"""One-to-one matching of detected to true event times, and precision, recall and F1 from counts.

A detection matches at most one event and vice versa; a pair is allowed if |detected - true| <= tolerance (inclusive,
as mir_eval.onset). With one tolerance for all, a greedy pass over sorted times gives a matching of maximum size: if
the earliest event and the earliest detection are within tolerance, some maximum matching pairs them (exchange
argument); if not, the earlier of the two matches nothing later and is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

TIME_ROUNDING_S = 1e-9
"""Slack (s) for pairs exactly at the tolerance: 0.35 - 0.30 is 0.04999... or 0.05000...1 in binary."""


@dataclass(frozen=True)
class Counts:
    """Counts of matched events (`hits`), detections and true events; adding pools them."""

    hits: int = 0
    detections: int = 0
    events: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.hits + other.hits, self.detections + other.detections, self.events + other.events)

    @property
    def precision(self) -> float:
        """hits / detections; 0 without detections."""
        return self.hits / self.detections if self.detections else 0.0

    @property
    def recall(self) -> float:
        """hits / events; 0 without events."""
        return self.hits / self.events if self.events else 0.0

    @property
    def f1(self) -> float:
        """2 hits / (detections + events), the harmonic mean of the two; 0 if both lists are empty (as mir_eval)."""
        total = self.detections + self.events
        return 2 * self.hits / total if total else 0.0


def match(detected_s: np.ndarray, true_s: np.ndarray, tolerance_s: float) -> tuple[np.ndarray, np.ndarray]:
    """A matching of maximum size of detected and true times (s, any order).

    Returns index arrays (into detected_s, into true_s) of equal length.
    """
    detected_order, true_order = np.argsort(detected_s, kind="stable"), np.argsort(true_s, kind="stable")
    detected, true = detected_s[detected_order].tolist(), true_s[true_order].tolist()
    reach = tolerance_s + TIME_ROUNDING_S
    pairs: list[tuple[int, int]] = []
    i = j = 0
    while i < len(detected) and j < len(true):
        difference = detected[i] - true[j]
        if abs(difference) <= reach:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif difference > 0:
            j += 1
        else:
            i += 1
    chosen = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return detected_order[chosen[:, 0]], true_order[chosen[:, 1]]


def match_closest(detected_s: np.ndarray, true_s: np.ndarray, tolerance_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Of the matchings of maximum size, the one with the least sum of absolute errors (for error statistics only).

    The cost of an allowed pair is |error| minus a bonus larger than any sum of errors, so that size comes first; other
    pairs cost 0. An optimal assignment then contains a best matching. Of equally good pairings of the same times the
    ordered one is taken, whose largest error is the smallest.
    """
    error = np.abs(detected_s[:, None] - true_s[None, :])
    reach = tolerance_s + TIME_ROUNDING_S
    bonus = (min(error.shape) + 1) * reach
    rows, columns = linear_sum_assignment(np.where(error <= reach, error - bonus, 0.0))
    allowed = error[rows, columns] <= reach
    rows, columns = rows[allowed], columns[allowed]
    return rows[np.argsort(detected_s[rows], kind="stable")], columns[np.argsort(true_s[columns], kind="stable")]
