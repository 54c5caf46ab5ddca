"""Statistics over clips as plain values for JSON: means, medians over events, and paired differences of pooled sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from openfoley.evaluation.stats.bootstrap import LOOP_DRAWS, NO_INTERVAL, Interval, interval, ratio_interval

Figure = Callable[[np.ndarray], np.ndarray]
"""Pooled sums [m, k] -> values [m]."""

PERMUTATIONS = 10_000


def value_of(figure: Figure, sums: np.ndarray) -> float:
    """A statistic of the sums [clips, k] of all clips."""
    return float(figure(sums.sum(0, keepdims=True))[0])


def mean_of(values: Sequence[float] | np.ndarray) -> dict[str, Any]:
    """Mean over clips with its interval; clips whose value is nan are left out."""
    array = np.array(values, dtype=np.float64)
    array = array[np.isfinite(array)]
    mean = float(array.mean()) if len(array) else float("nan")
    return {"mean": mean, "interval": interval(lambda indices: float(array[indices].mean()), len(array))}


def median_of(values: Sequence[np.ndarray], seed: int = 0) -> tuple[float, Interval]:
    """Median over all events of all clips; values: of the events of each clip. No interval where fewer than two clips
    have any."""

    def of(indices: np.ndarray) -> float:
        chosen = np.concatenate([values[k] for k in indices])
        return float(np.median(chosen)) if len(chosen) else float("nan")

    several = sum(len(one) > 0 for one in values) > 1
    bounds = interval(of, len(values), seed=seed, draws=LOOP_DRAWS) if several else NO_INTERVAL
    return of(np.arange(len(values))), bounds


def paired_difference(figure: Figure, ours: np.ndarray, theirs: np.ndarray) -> dict[str, Any]:
    """The difference of a statistic of pooled sums over the same clips, with a paired interval and p-value. ours,
    theirs: [clips, k]."""
    both, half = np.concatenate([ours, theirs], axis=1), ours.shape[1]

    def difference(pooled: np.ndarray) -> np.ndarray:
        return figure(pooled[:, :half]) - figure(pooled[:, half:])

    return {
        "difference": value_of(difference, both),
        "interval": ratio_interval(difference, both),
        "p": permutation_p(both, difference),
    }


def permutation_p(both: np.ndarray, statistic: Figure, seed: int = 0) -> float:
    """Two-sided p-value of a paired statistic of pooled sums [clips, 2k], the halves exchanged clip by clip.

    Not scipy.stats.permutation_test: it pools every permutation separately and takes 12 times as long (102 ms against
    9 ms for 150 clips and 10,000 permutations) as this one matrix product.
    """
    half = both.shape[1] // 2
    swap = np.random.default_rng(seed).random((PERMUTATIONS, len(both))) < 0.5
    swapped = np.concatenate([both[:, half:], both[:, :half]], axis=1)
    pooled = both.sum(0) + swap @ (swapped - both)
    extreme = np.abs(statistic(pooled)) >= abs(value_of(statistic, both)) - 1e-12
    return float((extreme.sum() + 1) / (PERMUTATIONS + 1))
