"""Features computed once are features computed again."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import torch

import openfoley.synthesis.feature_store as module
from openfoley.hub.fingerprint import fingerprint
from openfoley.pipeline import Pipeline, load
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.synthesis.features import encoded_pictures
from openfoley.timeline.shots import Cut, shots_of

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path) -> Pipeline:
    return load(tiny_model)


@pytest.fixture(scope="module")
def video(make_video: Callable[..., Path]) -> Path:
    return make_video("film.mp4", duration_s=2.0)


def same(ours: list, theirs: list) -> bool:
    return len(ours) == len(theirs) and all(
        (a.name, a.shot, a.is_last) == (b.name, b.shot, b.is_last) and torch.equal(a.features, b.features)
        for a, b in zip(ours, theirs, strict=True)
    )


def test_what_is_kept_is_what_is_computed(pipeline: Pipeline, video: Path, tmp_path: Path, monkeypatch) -> None:
    store = FeatureStore(tmp_path)
    shots = shots_of(Fraction(2), [Cut(Fraction(1))], "reset")
    computed = list(encoded_pictures(pipeline.model, pipeline.pictures(video), shots, CPU))
    assert same(list(store.runs(pipeline.model, pipeline.pictures(video), shots, CPU)), computed)
    monkeypatch.setattr(module, "encoded_pictures", None)
    assert same(list(store.runs(pipeline.model, pipeline.pictures(video), shots, CPU)), computed)
    later = [run for run in computed if run.shot == 1]
    assert same(list(store.runs(pipeline.model, pipeline.pictures(video), shots, CPU, first_shot=1)), later)
    copy = tmp_path / "other name.mp4"
    copy.write_bytes(video.read_bytes())
    assert same(list(FeatureStore(tmp_path).runs(pipeline.model, pipeline.pictures(copy), shots, CPU)), computed)


def test_an_unfinished_entry_is_not_there(pipeline: Pipeline, video: Path, tmp_path: Path) -> None:
    store, shots = FeatureStore(tmp_path), shots_of(Fraction(2), [], "none")
    runs = store.runs(pipeline.model, pipeline.pictures(video), shots, CPU)
    next(iter(runs))
    runs.close()
    assert not list(tmp_path.rglob("runs.json")) and not list(tmp_path.rglob("*.partial"))


def test_other_cuts_and_other_weights_have_features_of_their_own(pipeline: Pipeline, video: Path) -> None:
    one, two = shots_of(Fraction(2), [], "none"), shots_of(Fraction(2), [Cut(Fraction(1))], "reset")
    carried = shots_of(Fraction(2), [Cut(Fraction(1))], "carry")
    assert module._key(pipeline.model, one) != module._key(pipeline.model, two)
    assert module._key(pipeline.model, carried) == module._key(pipeline.model, two)
    before = fingerprint(pipeline.model)
    parameter = next(pipeline.model.generator.parameters())
    with torch.no_grad():
        parameter[0] += 1
        changed = fingerprint(pipeline.model)
        parameter[0] -= 1
    assert changed != before and fingerprint(pipeline.model, ("sync",)) != fingerprint(pipeline.model, ("semantic",))


def test_probes_and_cuts_are_kept(video: Path, tmp_path: Path, monkeypatch) -> None:
    import openfoley.media.decode as decode
    import openfoley.media.scenes as scenes

    store = FeatureStore(tmp_path)
    info, cuts = store.info(video), store.cuts(video)
    assert info == decode.probe(video) and cuts == scenes.cut_times(video)
    for target, name in ((decode, "probe"), (scenes, "cut_times")):
        monkeypatch.setattr(target, name, None)
    assert store.info(video) == info and store.cuts(video) == cuts
