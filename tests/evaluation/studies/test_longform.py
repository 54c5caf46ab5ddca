"""The studies' parts on made-up truth: excerpts, joins, embeddings, paired tests."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from openfoley.evaluation.metrics.embedding import features, frechet
from openfoley.evaluation.metrics.sync import pooled_f1
from openfoley.evaluation.metrics.truth import Truth, from_dict
from openfoley.evaluation.studies import clips, cuts, joins
from openfoley.evaluation.studies.clips import RATE, excerpt, only_in, pictures_of, times_in
from openfoley.evaluation.studies.study import f1_difference, f1_of, permutation_p, sums_of
from openfoley.gym.scene import sample_scene
from openfoley.gym.sound import render_sound
from openfoley.gym.truth import truth
from openfoley.judges.material import MaterialClassifier


@pytest.fixture(scope="module")
def scene():
    return sample_scene(20_000_007, 24.0, split="evaluation", silent=False, aspect=1.0)


def test_an_excerpt_has_the_events_of_its_stretch_on_its_own_clock(scene) -> None:
    assert len(scene.shots) > 1
    part = excerpt(scene, 4.0, 12.0)
    events = truth(part, render_sound([part], sample_rate=8000)[0], RATE)["events"]
    whole = truth(scene, render_sound([scene], sample_rate=8000)[0], RATE)["events"]

    def contacts(of: list[dict], shift: float) -> list[tuple]:
        return [
            (round(e["time_s"] + shift, 5), e["action"], e["object_id"], e["visible"])
            for e in of
            if not e.get("continuous") and 4.0 <= e["time_s"] + shift < 12.0
        ]

    assert contacts(events, 4.0) == contacts(whole, 0.0) and len(contacts(whole, 0.0)) > 0


def test_an_excerpt_looks_like_its_stretch(scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Same pictures but for the grain, whose seed counts frames."""
    monkeypatch.setattr(clips, "SIDE", 32)
    ours = torch.cat(pictures_of(excerpt(scene, 4.0, 5.0))).float()
    theirs = torch.cat(pictures_of(scene))[96:120].float()
    assert ours.shape == theirs.shape == (24, 3, 32, 32)
    assert (ours - theirs).abs().mean() < 12


def test_only_in_scores_the_events_inside_on_its_own_clock() -> None:
    events = [{"time_s": t, "action": "hit", "material": "wood", "audible": True} for t in (0.5, 1.2, 1.9, 2.5)]
    part = only_in(from_dict({"duration_s": 3.0, "events": events}), 1.0, 2.0)
    assert part.scored_s.tolist() == pytest.approx([0.2, 0.9]) and part.duration_s == 1.0
    assert sums_of(times_in(np.array([0.5, 1.21, 1.5]), 1.0, 2.0), part) == [1, 2, 2]


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
        below += permutation_p(both, gap, float(gap(both.sum(0, keepdims=True))[0]), seed=k) < 0.2
    assert 3 <= below <= 24


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
    assert joins._auc(hard)["auc"] > 0.9
    assert 0.25 < joins._auc(none)["auc"] < 0.75


def test_level_jumps_are_those_that_were_made() -> None:
    sound = torch.cat([torch.full((4410,), 0.1), torch.full((4410,), 0.2)])
    assert joins.level_jumps_db(sound, 44100, [0.1, 0.05]) == pytest.approx([6.02, 0.0], abs=0.01)
    assert joins.level_jumps_db(sound, 44100, [0.05], 0.0) == pytest.approx([0.0], abs=0.01)
    assert joins.level_jumps_db(sound, 44100, [0.09, 0.09], 0.06) == pytest.approx([6.02, 6.02], abs=0.01)


def test_embedding_distance_is_zero_for_equal_sounds_and_grows_with_difference() -> None:
    torch.manual_seed(0)
    judge, (white, dark) = MaterialClassifier().eval(), noise_clip(3, 2.0)
    mixed = white * 0.5 + dark * 0.5
    ours, near, far = (features(judge, sound[None], 44100) for sound in (white, mixed, dark))
    assert frechet(ours, ours) == 0
    assert 0 < frechet(ours, near) < frechet(ours, far)
    drawn = torch.randn(50, 4)
    assert frechet(drawn, drawn + 1) == pytest.approx(4.0, rel=1e-4)


def test_scored_cuts_lie_between_different_materials_with_an_event_behind() -> None:
    found = 0
    for seed in range(20_000_000, 20_000_006):
        scene = sample_scene(seed, 20.0, split="evaluation", silent=False, aspect=1.0)
        record = truth(scene, render_sound([scene], sample_rate=8000)[0], RATE)
        seen: Truth = from_dict(record).only(True)
        for number in cuts.scored_cuts(scene, from_dict(record)):
            start = scene.shots[number].start_s
            assert ((seen.scored_s >= start) & (seen.scored_s < start + 1)).any()
            found += 1
    assert found > 0
