"""`openfoley project` and stems as a sound editor meets them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from openfoley.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def film(make_video: Callable[..., Path]) -> Path:
    return make_video("film.mp4", duration_s=1.5)


@pytest.fixture
def here(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(film, tmp_path / "film.mp4")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def project(*words: object) -> int:
    return main(["project", *map(str, words)])


def fails(capsys: Capture, code: int, expected: int, *says: str) -> None:
    lines = capsys.readouterr().err.splitlines()
    assert code == expected and len(lines) == 1 and lines[0].startswith("openfoley: error: "), lines
    assert all(text in lines[0] for text in says), lines


def test_a_day_at_work(here: Path, tiny_model: Path, capsys: Capture) -> None:
    model = ("--model", tiny_model, "--steps", 1)
    assert project("new", "p", "film.mp4", *model, "--start-timecode", "01:00:00:00", "--cuts", "none") == 0
    assert project("take", "p") == 0
    assert project("take", "p", "--span", "01:00:00:12", "01:00:01:00", "--takes", 2, "--prompt", "a ball") == 0
    assert "take 2: p/takes/002.flac (seed 1); not in the mix; choose it with: openfoley project choose p 2" in (
        capsys.readouterr().err
    )
    assert project("choose", "p", 3) == 0
    assert "take 3 is in the mix, over take 1\n" in capsys.readouterr().err
    assert project("lock", "p", "--span", 0.5, 1) == 0
    capsys.readouterr()
    fails(capsys, project("choose", "p", 2), 2, "01:00:00:12 to 01:00:01:00 is locked")
    assert project("unlock", "p") == 0 and project("undo", "p", "--steps", 3) == 0
    assert "undid: unlock 01:00:00:00 to 01:00:01:12, then lock 01:00:00:12 to 01:00:01:00, then choose 3\n" in (
        capsys.readouterr().err
    )
    assert project("redo", "p") == 0
    assert "redid: choose 3\n" in capsys.readouterr().err
    assert project("show", "p", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["layers"] == [1, 3] and shown["locks"] == [] and shown["video"]["start"] == "01:00:00:00"
    assert [(t["start"], t["seed"]) for t in shown["takes"]] == [
        ("01:00:00:00", 0), ("01:00:00:12", 1), ("01:00:00:12", 2),
    ]  # fmt: skip
    assert project("show", "p") == 0
    out = capsys.readouterr().out
    assert ">   3  choose 3\n    4  lock 01:00:00:12 to 01:00:01:00 (undone)\n" in out
    assert "* take   3  01:00:00:12 to 01:00:01:00  seed 2 a ball" in out
    assert project("render", "p", "--out", "mix.wav") == 0
    assert b"bext" in (here / "mix.wav").read_bytes()[:200]
    fails(capsys_cleared(capsys), project("render", "p", "--out", "mix.wav"), 2, "--force")


def test_settings_and_the_place_of_the_picture_are_changed_by_words(
    here: Path, tiny_model: Path, capsys: Capture
) -> None:
    assert project("new", "p", "film.mp4", "--model", tiny_model, "--steps", 1, "--cuts", "none") == 0
    (here / "cuts.txt").write_text("0.5\n")
    assert project("set", "p", "--prompt", "rain", "--guidance", 2, "--cuts", "cuts.txt") == 0
    assert project("set", "p", "--unset", "guidance", "prompt") == 0
    capsys.readouterr()
    fails(capsys, project("set", "p", "--unset", "colour"), 2, "'colour' is not a project setting")
    (here / "film.mp4").rename(here / "moved.mp4")
    assert project("show", "p") == 0
    out = capsys.readouterr().out
    assert "picture: the project's video" in out and "is missing" in out and "cuts (auto): 00:00:00:12\n" in out
    assert ">   2  set prompt, guidance\n" in out
    assert project("picture", "p", "moved.mp4") == 0 and project("show", "p", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["picture_problem"] is None and shown["video"]["path"] == "../moved.mp4"


def capsys_cleared(capsys: Capture) -> Capture:
    capsys.readouterr()
    return capsys


def test_bad_requests_are_one_line(here: Path, tiny_model: Path, capsys: Capture) -> None:
    fails(capsys, project("show", "none"), 2, "not a project")
    fails(capsys, project("take", "."), 2, "not a project")
    fails(capsys, project("new", "p", "none.mp4"), 2, "does not exist")
    (here / "cues.csv").write_text("start,end\n0,1\n0.5,1.2\n")
    fails(capsys, project("new", "p", "film.mp4", "--model", tiny_model, "--cues", "cues.csv"), 2, "overlaps")
    assert project("new", "p", "film.mp4", "--model", tiny_model, "--cuts", "none", "--steps", 1) == 0
    capsys.readouterr()
    fails(capsys, project("take", "p", "--span", 1, 9), 2, "not inside the video")
    fails(capsys, project("take", "p", "--span", "09:00:00:99", 1), 2, "out of range")
    fails(capsys, project("undo", "p"), 2, "0 steps to undo")
    text = (here / "p/project.json").read_text()
    (here / "p/project.json").write_text(text.replace('"steps": 1', '"steps": "many"'))
    fails(capsys, project("show", "p"), 2, "project.request.sampling.steps", "'many'")


def test_generate_writes_stems_that_add_up(here: Path, tiny_model: Path, capsys: Capture) -> None:
    (here / "cues.csv").write_text("start,end,prompt,stem\n0,1,steps,steps\n0.5,1.5,door,door\n")
    words = ["generate", "film.mp4", "--model", str(tiny_model), "--steps", "1", "--cuts", "none"]
    assert main([*words, "--cues", "cues.csv", "--stems", "--out", "mix.wav"]) == 0
    mix, *stems = (
        soundfile.read(here / name, dtype="float64")[0] for name in ("mix.wav", "mix.steps.wav", "mix.door.wav")
    )
    assert np.array_equal(mix, sum(stems)) and mix.any()
    assert not stems[0][44200:].any() and not stems[1][:22000].any()
    capsys.readouterr()
    fails(capsys, main([*words, "--stems", "--out", "x.wav"]), 2, "stems need a cue sheet")
    assert not (here / "x.wav").exists()
