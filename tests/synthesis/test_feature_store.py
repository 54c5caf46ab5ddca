"""Features computed once are features computed again."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
import torch

import openfoley.synthesis.feature_store as module
from openfoley.hub.fingerprint import fingerprint
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline, load
from openfoley.request import Cut
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.synthesis.features import encoded_pictures
from openfoley.timeline.shots import shots_of

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
    computed = list(encoded_pictures(pipeline.model, Source.file(video), shots, CPU))
    assert same(list(store.runs(pipeline.model, Source.file(video), shots, CPU)), computed)
    monkeypatch.setattr(module, "encoded_pictures", None)
    assert same(list(store.runs(pipeline.model, Source.file(video), shots, CPU)), computed)
    later = [run for run in computed if run.shot == 1]
    assert same(list(store.runs(pipeline.model, Source.file(video), shots, CPU, first_shot=1)), later)
    copy = tmp_path / "other name.mp4"
    copy.write_bytes(video.read_bytes())
    assert same(list(FeatureStore(tmp_path).runs(pipeline.model, Source.file(copy), shots, CPU)), computed)


def test_an_unfinished_entry_is_not_there(pipeline: Pipeline, video: Path, tmp_path: Path) -> None:
    store, shots = FeatureStore(tmp_path), shots_of(Fraction(2), [], "none")
    runs = store.runs(pipeline.model, Source.file(video), shots, CPU)
    next(iter(runs))
    runs.close()
    assert not list(tmp_path.rglob("runs.json")) and not list(tmp_path.rglob("*.partial"))


def test_features_beyond_the_limit_are_computed_again(
    pipeline: Pipeline, video: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shots = shots_of(Fraction(2), [Cut(Fraction(1))], "reset")
    needed = 2 * 4 * (24 * 32 + 8 * 32)  # 2 s of 4 bytes: sync features at 24 Hz, semantic ones at 8 Hz
    computed = list(encoded_pictures(pipeline.model, Source.file(video), shots, CPU, 1))
    for store in (FeatureStore(tmp_path, most_bytes=needed - 1), FeatureStore(tmp_path, most_bytes=0)):
        assert not store.keeps(pipeline.model, Source.file(video))
        assert same(list(store.runs(pipeline.model, Source.file(video), shots, CPU, 1)), computed)
    assert not list(tmp_path.iterdir()) and "every take encodes its pictures again" in caplog.text
    kept = FeatureStore(tmp_path, most_bytes=needed)
    assert same(list(kept.runs(pipeline.model, Source.file(video), shots, CPU, 1)), computed)
    (index,) = tmp_path.rglob("runs.json")
    assert sum(file.stat().st_size for file in index.parent.glob("*.f32")) == needed


def test_other_cuts_displace_the_features_used_longest_ago(pipeline: Pipeline, video: Path, tmp_path: Path) -> None:
    times = ([], [Cut(Fraction(1))], [Cut(Fraction(1, 2))])
    first, second, third = (shots_of(Fraction(2), cuts, "reset") for cuts in times)
    store = FeatureStore(tmp_path, most_bytes=20_000)  # of 8,192 bytes each
    for shots in (first, second, first, third):
        list(store.runs(pipeline.model, Source.file(video), shots, CPU))
    kept = {index.parent.name for index in tmp_path.rglob("runs.json")}
    assert kept == {module._key(pipeline.model, shots) for shots in (first, third)}
    assert len(list(tmp_path.rglob("*.f32"))) == 4, "nothing is left of the second"


def test_a_span_of_a_video_beyond_the_limit_encodes_no_more_than_it_needs(
    selva: Pipeline, film: Path, tmp_path: Path, trunk_calls: list[int]
) -> None:
    asked = {"span": (0, 1), "select": "ball", "cuts": "none", "steps": 1}
    alone = selva.edit(film, **asked).audio.samples
    encoded = sum(trunk_calls)
    assert encoded < 13, "segments of 4.48 s"
    assert torch.equal(selva.edit(film, **asked, store=FeatureStore(tmp_path, most_bytes=0)).audio.samples, alone)
    assert sum(trunk_calls) == 2 * encoded


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


def test_cuts_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from openfoley.media.write.encode import write_video

    black, white = (torch.full((12, 3, 48, 64), value, dtype=torch.uint8) for value in (10, 240))
    video = tmp_path / "cut.mp4"
    write_video(video, iter([black, white]), Fraction(24))
    store, found = FeatureStore(tmp_path / "store"), tuple(Source.file(video).cuts())
    assert found == (Fraction(1, 2),) and store.cuts(Source.file(video)) == found
    monkeypatch.setattr(Source, "cuts", None)
    assert store.cuts(Source.file(video)) == found
    copy = tmp_path / "other name.mp4"
    copy.write_bytes(video.read_bytes())
    assert FeatureStore(tmp_path / "store").cuts(Source.file(copy)) == found
