"""The Frechet distance against its closed form, also where covariances are singular."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from openfoley.evaluation.metrics.frechet import frechet_distance


def rows(n: int, dim: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, dim)) @ rng.standard_normal((dim, dim)) + rng.standard_normal(dim)


def test_it_is_the_formula_with_a_matrix_square_root() -> None:
    a, b = rows(300, 8, 1), rows(200, 8, 2)
    cross = np.real(np.trace(np.asarray(sqrtm(np.cov(a.T) @ np.cov(b.T)))))
    gap = a.mean(0) - b.mean(0)
    wanted = gap @ gap + np.trace(np.cov(a.T)) + np.trace(np.cov(b.T)) - 2 * cross
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-8)


def test_equal_sets_have_none_in_any_order_and_fewer_rows_than_dimensions_are_exact() -> None:
    a = rows(10, 32, 3)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, np.random.default_rng(0).permutation(a)) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + 2) == pytest.approx(4 * 32, rel=1e-9)
    assert np.isnan(frechet_distance(a[:1], a))


def test_known_damage_moves_it_by_a_known_amount() -> None:
    a = rows(400, 1, 4)
    assert frechet_distance(a, 3 * a) == pytest.approx(4 * a.mean() ** 2 + (2 * a.std(ddof=1)) ** 2, rel=1e-9)
    assert frechet_distance(a, 3 * a) == pytest.approx(frechet_distance(3 * a, a), rel=1e-9)
