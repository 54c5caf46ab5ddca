"""Joins that are known, and level jumps that are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from openfoley.evaluation.studies import joins


def test_auc_is_the_share_of_pairs_in_order() -> None:
    assert joins.auc_of(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])) == pytest.approx(0.75)
    assert np.isnan(joins.auc_of(np.array([1.0]), np.array([1])))


def noise_clip(seed: int, seconds: float = 12.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Two sounds of different colour and level."""
    generator = torch.Generator().manual_seed(seed)
    white = torch.randn(2, round(44100 * seconds), generator=generator) * 0.1
    dark = torch.nn.functional.avg_pool1d(white[1][None, None], 9, 1, 4)[0, 0]
    return white[0], dark * 2


def hard_join(before: torch.Tensor, after: torch.Tensor, sample: int) -> torch.Tensor:
    return torch.cat([before[:sample], after[sample:]])


@pytest.mark.slow
def test_hard_joins_are_found_and_none_are_found_where_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "RECIPE", replace(joins.RECIPE, epochs=5, batch=16))
    monkeypatch.setattr(joins, "FOLDS", 2)
    rate, hard, none = 44100 / 1024, [], []
    for seed in range(10):
        first, second = noise_clip(seed)
        at = [2.0, 4.0, 6.0, 8.0, 10.0]
        others = joins.other_instants(at, 12.0, rate, 10, seed)
        assert min(abs(a - b) for a in at for b in others) >= joins.AWAY_S
        elsewhere = joins.pictures_at(first, 44100, others)
        joined = [joins.pictures_at(hard_join(first, second, round(t * 44100)), 44100, [t]) for t in at]
        labels = torch.cat([torch.ones(5), torch.zeros(10)])
        hard.append((torch.cat([*joined, elsewhere]), labels))
        none.append((torch.cat([joins.pictures_at(first, 44100, at), elsewhere]), labels))
    assert joins._auc_figure(joins._scores(hard))["auc"] > 0.9
    assert 0.25 < joins._auc_figure(joins._scores(none))["auc"] < 0.75
