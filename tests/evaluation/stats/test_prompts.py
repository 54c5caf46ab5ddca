"""Draws of prompts and of seeds within them: what they keep, and that their intervals and p-values hold."""

import numpy as np
import pytest

from openfoley.evaluation.stats.prompts import draws_of, estimate, paired_estimate

PROMPTS = ["a", "b", "a", "c", "b", "a"]


def test_a_draw_has_whole_prompts_with_seeds_of_their_own() -> None:
    for rows in draws_of(PROMPTS, 50):
        drawn = [PROMPTS[k] for k in rows]
        counts = {name: drawn.count(name) for name in "abc"}
        assert all(counts[name] % PROMPTS.count(name) == 0 for name in "abc")
        assert sum(counts[name] // PROMPTS.count(name) for name in "abc") == 3


def test_seeds_of_one_prompt_do_not_count_as_prompts() -> None:
    rng = np.random.default_rng(0)
    level = rng.standard_normal(40)
    many = np.repeat(level, 25)
    names = [str(k) for k in range(40)]
    once = estimate(lambda rows: float(level[rows].mean()), names)
    often = estimate(lambda rows: float(many[rows].mean()), [name for name in names for _ in range(25)])
    width, other = (one["interval"][1] - one["interval"][0] for one in (once, often))
    assert other == pytest.approx(width, rel=0.15) and often["value"] == pytest.approx(once["value"])
    assert width == pytest.approx(4 * level.std() / 40**0.5, rel=0.2)


def test_a_difference_that_is_there_is_found_and_one_that_is_not_is_not() -> None:
    rng = np.random.default_rng(1)
    names = [str(k // 2) for k in range(200)]
    shared = rng.standard_normal(200)
    better, same = shared + 0.5 + 0.3 * rng.standard_normal(200), shared + 0.3 * rng.standard_normal(200)

    def mean(values: np.ndarray):
        return lambda rows: float(values[rows].mean())

    found = paired_estimate(mean(better), mean(shared), names)
    assert found["p"] < 0.01 and found["interval"][0] > 0.3 and found["difference"] == pytest.approx(0.5, abs=0.1)
    assert paired_estimate(mean(same), mean(shared), names)["p"] > 0.05
    assert paired_estimate(mean(shared), mean(shared), names) == {"difference": 0.0, "interval": (0.0, 0.0), "p": 1.0}


def test_p_values_are_even_where_nothing_differs() -> None:
    rng = np.random.default_rng(2)
    names = [str(k) for k in range(60)]
    found = []
    for _ in range(60):
        values = rng.standard_normal(60)
        found.append(paired_estimate(lambda rows, v=values: float(v[rows].mean()), lambda rows: 0.0, names, 200)["p"])
    assert np.mean(np.array(found) < 0.1) < 0.25 and 0.3 < np.mean(found) < 0.7


def test_one_prompt_has_no_interval() -> None:
    assert np.isnan(estimate(lambda rows: 1.0, ["a", "a"])["interval"]).all()
    assert np.isnan(paired_estimate(lambda rows: 1.0, lambda rows: 0.0, ["a"])["p"])
