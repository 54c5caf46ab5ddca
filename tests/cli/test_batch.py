"""`openfoley generate` for many files."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from openfoley.cli import main


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
        (["{in}/a.mp4", "{out}/../more/a.mp4", "--out-dir", "{out}"], "two videos would be written to"),
    ],
)
def test_what_makes_no_sense_for_many_is_one_line(
    folder: Path, tmp_path: Path, words: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "more").mkdir()
    shutil.copy(folder / "a.mp4", tmp_path / "more" / "a.mp4")
    filled = [word.format(**{"in": folder, "out": tmp_path / "empty"}) for word in words]
    assert main(["generate", *filled]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1 and says in said[0]


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
