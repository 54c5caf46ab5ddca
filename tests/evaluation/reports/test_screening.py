"""A scene shown without a file is what the pipeline would have seen in one."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from openfoley.encoders.base import Frames, Inputs
from openfoley.evaluation.reports.screening import Screening, picked
from openfoley.evaluation.studies import clips
from openfoley.evaluation.studies.clips import RATE, pictures_of
from openfoley.gym.scene import sample_scene
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline, load
from openfoley.timeline.shots import shots_of


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path) -> Pipeline:
    return load(str(tiny_model))


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(clips, "SIDE", 32)
    return sample_scene(20_000_007, 24.0, split="evaluation", silent=False, aspect=1.0)


@pytest.fixture
def screening(scene, tmp_path: Path) -> Screening:
    (tmp_path / "scene.json").write_text("{}")
    return Screening(tmp_path / "scene.json", pictures_of(scene))


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(8), Fraction(25), Fraction(30)])
def test_an_encoder_gets_the_frames_shown_at_its_instants_however_they_are_cut(rate: Fraction) -> None:
    encoder = SimpleNamespace(inputs=Inputs(Frames(rate, 2, 2)))
    frames = torch.arange(50, dtype=torch.uint8)[:, None, None, None].expand(50, 3, 2, 2)
    chunks = [picked("sync", encoder, frames[k : k + 7], k) for k in range(0, 50, 7)]
    numbers = torch.cat([chunk.frames[:, 0, 0, 0] for chunk in chunks]).tolist()
    assert numbers == [k * RATE // rate for k in range(len(numbers))] and numbers[-1] >= 47
    starts = [chunk.first_index for chunk in chunks]
    assert starts == [sum(len(chunk.frames) for chunk in chunks[:k]) for k in range(len(chunks))]


def test_cuts_are_found_as_in_a_file(scene, screening: Screening, tmp_path: Path) -> None:
    clip = clips.write_clip(tmp_path, "clip", scene, with_sound=False)
    assert screening.cuts() == Source.file(clip.video).cuts() and len(scene.shots) > 1


def test_features_are_those_of_the_pictures(screening: Screening, pipeline: Pipeline) -> None:
    (shot,) = shots_of(screening.info.duration, [], "none")
    runs = list(screening.runs(pipeline.model, screening, [shot], pipeline.device))
    frames = torch.cat(screening.pictures)
    for name, every in (("sync", 1), ("semantic", 3)):
        ours = torch.cat([run.features for run in runs if run.name == name])
        assert torch.allclose(ours, pipeline.model.encoders[name].encode(frames[None, ::every])[0], atol=1e-5)


def test_all_sounds_share_the_features(
    screening: Screening, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = screening.sounds(pipeline, (1, 2), steps=1, cuts="carry")
    monkeypatch.setattr(screening, "_encoded", None)  # encoding again would fail
    again = screening.sound(pipeline, 2, steps=1, cuts="reset")
    assert len(screening._runs) == 1
    assert not torch.equal(first.samples, second.samples) and not torch.equal(again.samples, second.samples)
    assert first.samples.shape[-1] == 24 * first.sample_rate


@pytest.mark.parametrize("cuts", ["carry", "auto", "none"])
def test_the_end_of_a_sound_is_that_of_the_whole(screening: Screening, pipeline: Pipeline, cuts: str) -> None:
    whole = screening.sound(pipeline, 3, steps=1, cuts=cuts)
    end = screening.end(pipeline, 17.0, 3, steps=1, cuts=cuts)
    assert torch.equal(end.samples, whole.samples[:, 17 * whole.sample_rate :])


def test_what_is_not_heard_is_not_decoded(
    screening: Screening, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[int] = []
    kind = type(pipeline.model.codec)
    decode = kind.decode
    monkeypatch.setattr(kind, "decode", lambda self, latent: decoded.append(latent.shape[1]) or decode(self, latent))
    screening.end(pipeline, 21.0, 3, steps=1, cuts="none")
    assert 3 * 43 < sum(decoded) < 16 * 43


def test_a_beginning_keeps_what_was_seen(scene, pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "scene.json").write_text("{}")
    whole = Screening(tmp_path / "scene.json", pictures_of(scene))
    (shot,) = shots_of(whole.info.duration, [], "none")
    runs = list(whole.runs(pipeline.model, whole, [shot], pipeline.device))
    part = whole.beginning(10)
    assert part.info.duration == 10
    (shot,) = shots_of(part.info.duration, [], "none")
    for run, count in zip(part.runs(pipeline.model, part, [shot], pipeline.device), (240, 80), strict=True):
        every = torch.cat([one.features for one in runs if one.name == run.name])
        assert run.is_last and torch.equal(run.features, every[:count])
