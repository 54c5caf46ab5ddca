"""`openfoley generate` for many files."""

import io
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openfoley.cli import main
from openfoley.cli.batch import output_names
from openfoley.cli.messages import Terminated
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline


@pytest.fixture
def folder(tmp_path: Path, make_video: Callable[..., Path]) -> Path:
    """Two videos, one file that is none, and what an earlier run made."""
    place = tmp_path / "in"
    place.mkdir()
    video = make_video(duration_s=0.5)
    for name in ("a.mp4", "b.mp4", "c.foley.mp4"):
        shutil.copy(video, place / name)
    (place / "broken.mp4").write_bytes(b"no video")
    (place / "notes.txt").write_text("nothing")
    return place


def test_a_folder_is_done_with_one_model_and_what_fails_does_not_stop_the_rest(
    folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import openfoley.pipeline as module

    loads, load = [], module.load
    monkeypatch.setattr(module, "load", lambda *given: loads.append(given) or load(*given))
    words = ["generate", str(folder), "--model", str(tiny_model), "--steps", "1", "--out-dir", str(tmp_path / "out")]
    assert main([*words, "--json"]) == 1
    summary = json.loads(capsys.readouterr().out)
    assert (summary["written"], summary["skipped"], summary["failed"]) == (2, 0, 1) and len(loads) == 1
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.foley.mp4", "b.foley.mp4"]
    assert [one["video"].endswith("broken.mp4") for one in summary["videos"] if one["state"] == "failed"] == [True]
    before = (tmp_path / "out" / "a.foley.mp4").read_bytes()
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "0 written, 2 skipped, 1 failed; failed: " in said and len(loads) == 1
    assert (tmp_path / "out" / "a.foley.mp4").read_bytes() == before


def test_all_done_is_a_success(folder: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", str(folder / "a.mp4"), str(folder / "b.mp4"), "--model", str(tiny_model), "--steps", "1"]
    assert main(words) == 0 and (folder / "a.foley.mp4").is_file() and (folder / "b.foley.mp4").is_file()
    assert main(words) == 0
    assert "0 written, 2 skipped, 0 failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["{in}", "--out", "x.wav"], "--out names one file"),
        (["{in}", "--duration", "2"], "one video at a time"),
        (["{out}"], "there is no video in"),
        (["{in}", "--steps", "0"], "steps must be a whole number from 1 to 128"),
        (["--out-dir", "{out}"], "there is no video in the command"),
        (["{in}", "--out-dir", "{in}/notes.txt"], "cannot make the folder"),
        (["{in}", "--device", "cuda:99"], "cuda:99"),
    ],
)
def test_what_makes_no_sense_for_many_is_one_line(
    folder: Path, tmp_path: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    filled = [word.format(**{"in": folder, "out": tmp_path / "empty"}) for word in words]
    assert main(["generate", *filled]) == (1 if "cannot" in says else 2)
    said = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(said) == 1 and says in said[0]


def test_outputs_of_one_name_are_kept_apart() -> None:
    def names(*videos: str, out: str | None = "/out") -> list[str]:
        return [str(n) for n in output_names([Path(v) for v in videos], None if out is None else Path(out)).values()]

    assert names("/1/a.mp4", "/1/b.mp4") == ["/out/a.foley", "/out/b.foley"]
    assert names("/1/a.mp4", "/2/a.mp4", "/2/b.mp4") == ["/out/1/a.foley", "/out/2/a.foley", "/out/b.foley"]
    assert names("/1/x/a.mp4", "/2/x/A.mp4") == ["/out/1/x/a.foley", "/out/2/x/A.foley"]
    assert names("/1/a.wmv", "/2/a.flv") == ["/out/a.wmv.foley", "/out/a.flv.foley"]
    assert names("/1/a.mp4", "/2/a.mp4", out=None) == ["/1/a.foley", "/2/a.foley"]
    assert names("/a.mp4", "/x/a.mp4")[1] == "/out/x/a.foley"


def test_videos_of_one_name_get_an_output_each(
    folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "more").mkdir()
    shutil.copy(folder / "a.mp4", tmp_path / "more")
    shutil.copy(folder / "b.mp4", tmp_path / "more" / "b.mov")
    more, out = tmp_path / "more", tmp_path / "out"
    files = [str(folder / "a.mp4"), str(folder / "b.mp4"), str(more / "a.mp4"), str(more / "b.mov")]
    words = ["generate", *files, "--out-dir", str(out), "--model", str(tiny_model), "--steps", "1"]
    assert main(words) == 0
    made = sorted(str(path.relative_to(out)) for path in out.rglob("*.*"))
    assert made == ["b.mov.foley.mov", "b.mp4.foley.mp4", "in/a.foley.mp4", "more/a.foley.mp4"]
    assert "videos of the same name: " in capsys.readouterr().err
    assert main(words) == 0 and "0 written, 4 skipped" in capsys.readouterr().err


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_an_interrupted_batch_lists_what_is_done_and_resumes(
    folder: Path,
    tiny_model: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    stop: type[BaseException],
    code: int,
) -> None:
    (folder / "broken.mp4").unlink()
    shutil.copy(folder / "a.mp4", folder / "d.mp4")
    real, calls = Pipeline.generate_takes, []

    def stopped(*given: Any, **options: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise stop
        return real(*given, **options)

    monkeypatch.setattr(Pipeline, "generate_takes", stopped)
    words = ["generate", str(folder), "--model", str(tiny_model), "--steps", "1", "--takes", "2"]
    assert main([*words, "--json"]) == code
    said = capsys.readouterr()
    assert "1 written, 0 skipped, 0 failed, 1 interrupted, 1 not started" in said.err
    assert [one["state"] for one in json.loads(said.out)["videos"]] == ["written", "interrupted", "not started"]
    assert main(words) == 0 and "2 written, 1 skipped, 0 failed" in capsys.readouterr().err


def test_an_unexpected_error_does_not_stop_the_others(
    folder: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Pipeline.generate_takes

    def failing(self: Pipeline, source: Source, *given: Any, **options: Any) -> Any:
        if source.path is not None and source.path.name == "a.mp4":
            raise RuntimeError("out of memory")
        return real(self, source, *given, **options)

    monkeypatch.setattr(Pipeline, "generate_takes", failing)
    missing = str(folder / "nowhere.mp4")
    files = [str(folder / "a.mp4"), missing, str(folder / "b.mp4")]
    assert main(["generate", *files, "--model", str(tiny_model), "--steps", "1", "--json"]) == 1
    states = [(one["state"], one["reason"]) for one in json.loads(capsys.readouterr().out)["videos"]]
    assert [state for state, _ in states] == ["failed", "failed", "written"]
    assert "unexpected RuntimeError: out of memory" in str(states[0][1]) and "does not exist" in str(states[1][1])


def test_a_name_that_is_too_long_for_an_output_fails_alone(
    folder: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "b.mp4").rename(folder / f"{'b' * 246}.mp4")
    (folder / "broken.mp4").unlink()
    assert main(["generate", str(folder), "--model", str(tiny_model), "--steps", "1"]) == 1
    said = capsys.readouterr().err
    assert "1 written, 0 skipped, 1 failed" in said and "the name is too long; give a shorter one" in said


def test_a_model_that_cannot_be_loaded_ends_the_batch(
    folder: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = shutil.copytree(tiny_model, tmp_path / "model")
    (model / "codec.safetensors").write_bytes(b"nothing")
    assert main(["generate", str(folder), "--model", str(model), "--steps", "1"]) == 1
    said = capsys.readouterr().err
    assert "0 written, 0 skipped, 1 failed, 2 not started" in said and said.count("error:") == 1


def test_a_phase_is_announced_only_if_it_lasts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.cli import messages

    def record(text: str) -> logging.LogRecord:
        return logging.LogRecord("openfoley.phase", logging.INFO, __file__, 1, text, None, None)

    phases = messages.Phases()
    phases.emit(record("quick"))
    phases.end()
    monkeypatch.setattr(messages, "ANNOUNCE_AFTER_S", 0.01)
    phases.emit(record("slow"))
    assert phases.timer is not None
    phases.timer.join(5)
    assert capsys.readouterr().err == "openfoley: slow ...\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_looking_for_cuts_shows_a_bar_with_the_time_left(
    folder: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--plan` and `project new` do nothing else for minutes, where a film is long."""
    video, model = str(folder / "a.mp4"), ["--model", str(tiny_model)]
    for command in (["generate", video, "--plan"], ["project", "new", str(tmp_path / "p"), video]):
        monkeypatch.setattr("sys.stderr", terminal := Terminal())
        assert main([*command, *model]) == 0
        bars = [line for line in terminal.getvalue().split("\r") if "looking for cuts in" in line]
        assert bars and all("% |" in bar and " left" in bar for bar in bars) and "100%" in bars[-1]
        assert terminal.getvalue().rpartition("100%")[2].count("\n") >= 1, "what follows begins on a line of its own"
