"""Intervals against the true value, and where BCa is undefined."""

import numpy as np

from openfoley.evaluation.stats.bootstrap import interval, ratio_interval
from openfoley.evaluation.stats.pooled import median_of


def test_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(300):
        values = rng.exponential(size=20)
        low, high = ratio_interval(lambda s: s[:, 0] / s[:, 1], np.stack([values, np.ones(20)], 1), seed=trial)
        covered += low <= 1.0 <= high
    assert 0.87 <= covered / 300 <= 0.98
    values = rng.exponential(size=12)
    slow = interval(lambda k: float(values[k].mean()), 12, seed=1)
    fast = ratio_interval(lambda s: s[:, 0] / s[:, 1], np.stack([values, np.ones(12)], 1), seed=1)
    np.testing.assert_allclose(slow, fast, rtol=0.1)


def test_a_constant_figure_has_an_interval_of_width_zero() -> None:
    assert ratio_interval(lambda s: s[:, 0] / s[:, 1], np.ones((5, 2))) == (1.0, 1.0)
    assert interval(lambda k: 2.0, 5) == (2.0, 2.0)


def test_too_few_clips_have_no_interval() -> None:
    assert (
        np.isnan(interval(lambda k: 1.0, 1)).all()
        and np.isnan(ratio_interval(lambda s: s[:, 0], np.ones((1, 2)))).all()
    )
    assert np.isnan(interval(lambda k: float("nan"), 4)).all()


def test_a_single_clip_with_events_has_no_interval_however_many_have_none() -> None:
    sums = np.array([[3.0, 6.0], [0.0, 0.0], [0.0, 0.0]])
    assert np.isnan(ratio_interval(lambda s: s[:, 0] / s[:, 1], sums)).all()
    median, bounds = median_of([np.array([1.0, 2.0, 4.0]), np.zeros(0), np.zeros(0)])
    assert median == 2.0 and np.isnan(bounds).all()
    assert np.isfinite(median_of([np.array([1.0, 2.0, 4.0]), np.ones(1), np.zeros(0)])[1]).all()


def test_draws_that_leave_the_figure_undefined_are_left_out() -> None:
    values = np.array([np.nan, 1.0, 2.0, 3.0])
    low, high = interval(lambda k: float(np.nanmean(values[k])) if np.isfinite(values[k]).any() else np.nan, 4)
    assert 1.0 <= low < 2.0 < high <= 3.0


def test_order_of_the_clips_does_not_change_a_pooled_interval_by_more_than_its_draws() -> None:
    sums = np.random.default_rng(2).integers(1, 9, (40, 2)).astype(float)
    one, other = (ratio_interval(lambda s: s[:, 0] / s[:, 1], s) for s in (sums, sums[::-1]))
    np.testing.assert_allclose(one, other, rtol=0.05)
