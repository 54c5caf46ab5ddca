"""Matching against brute force over all one-to-one pairings."""

import itertools

import numpy as np
import pytest

from openfoley.evaluation.metrics.matching import Counts, match, match_closest


def brute_force(detected: np.ndarray, true: np.ndarray, tolerance: float) -> tuple[int, float]:
    """Largest matching and the smallest sum of errors among the largest."""
    best = (0, 0.0)
    for size in range(1, min(len(detected), len(true)) + 1):
        for rows in itertools.combinations(range(len(detected)), size):
            for columns in itertools.permutations(range(len(true)), size):
                errors = np.abs(detected[list(rows)] - true[list(columns)])
                if (errors <= tolerance + 1e-9).all():
                    best = min(best, (-size, float(errors.sum())))
    return -best[0], best[1]


@pytest.mark.parametrize("seed", range(60))
def test_matching_is_as_large_as_brute_force_and_the_closest_one_has_the_smallest_error(seed: int) -> None:
    rng = np.random.default_rng(seed)
    detected, true = rng.random(rng.integers(0, 5)) * 0.3, rng.random(rng.integers(0, 5)) * 0.3
    size, error = brute_force(detected, true, 0.05)
    rows, columns = match(detected, true, 0.05)
    assert len(rows) == len(set(rows)) == len(set(columns)) == size
    rows, columns = match_closest(detected, true, 0.05)
    assert len(rows) == len(set(rows)) == len(set(columns)) == size
    assert np.abs(detected[rows] - true[columns]).sum() == pytest.approx(error, abs=1e-9)
    assert (np.abs(detected[rows] - true[columns]) <= 0.05 + 1e-9).all()


def test_tolerance_is_inclusive_whatever_the_binary_rounding() -> None:
    for start in (0.1, 0.3, 0.7, 1.1, 7.35):
        assert len(match(np.array([start + 0.05]), np.array([start]), 0.05)[0]) == 1
        assert len(match(np.array([start]), np.array([start + 0.05]), 0.05)[0]) == 1
        assert len(match(np.array([start + 0.0501]), np.array([start]), 0.05)[0]) == 0


def test_order_of_the_lists_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    detected, true = rng.random(20) * 2, rng.random(25) * 2
    expected = len(match(detected, true, 0.03)[0])
    for _ in range(5):
        shuffled, mixed = rng.permutation(detected), rng.permutation(true)
        rows, columns = match(shuffled, mixed, 0.03)
        assert len(rows) == expected
        assert (np.abs(shuffled[rows] - mixed[columns]) <= 0.03 + 1e-9).all()


def test_empty_lists_score_zero_and_counts_pool_by_addition() -> None:
    assert (Counts().precision, Counts().recall, Counts().f1) == (0.0, 0.0, 0.0)
    assert (Counts(0, 3, 0).f1, Counts(0, 0, 3).f1) == (0.0, 0.0)
    pooled = Counts(2, 4, 2) + Counts(1, 1, 4)
    assert (pooled.precision, pooled.recall, pooled.f1) == (3 / 5, 3 / 6, 6 / 11)
