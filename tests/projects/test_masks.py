"""The masks of a project: their content is written down, and one that is missing or changed is an error."""

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import torch

from openfoley.cli import main
from openfoley.errors import MediaError, UsageError
from openfoley.media.read.content_hash import file_hash
from openfoley.pipeline import Pipeline, load
from openfoley.projects.project import Project
from openfoley.projects.record import FILE_NAME, MaskEntry
from openfoley.region import Box

LEFT, RIGHT = slice(0, 32), slice(32, 64)
FAST = {"steps": 1, "cuts": "none"}


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path) -> Pipeline:
    return load(tiny_model)


@pytest.fixture
def here(make_video: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a video of 64 x 48, 1 s, and a mask of its left half."""
    shutil.copy(make_video("film.mp4", duration_s=1.0), tmp_path / "film.mp4")
    mask(tmp_path / "mask.png", LEFT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def mask(path: Path, columns: slice) -> Path:
    from PIL import Image

    picture = torch.zeros(48, 64, 3, dtype=torch.uint8)
    picture[:, columns] = 255
    Image.fromarray(picture.numpy()).save(path)
    return path


def new(tiny_model: Path, **options: Any) -> Project:
    return Project.new("p", "film.mp4", model=tiny_model, **FAST, **options)


def test_a_mask_is_kept_with_its_content_and_found_from_anywhere(
    here: Path, tiny_model: Path, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = new(tiny_model, select_mask="mask.png")
    entry = MaskEntry("../mask.png", file_hash("mask.png"))
    assert project.record.masks == (entry,) and project.record.request.prompting.select_mask == Path("../mask.png")
    (masked,) = project.take(pipeline, seed=1)
    assert masked.mask_sha256 == entry.sha256 and masked.request.prompting.select_mask == Path("../mask.png")
    same = pipeline.generate("film.mp4", select_mask="mask.png", seed=1, **FAST).save(here / "same.flac")
    assert file_hash(same) == file_hash(project.folder / masked.file)
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    again = Project("../p").take(pipeline, seed=1)[0]
    assert again.sha256 == masked.sha256
    (here / "mask.png").rename(here / "p" / "mask.png")
    assert Project("../p").take(pipeline, seed=1)[0].sha256 == masked.sha256, "moved beside the project file"


def test_a_mask_that_is_missing_or_changed_is_an_error_and_shown(
    here: Path, tiny_model: Path, pipeline: Pipeline, capsys: pytest.CaptureFixture[str]
) -> None:
    project = new(tiny_model, select_mask="mask.png")
    before = (project.folder / FILE_NAME).read_bytes()
    assert project.show()["mask_problems"] == []
    mask(here / "mask.png", RIGHT)
    with pytest.raises(MediaError, match="mask p/../mask.png has changed since it was set; put the old one back, or"):
        project.take(pipeline)
    (here / "mask.png").unlink()
    with pytest.raises(UsageError, match=r"mask p/../mask.png is missing; .* `openfoley project set p --select-mask"):
        project.take(pipeline)
    assert main(["project", "show", "p"]) == 0
    assert "\nmask: the project's mask p/../mask.png is missing" in capsys.readouterr().out
    assert (project.folder / FILE_NAME).read_bytes() == before and not list((project.folder / "takes").iterdir())
    assert len(project.take(pipeline, select_box="0,0,0.5,1")) == 1, "a take that does not need it"
    assert project.set(steps=2).masks == project.record.masks, "nor do other settings"


def test_setting_a_mask_is_undone_and_redone_with_its_content(here: Path, tiny_model: Path, pipeline: Pipeline) -> None:
    project = new(tiny_model, select_box="0,0,0.5,1")
    first = project.set(select_mask="mask.png")
    assert first.request.prompting.select_box is None, "a mask takes the place of a box"
    old = first.masks
    mask(here / "mask.png", RIGHT)
    second = project.set(select_mask="mask.png")
    assert second.state.did == "set select_mask" and second.masks != old and second.masks[0].path == old[0].path
    assert len(project.take(pipeline)) == 1
    assert project.undo(2).masks == old
    with pytest.raises(MediaError, match="has changed since it was set"):
        project.take(pipeline)
    assert project.take(pipeline, select_mask="mask.png")[0].mask_sha256 == second.masks[0].sha256
    project.set(select_mask=None)
    assert project.record.masks == () and project.record.request.prompting.region is None
    undone = project.undo(3)
    assert undone.masks == () and undone.request.prompting.select_box == Box(0, 0, 0.5, 1)


def test_the_masks_of_cues_are_kept_too(here: Path, tiny_model: Path, pipeline: Pipeline) -> None:
    Path("cues.csv").write_text('start,end,select_mask,select_box\n0,0.5,mask.png,\n0.5,1,,"0,0,1,1@00:00:00:18"\n')
    project = new(tiny_model)
    record = project.set(cues="cues.csv")
    assert [entry.path for entry in record.masks] == ["../mask.png"] and record.state.did == "set cues"
    assert [cue.select_mask for cue in record.cues] == [Path("../mask.png"), None]
    assert record.cues[1].select_box == Box(0, 0, 1, 1, Fraction(3, 4))
    (take,) = project.take(pipeline)
    same = pipeline.generate("film.mp4", cues="cues.csv", **FAST).save(here / "same.flac")
    assert file_hash(same) == take.sha256
    with pytest.raises(UsageError, match="cues are those of the project"):
        project.take(pipeline, cues="cues.csv")
    mask(here / "mask.png", RIGHT)
    with pytest.raises(MediaError, match="has changed"):
        project.take(pipeline)
    assert project.set(cues="cues.csv").state.did == "set cues" and len(project.take(pipeline)) == 1


def test_the_time_of_a_box_is_counted_from_the_project_s_timecode(
    here: Path, tiny_model: Path, pipeline: Pipeline
) -> None:
    project = new(tiny_model, start_timecode="01:00:00:00")
    late = project.set(select_box="0,0,0.5,1@01:00:00:12").request.prompting.select_box
    assert late is not None and late.time == Fraction(1, 2)
    (take,) = project.take(pipeline, select_box="0,0,0.5,1@01:00:00:06")
    assert take.request.prompting.select_box == Box(0, 0, 0.5, 1, Fraction(1, 4))
    with pytest.raises(UsageError, match="lies outside of the video"):
        project.set(select_box="0,0,0.5,1@01:00:02:00")


def test_a_mask_is_given_by_words_and_a_wrong_one_is_one_line(
    here: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["project", "new", "p", "film.mp4", "--model", str(tiny_model), "--cuts", "none"]
    (here / "cues.csv").write_text("start,end,select_mask\n0,1,none.png\n")
    (here / "black.png").write_bytes(mask(here / "b.png", slice(0, 0)).read_bytes())
    for more, says in (
        (["--select-mask", "none.png"], "none.png does not exist"),
        (["--select-mask", "black.png"], "black.png is black throughout"),
        (["--select-mask", "mask.png", "--select-box", "0,0,1,1"], "exclude each other"),
        (["--cues", "cues.csv"], "none.png does not exist"),
    ):
        assert main([*words, *more]) == 2 and not Path("p").exists(), more
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("openfoley: error: ") and says in line, line
    assert main([*words, "--select-mask", "mask.png", "--select-mask-by", "grey"]) == 0
    before = Path("p", FILE_NAME).read_bytes()
    for more in (["--select-mask", "none.png"], ["--select-mask", "black.png"], ["--cues", "cues.csv"]):
        assert main(["project", "set", "p", *more]) == 2 and Path("p", FILE_NAME).read_bytes() == before, more
    assert main(["project", "set", "p", "--unset", "select_mask", "select_mask_by"]) == 0
    assert main(["project", "set", "p", "--select-mask", "mask.png"]) == 0
    assert Project("p").record.masks[0].path == "../mask.png"


def test_a_project_file_without_the_content_of_its_mask_is_refused_by_key(here: Path, tiny_model: Path) -> None:
    project = new(tiny_model, select_mask="mask.png")
    file = project.folder / FILE_NAME
    file.write_text(file.read_text().replace('"select_mask": "../mask.png"', '"select_mask": "other.png"'))
    with pytest.raises(UsageError, match=r"project.masks: expected an entry with path and sha256 of 'other.png'"):
        project.show()
