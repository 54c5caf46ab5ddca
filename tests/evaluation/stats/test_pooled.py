"""Paired tests on counts whose difference is known."""

import numpy as np
import pytest

from openfoley.evaluation.metrics.f1 import f1_difference, f1_of, pooled_f1
from openfoley.evaluation.stats.pooled import mean_of, median_of, permutation_p


def test_paired_differences_see_a_real_one_and_no_other() -> None:
    rng = np.random.default_rng(0)
    events = rng.integers(5, 15, 60)
    good, bad = (np.stack([rng.binomial(events, p), events, events], 1) for p in (0.8, 0.6))
    gap = f1_difference(good, bad)
    assert 0.1 < gap["difference"] < 0.3 and gap["p"] < 0.001 and gap["interval"][0] > 0
    none = f1_difference(good, good)
    assert none["difference"] == 0 and none["p"] == 1
    assert f1_of(good)["f1"] == pytest.approx(pooled_f1(good.sum(0, keepdims=True).astype(float))[0])


def test_permutation_p_is_uniform_without_a_difference() -> None:
    rng, below = np.random.default_rng(1), 0

    def gap(pooled: np.ndarray) -> np.ndarray:
        return pooled[:, 0] - pooled[:, 1]

    for k in range(60):
        both = rng.normal(size=(20, 2))
        below += permutation_p(both, gap, seed=k) < 0.2
    assert 3 <= below <= 24


def test_means_leave_out_what_is_undefined_and_medians_are_over_events() -> None:
    assert mean_of([1.0, float("nan"), 3.0])["mean"] == 2.0
    assert np.isnan(mean_of([])["mean"]) and np.isnan(mean_of([1.0])["interval"][0])
    value, (low, high) = median_of([np.array([1.0, 2.0]), np.zeros(0), np.array([9.0])])
    assert value == 2.0 and low <= 2.0 <= high
