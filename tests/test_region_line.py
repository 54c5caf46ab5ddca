"""The whole line with boxes and masks: what reaches the features, cues, edits, projects, and every bad input."""

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

from openfoley.cli import main
from openfoley.encoders.masked import MaskedSync
from openfoley.errors import UsageError
from openfoley.live import stream
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline, load
from openfoley.projects.project import Project
from openfoley.region import Box
from openfoley.request import Cue, Cut, Request
from openfoley.synthesis.conditions import ConditionBuilder
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.synthesis.features import encoded_pictures
from openfoley.synthesis.job import Job, RunOptions, request_key
from openfoley.synthesis.region_features import region_readers, regions_of
from openfoley.synthesis.selection import model_for
from openfoley.types import FeatureSequence

FAST = {"steps": 1, "cuts": "none"}
LEFT, RIGHT = "0,0,0.5,1", "0.5,0,1,1"
WAY = [abs(k % 12 - 6) for k in range(48)]  # pixels


@pytest.fixture(scope="module")
def gym(tiny_model: Path) -> Pipeline:
    return load(tiny_model)


@pytest.fixture(scope="module")
def video(make_video: Callable[..., Path]) -> Path:
    return make_video(duration_s=2.0, sound=True)


@pytest.fixture(scope="module")
def mask(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """White on the left half of 64 x 48."""
    picture = torch.zeros(3, 48, 64, dtype=torch.uint8)
    picture[..., :32] = 255
    return png(tmp_path_factory.mktemp("mask") / "left.png", picture)


def png(path: Path, picture: Tensor) -> Path:
    from PIL import Image

    Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy()).save(path)
    return path


def two_squares(left: list[int], right: list[int]) -> Source:
    """2 s at 24 Hz, 64 x 64, a square in each half, at these heights."""
    frames = torch.full((48, 3, 64, 64), 60, dtype=torch.uint8)
    for k in range(48):
        frames[k, :, 20 + left[k] : 32 + left[k], 8:20] = 230
        frames[k, 1:, 20 + right[k] : 32 + right[k], 44:56] = 10
    return Source.tensor(frames, 24)


def sync_of(pipeline: Pipeline, source: Source, **options: object) -> FeatureSequence:
    """What the generator is given of the sync encoder for the first window."""
    job = Job.planned(pipeline.model, source, [0], Request.of(**{**FAST, **options}), RunOptions())
    with torch.inference_mode():
        readers = region_readers(job.model, source, job.shots, regions_of(job.plan, job.requests), pipeline.device)
        feed = encoded_pictures(job.model, source, job.shots, pipeline.device)
        builder = ConditionBuilder(job.model, job.shots, feed, pipeline.device, readers)
        return builder.conditions(job.plan[0], job.request.prompting)[0]["sync"]


def far(one: FeatureSequence, other: FeatureSequence) -> float:
    assert torch.equal(one.time_s, other.time_s) and torch.equal(one.present, other.present)
    return float((one.values - other.values).abs().mean() / one.values.abs().mean())


@pytest.mark.parametrize(("name", "words"), [("gym", {}), ("selva", {}), ("selva", {"select": "ball"})])
def test_what_is_hidden_counts_less_by_attention_and_not_at_all_by_grey(
    name: str, words: dict[str, str], request: pytest.FixtureRequest
) -> None:
    """The tiny networks attend over the whole picture before they pool, so that a trace of it remains."""
    pipeline: Pipeline = request.getfixturevalue(name)
    still, moving = two_squares(WAY, [0] * 48), two_squares(WAY, WAY)
    plain = far(sync_of(pipeline, still, **words), sync_of(pipeline, moving, **words))
    seen = {by: far(*(sync_of(pipeline, one, select_box=LEFT, select_mask_by=by, **words) for one in (still, moving)))
            for by in ("attention", "grey")}  # fmt: skip
    assert seen["grey"] == 0 < seen["attention"] < plain
    other = far(
        sync_of(pipeline, moving, select_box=RIGHT, **words), sync_of(pipeline, moving, select_box=LEFT, **words)
    )
    assert other > seen["attention"]


@pytest.mark.parametrize("name", ["gym", "selva"])
def test_a_mask_that_hides_nothing_gives_the_features_without_one(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    pipeline, source = request.getfixturevalue(name), two_squares(WAY, WAY)
    plain, white = sync_of(pipeline, source), png(tmp_path / "w.png", torch.full((3, 64, 64), 255, dtype=torch.uint8))
    for by in ("attention", "grey"):
        whole = sync_of(pipeline, source, select_mask=white, select_mask_by=by)
        torch.testing.assert_close(whole.values, plain.values, atol=1e-4, rtol=1e-4)


def test_where_nothing_is_selected_the_picture_is_an_empty_one(gym: Pipeline) -> None:
    """In the second shot. Frame 24 is the middle one of its snippet."""
    source = two_squares(WAY, WAY)
    asked = {"cuts": (Cut(Fraction(1), "carry"),), "select_box": f"{LEFT}@0"}
    job = Job.planned(gym.model, source, [0], Request.of(**asked, steps=1), RunOptions())
    empty = sync_of(gym, Source.tensor(torch.full((48, 3, 64, 64), 128, dtype=torch.uint8), 24))
    with torch.inference_mode():
        readers = region_readers(job.model, source, job.shots, regions_of(job.plan, job.requests), gym.device)
        feed = encoded_pictures(job.model, source, job.shots, gym.device)
        builder = ConditionBuilder(job.model, job.shots, feed, gym.device, readers)
        later = builder.conditions(job.plan[-1], job.request.prompting)[0]["sync"]
    own = later.values[later.present & (later.time_s > 0.6)]  # behind the carried sound
    torch.testing.assert_close(own, empty.values[0, 24].expand_as(own), atol=1e-4, rtol=1e-4)


def test_box_and_mask_reach_the_sound_and_repeat(gym: Pipeline, video: Path, mask: Path) -> None:
    def sound(**options: object) -> Tensor:
        return gym.generate(video, **FAST, **options).audio.samples

    plain, left = sound(), sound(select_box=LEFT)
    assert torch.equal(plain, load_again(gym).generate(video, **FAST).audio.samples), "the model stays as it was"
    assert torch.equal(left, sound(select_box=LEFT)) and not torch.equal(left, plain)
    masked, grey = sound(select_mask=mask), sound(select_mask=mask, select_mask_by="grey")
    assert not torch.equal(masked, plain) and not torch.equal(masked, grey)
    assert sound(select_box=LEFT, prompt="ball").isfinite().all()


def load_again(pipeline: Pipeline) -> Pipeline:
    return Pipeline(replace(pipeline.model))


def test_without_a_region_the_model_is_the_same_object(gym: Pipeline) -> None:
    assert model_for(gym.model, Request()) is gym.model
    assert model_for(gym.model, Request.of(select_box=LEFT, select_mask_by="grey")) is gym.model
    changed = model_for(gym.model, Request.of(select_box=LEFT))
    assert isinstance(changed.encoders["sync"], MaskedSync) and changed.parts is gym.model.parts


def test_cues_and_spans_have_regions_of_their_own(gym: Pipeline, video: Path, mask: Path, tmp_path: Path) -> None:
    (tmp_path / "left.png").write_bytes(mask.read_bytes())
    sheet = tmp_path / "cues.csv"
    sheet.write_text(f'start,end,select_box,select_mask\n0,1,"{RIGHT}@0.5",\n1,2,,left.png\n')
    made = gym.generate(video, cues=sheet, **FAST)
    first, second = made.request.timeline.cue_list
    assert first.select_box == Box(0.5, 0, 1, 1, Fraction(1, 2)) and second.select_mask == tmp_path / "left.png"
    plain = gym.generate(video, cues=(Cue(Fraction(0), Fraction(1)), Cue(Fraction(1), Fraction(2))), **FAST)
    assert not torch.equal(made.audio.samples, plain.audio.samples)
    spans = [gym.edit(video, (0.5, 1.5), select_box=box, **FAST).audio.samples for box in (LEFT, RIGHT)]
    assert not torch.equal(*spans)
    with pytest.raises(
        UsageError, match=r"lies in the shot from 1.00 to 2.00 s, of which no sound .* from 0.00 to 1.00"
    ):
        gym.edit(video, (0.2, 0.8), select_box=f"{LEFT}@1.5", cuts=(Cut(Fraction(1)),), steps=1)


def test_projects_and_resumed_work_know_the_region(
    gym: Pipeline, video: Path, tiny_model: Path, mask: Path, tmp_path: Path
) -> None:
    project = Project.new(tmp_path / "p", video, model=str(tiny_model), select_box=f"{LEFT}@0.5", **FAST)
    (first,) = project.take(gym, seed=1)
    (second,) = project.take(gym, seed=1, select_box=RIGHT)
    assert first.request.prompting.select_box == Box(0, 0, 0.5, 1, Fraction(1, 2)) and first.sha256 != second.sha256
    project.set(select_box=None)
    (third,) = project.take(gym, seed=1, select_mask=mask)
    kept = Project(project.folder).record.takes[third.number - 1]
    assert kept.mask_sha256 is not None and kept.request.prompting.select_mask == mask
    (plain,) = project.take(gym, seed=1)
    assert plain.sha256 not in (first.sha256, second.sha256, third.sha256) and plain.mask_sha256 is None
    assert json.loads(json.dumps(project.show(), default=str))

    again = tmp_path / "mask.png"
    again.write_bytes(mask.read_bytes())
    job = Job.planned(gym.model, video, [0], Request.of(select_mask=again, **FAST), RunOptions(work=tmp_path / "w"))
    before = request_key(job)
    png(again, torch.full((3, 48, 64), 255, dtype=torch.uint8))
    assert request_key(job) != before, "another content, the same name"


def test_stored_features_of_the_plain_encoder_and_its_tokens_do_not_mix(
    gym: Pipeline, video: Path, tmp_path: Path
) -> None:
    store = FeatureStore(tmp_path)
    sounds = [
        gym.generate(video, store=kept, **one, **FAST).audio.samples
        for kept in (store, store, None)
        for one in ({}, {"select_box": LEFT})
    ]
    assert all(torch.equal(sounds[k], sounds[k % 2]) for k in range(6))


def test_bad_regions_are_refused_in_one_line(
    gym: Pipeline, video: Path, mask: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = png(tmp_path / "wide.png", torch.full((3, 48, 128), 255, dtype=torch.uint8))
    black = png(tmp_path / "black.png", torch.zeros(3, 48, 64, dtype=torch.uint8))
    (tmp_path / "text.png").write_text("nothing")
    for words, code, says in (
        (["--select-box", "0,0,1"], 2, "--select-box must be four numbers from 0 to 1"),
        (["--select-box", "0,0,1,2"], 2, "--select-box must lie in the picture"),
        (["--select-box", "-0.1,0,1,1"], 2, "--select-box must lie in the picture"),
        (["--select-box", "nan,0,1,1"], 2, "--select-box must be four numbers from 0 to 1"),
        (["--select-box", "0.5,0,0.5,1"], 2, "--select-box must have an area"),
        (
            ["--select-box", "0,0,1,1@2"],
            2,
            "the time 2 s lies outside of the video, which has pictures from 0 to 2.000 s",
        ),
        (["--select-box", "0,0,1,1@soon"], 2, "time: expected seconds or a timecode HH:MM:SS:FF, got 'soon'"),
        (["--select-box", LEFT, "--select-mask", str(mask)], 2, "exclude each other"),
        (["--select-mask-by", "grey"], 2, "which is missing; pass select_box or select_mask"),
        (["--select-mask", "none.png"], 2, "the mask none.png does not exist"),
        (["--select-mask", str(wide)], 2, "is 128x48, the video 64x48"),
        (["--select-mask", str(black)], 2, "is black throughout"),
        (["--select-mask", str(tmp_path / "text.png")], 1, "text.png"),
    ):
        out = str(tmp_path / "o.wav")
        assert main(["generate", str(video), "--model", str(tiny_model), "--out", out, "--steps", "1", *words]) == code
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("openfoley: error: ") and says in line, line
    assert main(["generate", "--duration", "1", "--prompt", "a", "--select-box", LEFT, "--model", str(tiny_model)]) == 2
    assert "--select-box and --select-mask need a VIDEO" in capsys.readouterr().err
    with pytest.raises(UsageError, match="select_box needs a picture to choose from"):
        gym.generate(None, duration=1.0, select_box=LEFT)
    with pytest.raises(UsageError, match="a live stream has no select_box"):
        stream(gym, 24, select_box=LEFT)


def test_the_result_says_the_box(
    video: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "--select-box",
        f"{LEFT}@0.5",
        "--steps",
        "1",
        "--cuts",
        "none",
        "--json",
        "--out",
        str(tmp_path / "a.wav"),
    ]
    assert main(["generate", str(video), "--model", str(tiny_model), *words]) == 0
    assert json.loads(capsys.readouterr().out)["select_box"] == "0,0,0.5,1@0.5"
