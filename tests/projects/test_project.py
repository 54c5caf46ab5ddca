"""A project with a tiny model: takes, spans, stems, locks, and the same bytes every time."""

import errno
import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from openfoley.errors import MediaError, OutputError, UsageError, WeightsError
from openfoley.pipeline import Pipeline, load
from openfoley.projects.picture import picture_of
from openfoley.projects.project import Project
from openfoley.projects.record import FILE_NAME, PREVIOUS_NAME
from openfoley.request import Cue, Defaults
from openfoley.synthesis.take import Take


@pytest.fixture(scope="module")
def pipeline(tiny_model: Path) -> Pipeline:
    return load(tiny_model)


@pytest.fixture(scope="module")
def begun(tiny_model: Path, pipeline: Pipeline, make_video: Callable[..., Path], tmp_path_factory) -> Path:
    """A project with one whole take, to be copied."""
    folder = tmp_path_factory.mktemp("projects")
    shutil.copy(make_video("film.mp4", duration_s=2.0), folder / "film.mp4")
    project = Project.new(folder / "film.foley", folder / "film.mp4", model=tiny_model, steps=1, cuts="none")
    project.take(pipeline)
    return folder


@pytest.fixture
def project(begun: Path, tmp_path: Path) -> Project:
    shutil.copytree(begun, tmp_path / "copy")
    folder = tmp_path / "copy" / "film.foley"
    text = (folder / FILE_NAME).read_text()
    (folder / FILE_NAME).write_text(text.replace(str(begun / "film.mp4"), str(tmp_path / "copy" / "film.mp4")))
    return Project(folder)


@pytest.fixture
def stems(begun: Path, tiny_model: Path, tmp_path: Path) -> Project:
    """A project whose cue sheet names two stems."""
    sheet = tmp_path / "cues.csv"
    sheet.write_text("start,end,prompt,stem\n0,1,steps,steps\n0.5,2,a door,door\n")
    return Project.new(tmp_path / "p", begun / "film.mp4", model=tiny_model, steps=1, cuts="none", cues=sheet)


def sound(path: Path) -> np.ndarray:
    return soundfile.read(path, dtype="int32", always_2d=True)[0] >> 8


def rendered(project: Project, name: str = "out.wav", **options) -> np.ndarray:
    (path, *_) = project.render(project.folder / name, force=True, **options)
    return sound(path)


def test_the_first_take_is_in_the_mix_and_renders_unchanged(project: Project) -> None:
    (take,) = project.record.takes
    assert project.record.state.layers == (1,)
    assert np.array_equal(rendered(project), sound(project.folder / take.file))


def test_rendering_twice_gives_the_same_bytes(project: Project) -> None:
    for name in ("a.wav", "a.flac", "a.mkv"):
        (first,) = project.render(project.folder / name)
        (again,) = project.render(project.folder / f"again-{name}")
        assert first.read_bytes() == again.read_bytes()


def test_the_same_settings_make_the_same_take(project: Project, pipeline: Pipeline) -> None:
    (take,) = project.take(pipeline, seed=0)
    assert (project.folder / take.file).read_bytes() == (project.folder / "takes/001.flac").read_bytes()
    assert project.record.state.layers == (1,)  # a further take of the same span sounds only when chosen


def test_a_span_changes_nothing_outside_itself_and_undo_brings_all_back(project: Project, pipeline: Pipeline) -> None:
    before = rendered(project)
    takes = project.take(pipeline, span=(0.5, 1.25), takes=2, steps=2, choose=True)
    after = rendered(project)
    first, last = round(0.5 * 44100), round(1.25 * 44100)
    assert project.record.state.layers == (1, takes[0].number)
    assert np.array_equal(before[:first], after[:first]) and np.array_equal(before[last:], after[last:])
    assert (before[first + 500 : last - 500] != after[first + 500 : last - 500]).mean() > 0.9
    project.choose(takes[1].number)
    assert project.record.state.layers == (1, takes[1].number)
    second = rendered(project)
    assert not np.array_equal(second, after) and np.array_equal(before[:first], second[:first])
    project.undo(2)
    assert np.array_equal(rendered(project), before)
    project.redo()
    assert np.array_equal(rendered(project), after)


def test_a_new_take_decodes_no_frame_and_runs_no_encoder(
    project: Project, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    import openfoley.media.source as source
    import openfoley.synthesis.feature_store as store
    from openfoley.encoders.streams import GroupStream
    from openfoley.encoders.sync import SyncEncoder

    counted = []

    def count(name: str, real=None):
        def called(*arguments, **options):
            counted.append(name)
            return real(*arguments, **options) if real else None

        return called

    for module, name in ((source, "picked_frames"), (store, "encoded_pictures")):
        monkeypatch.setattr(module, name, count(name, getattr(module, name)))
    monkeypatch.setattr(GroupStream, "push", count("semantic"))
    monkeypatch.setattr(SyncEncoder, "stream", count("sync"))
    monkeypatch.setattr(SyncEncoder, "encode", count("sync"))
    project.take(pipeline, seed=9, prompt="a ball", steps=2, guidance=2.0)
    project.take(pipeline, span=(1, 1.5), seed=3, prompt="rain")
    assert counted == []


def test_a_temperature_is_the_project_s_or_the_take_s_and_is_written_down(project: Project, pipeline: Pipeline) -> None:
    usual, cold, free = (
        project.take(pipeline, seed=0, steps=4, temperature=temperature)[0] for temperature in (None, 0.0, 1.0)
    )
    assert [take.request.sampling.temperature for take in project.record.takes[1:]] == [None, 0.0, 1.0]
    assert len({take.sha256 for take in (usual, cold, free)}) == 3
    for wrong in (-0.1, 1.1):
        with pytest.raises(UsageError, match="temperature must be from 0 to 1"):
            project.take(pipeline, temperature=wrong)


def test_a_project_that_knows_no_temperature_is_read(project: Project, pipeline: Pipeline) -> None:
    assert "temperature" not in (project.folder / FILE_NAME).read_text()
    assert project.record.request.sampling.temperature is None
    (take,) = project.take(pipeline, seed=0)
    assert (project.folder / take.file).read_bytes() == (project.folder / "takes/001.flac").read_bytes()


def test_a_project_of_format_1_makes_the_same_take(project: Project, pipeline: Pipeline) -> None:
    """The file as commit 4b6046d would have written it; its settings had no temperature at first."""
    file, first = project.folder / FILE_NAME, project.record.takes[0]
    data = json.loads(file.read_text())
    del data["request"], data["masks"]
    settings = {"prompt": None, "negative_prompt": None, "steps": 1, "guidance": 4.0, "seed": 0, "cuts": "none"}
    take = {"number": 1, "file": first.file, "sha256": first.sha256, "start": "0", "end": "2"}
    take |= {"seed": 0, "steps": 1, "guidance": 4.0, "prompt": None, "reference": None, "made_over": []}
    old = json.dumps({**data, "format": 1, "settings": settings, "cues": [], "takes": [take]}, indent=1)
    file.write_text(old)
    assert project.record.request.sampling.guidance == pipeline.model.generator.defaults.guidance
    (again,) = project.take(pipeline, seed=0)
    assert (project.folder / again.file).read_bytes() == (project.folder / first.file).read_bytes()
    assert (project.folder / PREVIOUS_NAME).read_text() == old and json.loads(file.read_text())["format"] == 2


def test_takes_of_a_span_differ_inside_a_cue_with_a_seed(project: Project, pipeline: Pipeline) -> None:
    file = project.folder / FILE_NAME
    data = json.loads(file.read_text())
    data["request"]["timeline"]["cues"] = [{"start": "0", "end": "2", "prompt": "steel", "seed": 7}]
    file.write_text(json.dumps(data))
    one, other = project.take(pipeline, span=(0.5, 1.25), takes=2)
    assert one.sha256 != other.sha256


def test_a_locked_span_is_not_changed(project: Project, pipeline: Pipeline) -> None:
    project.lock((1.0, 1.5))
    before = (project.folder / FILE_NAME).read_bytes()
    for span in (None, (0.9, 1.1), (1.4, 2.0)):
        with pytest.raises(UsageError, match="is locked"):
            project.take(pipeline, span=span)
    assert (project.folder / FILE_NAME).read_bytes() == before
    project.take(pipeline, span=(0.25, 0.75))
    project.unlock()
    project.take(pipeline, span=(1.0, 1.5))
    assert len(project.record.takes) == 3


@pytest.mark.parametrize("span", [(1.5, 1.0), (-1, 1), (1.0, 2.5), (1.0, 1.0)])
def test_spans_outside_the_video_are_refused(project: Project, pipeline: Pipeline, span) -> None:
    with pytest.raises(UsageError, match="not inside the video"):
        project.take(pipeline, span=span)


def test_without_its_picture_a_project_still_renders_sound_and_says_what_is_missing(
    project: Project, pipeline: Pipeline
) -> None:
    video, before = picture_of(project.folder, project.record).path, rendered(project)
    data = video.read_bytes()
    for error, says, change in (
        (MediaError, "has changed", lambda: video.write_bytes(data + b"\0")),
        (UsageError, "is missing", video.unlink),
    ):
        change()
        for verb in (lambda: project.take(pipeline), lambda: project.render(project.folder / "x.mkv")):
            with pytest.raises(error, match=f"{says}.*openfoley project picture"):
                verb()
        assert says in project.show()["picture_problem"]
        assert np.array_equal(rendered(project), before)
    video.write_bytes(data)
    assert project.show()["picture_problem"] is None


def test_a_moved_picture_is_found_again_by_its_hash(
    project: Project, pipeline: Pipeline, make_video: Callable[..., Path], tmp_path: Path
) -> None:
    video = picture_of(project.folder, project.record).path
    moved = video.rename(tmp_path / "elsewhere.mp4")
    with pytest.raises(UsageError, match="does not exist"):
        project.picture(video)
    shorter, regraded = make_video("short.mp4", duration_s=1.0), tmp_path / "regraded.mp4"
    regraded.write_bytes(moved.read_bytes() + b"\0\0\0\x08free")
    for other in (shorter, regraded):
        with pytest.raises(UsageError, match="sha256 differs"):
            project.picture(other)
    history = project.picture(moved).history
    assert Path(project.record.video.path) == moved and len(history) == 2
    project.take(pipeline)
    with pytest.raises(UsageError, match="lasts 1.000 s at 24 .*2.000 s"):
        project.picture(shorter, changed=True)
    project.picture(regraded, changed=True)
    assert picture_of(project.folder, project.record).path == regraded and len(project.take(pipeline)) == 1


def test_settings_cuts_and_cues_can_be_changed_and_undone(project: Project, pipeline: Pipeline, tmp_path: Path) -> None:
    first = project.record
    sheet, cuts = tmp_path / "cues.csv", tmp_path / "cuts.txt"
    sheet.write_text("start,end,prompt,stem\n0,1,steps,steps\n")
    cuts.write_text("0.5\n1.5\n")
    changed = project.set(prompt="rain", steps=2, cues=sheet, cuts=cuts)
    assert changed.request.prompting.prompt == "rain" and changed.request.sampling.steps == 2
    assert [cue.stem for cue in changed.cues] == ["steps"] and changed.takes == first.takes
    assert [cut.time for cut in changed.cuts] == [Fraction(1, 2), Fraction(3, 2)]
    assert changed.state.did == "set prompt, steps, cuts, cues" or changed.state.did == "set prompt, steps, cues, cuts"
    (take,) = project.take(pipeline, stem="steps")
    assert take.request.prompting.prompt == "rain" and take.request.sampling.steps == 2
    undone = project.undo(2)
    assert (undone.request, undone.cuts) == (first.request, first.cuts)
    assert project.redo(2).request == changed.request and project.record.cuts == changed.cuts
    again = project.set(prompt=None, steps=None, cues=None, cuts="none")
    assert again.request.prompting.prompt is None and again.cues == again.cuts == ()
    assert again.request.sampling.steps == pipeline.model.generator.defaults.steps
    assert project.set(prompt=None) == again, "what is so already is no step"


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"span": (0, 1)}, "'span' is not a project setting; settings: prompt"),
        ({"steps": 0}, "steps must be"),
        ({"cuts": "often"}, "often"),
        ({"cues": (Cue(Fraction(0), Fraction(9)),)}, "number 1: .* ends after the video"),
    ],
)
def test_settings_that_cannot_be_are_refused_and_change_nothing(
    project: Project, asked: dict[str, Any], says: str
) -> None:
    before = (project.folder / FILE_NAME).read_bytes()
    with pytest.raises(UsageError, match=says):
        project.set(**asked)
    assert (project.folder / FILE_NAME).read_bytes() == before


def test_a_changed_take_or_model_is_an_error(project: Project, pipeline: Pipeline) -> None:
    path = project.folder / "takes/001.flac"
    data = path.read_bytes()
    path.write_bytes(data[:-1])
    with pytest.raises(MediaError, match="take 1.*has changed"):
        project.render(project.folder / "x.wav")
    path.unlink()
    with pytest.raises(MediaError, match="take 1.*missing"):
        project.render(project.folder / "x.wav")
    text = (project.folder / FILE_NAME).read_text()
    (project.folder / FILE_NAME).write_text(text.replace(project.record.model.sha256, "0" * 64))
    with pytest.raises(WeightsError, match="other weights"):
        project.take(pipeline)


def test_a_disk_that_fills_up_loses_nothing(
    project: Project, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.media.write.sound_file import AudioWriter

    before = (project.folder / FILE_NAME).read_bytes()

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(AudioWriter, "write", full)
        with pytest.raises(OutputError, match="disk is full"):
            project.take(pipeline, seed=5)
    assert (project.folder / FILE_NAME).read_bytes() == before
    assert sorted(p.name for p in (project.folder / "takes").iterdir()) == ["001.flac"]
    project.take(pipeline, seed=5)


class Full:
    """A disk that is full from some take's file on."""

    def __init__(self, patch: pytest.MonkeyPatch, takes: int, error: BaseException) -> None:
        real, self.left, self.error = Take.save, takes, error

        def save(take: Take, *arguments: Any, **options: Any) -> Path:
            if not self.left:
                raise self.error
            self.left -= 1
            return real(take, *arguments, **options)

        patch.setattr(Take, "save", save)


def test_takes_that_were_finished_before_the_disk_filled_are_kept(
    project: Project, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = (project.folder / FILE_NAME).read_bytes()
    with monkeypatch.context() as patch, pytest.raises(OutputError, match="disk is full"):
        Full(patch, 2, OSError(errno.ENOSPC, "No space left on device"))
        project.take(pipeline, takes=4, seed=5)
    assert said(caplog) == [
        "takes 2, 3 are kept in the project; to make the rest, run it again with --seed 7 --takes 2"
    ]
    record = project.record
    assert [(take.number, take.seed) for take in record.takes] == [(1, 0), (2, 5), (3, 6)]
    assert [state.did for state in record.history] == ["new", "take 1", "take 2, 3"]
    assert (project.folder / PREVIOUS_NAME).read_bytes() == before
    project.undo()
    assert project.record.takes == record.takes and not project.record.state.did.startswith("take 2")
    (last, _) = project.take(pipeline, takes=2, seed=7)
    assert last.number == 4 and len(project.record.takes) == 5


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said, but for the phases of the work."""
    return [record.getMessage() for record in caplog.records if record.name != "openfoley.phase"]


def test_an_interrupted_stem_says_what_is_kept_and_how_to_make_the_rest(
    stems: Project, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        Full(patch, 1, KeyboardInterrupt())
        stems.take(pipeline)
    (message,) = said(caplog)
    assert message.startswith("take 1 is kept in the project; the finished windows of the next take are kept in ")
    assert message.endswith("; to make the rest, run it again with --stem door --seed 0")
    assert [take.stem for take in stems.record.takes] == ["steps"] and stems.record.state.layers == (1,)
    stems.take(pipeline, stem="door", seed=0)
    assert stems.record.state.layers == (1, 2)


def test_windows_that_were_finished_before_an_interruption_are_reported_as_kept(
    project: Project, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: dict[str, Any] = {"window": 1.2, "context": 0.3}

    def stop(done: float, _total: float) -> None:
        if done > 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project.take(pipeline, progress=stop, **asked)
    (message,) = said(caplog)
    assert "finished windows of the next take are kept in" in message and message.endswith("run it again with --seed 1")
    (take,) = project.take(pipeline, **asked)
    (again,) = project.take(pipeline, seed=1, **asked)
    assert take.sha256 == again.sha256 and not (project.folder / ".work" / "rest").exists()


def test_how_windows_are_joined_is_a_setting_of_the_project(project: Project, pipeline: Pipeline) -> None:
    project.set(window=1.2, context=0.3)
    (faded,) = project.take(pipeline)
    (hard,) = project.take(pipeline, seed=0, join="hard")
    assert project.set(join="swap", overlap=0.1).state.did == "set join, overlap"
    assert project.set(join="hard", overlap=None).request.timeline.overlap is None
    (again,) = project.take(pipeline, seed=0)
    assert again.sha256 == hard.sha256 != faded.sha256


def test_a_mistyped_stem_is_reported_with_the_existing_ones(stems: Project, pipeline: Pipeline) -> None:
    with pytest.raises(UsageError, match="the project has no stem 'dor'; its stems: steps, door$"):
        stems.take(pipeline, stem="dor")
    stems.take(pipeline)
    with pytest.raises(UsageError, match="stem 'dor' has no sound around the span; stems that have: steps, door$"):
        stems.take(pipeline, stem="dor", span=(0.5, 1))
    with pytest.raises(UsageError, match="several stems there; choose one with --stem: steps, door$"):
        stems.take(pipeline, span=(0.5, 1))


def test_without_a_cue_sheet_any_stem_can_begin_and_the_unnamed_one_is_rest(
    project: Project, pipeline: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "openfoley.projects")
    (wind,) = project.take(pipeline, stem="wind")
    assert not said(caplog) and wind.stem == "wind" and project.record.state.layers == (1, 2)
    project.take(pipeline, stem="wnid")
    assert said(caplog) == ["'wnid' is a new stem beside rest, wind"]
    (rest,) = project.take(pipeline, stem="rest", span=(0.5, 1))
    assert rest.stem is None


def test_a_take_over_sound_is_silent_until_it_is_chosen(project: Project, pipeline: Pipeline) -> None:
    project.take(pipeline, span=(0.5, 1.25), choose=True)
    before = rendered(project)
    project.take(pipeline, span=(0.75, 1.5))
    project.take(pipeline)
    assert project.record.state.layers == (1, 2) and np.array_equal(rendered(project), before)
    project.choose(3)
    assert project.record.state.layers == (1, 2, 3) and not np.array_equal(rendered(project), before)


def test_stems_add_up_to_the_mix_bit_for_bit(begun: Path, tiny_model: Path, pipeline: Pipeline, tmp_path: Path) -> None:
    sheet = tmp_path / "cues.csv"
    sheet.write_text("start,end,prompt,stem\n0,1,steps,steps\n0.5,2,a door,door\n1.25,1.5,more,steps\n")
    project = Project.new(tmp_path / "p", begun / "film.mp4", model=tiny_model, steps=1, cuts="none", cues=sheet)
    takes = project.take(pipeline)
    assert [take.stem for take in takes] == ["steps", "door"] and project.record.state.layers == (1, 2)
    for bit_depth, rate in (("24", None), ("16", 48000), ("32f", None)):
        name = f"mix{bit_depth}.wav"
        paths = project.render(tmp_path / name, stems=True, bit_depth=bit_depth, sample_rate=rate)
        assert [p.name for p in paths] == [name, f"mix{bit_depth}.steps.wav", f"mix{bit_depth}.door.wav"]
        mix, *stems = (soundfile.read(path, dtype="float64", always_2d=True)[0] for path in paths)
        assert np.array_equal(mix, sum(stems)) and np.abs(mix).max() > 0
        assert np.abs(mix).max() <= 10 ** (-1 / 20)
    steps = soundfile.read(paths[1], always_2d=True)[0]
    outside = np.r_[round(1.001 * 44100) : round(1.249 * 44100), round(1.501 * 44100) : len(steps)]
    assert not steps[outside].any() and steps[: 44100 // 2].any()


def test_a_stem_called_rest_stands_beside_the_one_without_a_name(
    begun: Path, tiny_model: Path, pipeline: Pipeline, tmp_path: Path
) -> None:
    sheet = tmp_path / "cues.csv"
    sheet.write_text("start,end,prompt,stem\n0,1,wind,rest\n1,2,a door,\n")
    project = Project.new(tmp_path / "p", begun / "film.mp4", model=tiny_model, steps=1, cuts="none", cues=sheet)
    assert [take.stem for take in project.take(pipeline)] == ["rest", None]
    paths = project.render(tmp_path / "mix.wav", stems=True)
    assert [p.name for p in paths] == ["mix.wav", "mix.rest.wav", "mix.rest2.wav"]
    mix, wind, door = (soundfile.read(path, dtype="float64", always_2d=True)[0] for path in paths)
    assert np.array_equal(mix, wind + door) and wind[:40000].any() and door[48000:].any()


@pytest.mark.parametrize("stem", ["a/b", "../../x", "", "."])
def test_a_stem_that_cannot_be_a_file_s_name_is_refused(project: Project, pipeline: Pipeline, stem: str) -> None:
    with pytest.raises(UsageError, match="cannot be part of a file name"):
        project.take(pipeline, stem=stem)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"reference_span": (0.0, 1.0)}, "a reference, which is missing"),
        ({"reference_span": (float("nan"), 1.0), "reference": __file__}, "two times in seconds"),
    ],
)
def test_a_reference_span_that_is_invalid_is_reported(
    project: Project, pipeline: Pipeline, asked: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        project.take(pipeline, **asked)


def test_settings_that_are_not_asked_are_the_usual_ones_of_the_model(
    begun: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.projects import making as module

    monkeypatch.setattr(module, "sampling_of", lambda _: (Defaults(25, 4.5), frozenset()))
    request = Project.new(tmp_path / "p", begun / "film.mp4", model=tiny_model, cuts="none").record.request
    assert (request.sampling.steps, request.sampling.guidance) == (25, 4.5)


def test_missing_and_existing_files_are_reported(project: Project, tiny_model: Path, begun: Path, tmp_path) -> None:
    with pytest.raises(UsageError, match="is already a project"):
        Project.new(project.folder, begun / "film.mp4", model=tiny_model)
    with pytest.raises(UsageError, match="not a project"):
        Project(tmp_path)
    fresh = Project.new(tmp_path / "fresh", begun / "film.mp4", model=tiny_model, cuts="none")
    with pytest.raises(UsageError, match="no sound yet"):
        fresh.render(tmp_path / "x.wav")
    with pytest.raises(UsageError, match="whole video first"):
        fresh.take(load(tiny_model), span=(0.5, 1))


def test_start_timecode_is_kept_and_shown(begun: Path, tiny_model: Path, tmp_path: Path) -> None:
    project = Project.new(
        tmp_path / "p", begun / "film.mp4", model=tiny_model, cuts="none", start_timecode="10:00:00:00"
    )
    project.lock((Fraction(1), Fraction(3, 2)))
    shown = project.show()
    assert shown["video"]["start"] == "10:00:00:00"
    assert (shown["locks"][0]["start"], shown["locks"][0]["end"]) == ("10:00:01:00", "10:00:01:12")


def test_a_reference_is_written_down_with_its_hash(project: Project, pipeline: Pipeline, tmp_path: Path) -> None:
    tone = np.sin(np.arange(44100) * 0.05)[:, None].repeat(2, 1) * 0.3
    soundfile.write(tmp_path / "tone.wav", tone, 44100)
    (take,) = project.take(pipeline, reference=tmp_path / "tone.wav", reference_span=(0.25, 0.75), seed=0)
    prompting = take.request.prompting
    assert prompting.reference == tmp_path / "tone.wav" and prompting.reference_span == (Fraction(1, 4), Fraction(3, 4))
    assert take.reference_sha256 is not None and len(take.reference_sha256) == 64
    assert project.record.take(take.number) == take
    assert (project.folder / take.file).read_bytes() != (project.folder / "takes/001.flac").read_bytes()
    with pytest.raises(UsageError, match="does not exist"):
        project.take(pipeline, reference=tmp_path / "none.wav")
