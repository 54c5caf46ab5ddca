"""`openfoley edit` and `extend`, and what generate says of cuts, plans and references, as a user meets them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from openfoley.cli import main

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def source(make_video: Callable[..., Path]) -> Path:
    return make_video("clip.mp4", duration_s=2.0, sound=True)


@pytest.fixture
def here(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(source, tmp_path / "clip.mp4")
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, (44100, 2))
    soundfile.write(tmp_path / "short.wav", noise, 44100)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(tiny_model: Path) -> Callable[..., int]:
    return lambda verb, *words: main([verb, "--model", str(tiny_model), "--steps", "1", *map(str, words)])


def says(capsys: Capture, code: int, *texts: str) -> None:
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert code == 2 and len(lines) == 1 and lines[0].startswith("openfoley: error: "), captured.err
    for text in texts:
        assert text in lines[0], lines[0]


def kill_at_the_second_save(patch: pytest.MonkeyPatch) -> None:
    from openfoley.synthesis.take import Take

    saved, real_save = [], Take.save

    def save(self: Take, *arguments: Any, **settings: Any) -> Path:
        if saved:
            raise KeyboardInterrupt
        saved.append(1)
        return real_save(self, *arguments, **settings)

    patch.setattr(Take, "save", save)


def test_an_edit_takes_seconds_or_timecode_and_reports_what_it_did(
    run: Callable[..., int], here: Path, capsys: Capture
) -> None:
    assert run("edit", "clip.mp4", "--span", "00:00:00:12", "1.5", "--seed", 4, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["path"] == "clip.edit.mov" and result["span"] == [0.5, 1.5] and result["bit_depth"] == "32f"
    assert sorted(p.name for p in here.iterdir()) == ["clip.edit.mov", "clip.mp4", "short.wav"]


def test_extend_writes_beside_the_sound(run: Callable[..., int], here: Path) -> None:
    assert run("extend", "clip.mp4", "--sound", "short.wav") == 0
    before, after = (soundfile.read(name)[0] for name in ("short.wav", "short.extend.wav"))
    assert len(after) == 88200 and (after[:43600] == before[:43600]).all()


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["edit", "clip.mp4", "--span", "1", "3"], ["2.000 s"]),
        (["edit", "clip.mp4", "--span", "x", "3"], ["timecode"]),
        (["edit", "clip.mp4", "--span", "0.5", "1", "--out", "o.mp4"], ["loss"]),
        (["edit", "clip.mp4", "--span", "0.5", "1", "--sound", "none.wav"], ["none.wav", "does not exist"]),
        (["edit", "clip.mp4", "--span", "0.5", "1", "--audio-stream", "4"], ["number 4"]),
        (["extend", "clip.mp4"], ["nothing to extend"]),
        (["generate", "clip.mp4", "--cuts", "sometimes"], ["auto, carry, reset, none"]),
        (["generate", "clip.mp4", "--cuts", "bad.txt"], ["bad.txt line 2", "carry"]),
        (["generate", "clip.mp4", "--reference", "none.wav"], ["none.wav"]),
        (["generate", "clip.mp4", "--reference-span", "0", "1"], ["a reference, which is missing; pass reference too"]),
        (["generate", "clip.mp4", "--nudge", "1e9"], ["nudge"]),
        (["generate", "clip.mp4", "--context", "6"], ["half of the window"]),
    ],
)
def test_wrong_requests_are_one_line_and_leave_nothing(
    run: Callable[..., int], here: Path, capsys: Capture, words: list[str], texts: list[str]
) -> None:
    (here / "bad.txt").write_text("0.5\n1.0 perhaps\n")
    before = sorted(p.name for p in here.iterdir())
    if "--context" in words:
        words = [*words, "--window", "10"]
    says(capsys, run(*words), *texts)
    assert sorted(p.name for p in here.iterdir()) == before


def test_the_plan_is_printed_and_nothing_is_made(run: Callable[..., int], here: Path, capsys: Capture) -> None:
    (here / "cuts.txt").write_text("# reel 1\n0.5\n00:00:01:06 carry\n")
    assert run("generate", "clip.mp4", "--cuts", "cuts.txt", "--plan") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4 and "reset" in lines[2] and "carry" in lines[3]
    assert not (here / "clip.foley.mp4").exists()
    (here / "clip.foley.mp4").write_text("mine")  # nothing is written, so nothing is in the way
    assert run("generate", "clip.mp4", "--plan", "--reference", "short.wav", "--json") == 0
    (plan,) = json.loads(capsys.readouterr().out)["plans"]
    assert plan["stem"] is None and len(plan["table"].splitlines()) == 2
    assert plan["files"] == ["clip.foley.mp4"]
    (here / "cues.csv").write_text("start,end,stem\n0,1,wind\n0.5,2,door\n1,2,\n")
    assert run("generate", "clip.mp4", "--plan", "--cues", "cues.csv") == 0
    printed = capsys.readouterr().out
    assert printed.count("window ") == 3 and "stem wind\n" in printed and "stem door\n" in printed
    assert run("generate", "clip.mp4", "--plan", "--cues", "cues.csv", "--stems") == 0
    printed = capsys.readouterr().out
    assert all(f"stem {name}: clip.foley.{name}.wav\n" in printed for name in ("wind", "door", "rest"))
    assert (here / "clip.foley.mp4").read_text() == "mine"


def test_a_plan_states_how_much_room_a_reference_takes(run: Callable[..., int], here: Path, capsys: Capture) -> None:
    tables = []
    for words in ((), ("--reference", "short.wav")):
        assert run("generate", "clip.mp4", "--plan", "--window", "1.5", "--context", "0.2", *words) == 0
        tables.append(len(capsys.readouterr().out.splitlines()))
    assert tables[1] > tables[0]


def test_nudge_moves_the_sound(run: Callable[..., int], here: Path) -> None:
    for name, nudge in (("a.wav", 0), ("b.wav", 100), ("c.wav", -100)):
        assert run("generate", "clip.mp4", "--out", name, "--nudge", nudge, "--bit-depth", "32f") == 0
    plain, later, earlier = (soundfile.read(name)[0] for name in ("a.wav", "b.wav", "c.wav"))
    assert len(plain) == len(later) == len(earlier)
    assert (later[4410:] == plain[:-4410]).all() and not later[:4410].any()
    assert (earlier[:-4410] == plain[4410:]).all() and not earlier[-4410:].any()


def test_a_long_sound_that_was_killed_resumes_with_the_same_command(
    run: Callable[..., int], here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.synthesis import windows as engine

    words = ("generate", "clip.mp4", "--window", "0.8", "--context", "0.2", "--takes", 2, "--out", "o.wav")
    assert run(*words) == 0
    wanted = [(here / f"o.take0{n}.wav").read_bytes() for n in (1, 2)]
    for n in (1, 2):
        (here / f"o.take0{n}.wav").unlink()
    real, calls = engine.sample_latents, []

    def killed(*arguments: object, **settings: object) -> object:
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*arguments, **settings)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(engine, "sample_latents", killed)
        assert run(*words) == 130
    assert "run the same command again" in capsys.readouterr().err
    with monkeypatch.context() as patch:
        kill_at_the_second_save(patch)
        assert run(*words) == 130
    (here / ".o.take01.wav.openfoley-work" / ".0123.partial.wav").write_text("torn")  # as kill -9 leaves it
    assert (here / "o.take01.wav").exists() and not (here / "o.take02.wav").exists()
    assert run(*words) == 0
    assert [(here / f"o.take0{n}.wav").read_bytes() for n in (1, 2)] == wanted
    assert sorted(p.name for p in here.iterdir()) == ["clip.mp4", "o.take01.wav", "o.take02.wav", "short.wav"]


def test_a_kill_while_clearing_away_leaves_a_finished_command(
    run: Callable[..., int], here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.synthesis import resume as work

    words = ("generate", "clip.mp4", "--window", "0.8", "--context", "0.2", "--out", "o.wav")

    def killed(folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(work, "discard", killed)
        assert run(*words) == 130
    wanted = (here / "o.wav").read_bytes()
    capsys.readouterr()
    assert run(*words) == 0
    assert "already written" in capsys.readouterr().err and (here / "o.wav").read_bytes() == wanted
    assert sorted(p.name for p in here.iterdir()) == ["clip.mp4", "o.wav", "short.wav"]


@pytest.mark.parametrize("verb", ["generate", "edit"])
def test_a_kill_while_an_old_output_is_replaced_does_not_keep_the_old_one(
    verb: str, run: Callable[..., int], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.synthesis.take import Take

    words = (verb, "clip.mp4", "--window", "0.8", "--context", "0.2", "--out", "o.wav", "--force")
    words = (*words, "--span", "0.2", "1.9") if verb == "edit" else words
    assert run(*words) == 0
    wanted = (here / "o.wav").read_bytes()
    (here / "o.wav").write_bytes(b"old")

    def killed(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Take, "save", killed)
        assert run(*words) == 130
    assert run(*words) == 0
    assert (here / "o.wav").read_bytes() == wanted
    assert sorted(p.name for p in here.iterdir()) == ["clip.mp4", "o.wav", "short.wav"]


def test_takes_of_an_older_cue_sheet_are_not_kept(
    run: Callable[..., int], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sheet(prompt: str) -> None:
        (here / "cues.csv").write_text(f"start,end,prompt\n0,2,{prompt}\n")

    words = ("generate", "clip.mp4", "--window", "0.8", "--context", "0.2", "--takes", 2, "--out", "o.wav")
    words = (*words, "--cues", "cues.csv", "--force")
    sheet("a wooden door")
    assert run(*words) == 0
    wanted = [(here / f"o.take0{n}.wav").read_bytes() for n in (1, 2)]
    sheet("steel rain on glass")
    with monkeypatch.context() as patch:
        kill_at_the_second_save(patch)
        assert run(*words) == 130
    assert (here / "o.take01.wav").read_bytes() != wanted[0]
    sheet("a wooden door")
    assert run(*words) == 0
    assert [(here / f"o.take0{n}.wav").read_bytes() for n in (1, 2)] == wanted


def test_what_an_earlier_command_left_for_the_same_output_is_cleared_away(
    run: Callable[..., int], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from openfoley.synthesis.take import Take

    def killed(*_: object, **__: object) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Take, "save", killed)
        assert run("generate", "clip.mp4", "--window", "0.8", "--context", "0.2", "--out", "o.wav") == 130
    assert (here / ".o.wav.openfoley-work").exists()
    assert run("generate", "clip.mp4", "--out", "o.wav") == 0  # one window: it needs no work folder
    assert sorted(p.name for p in here.iterdir()) == ["clip.mp4", "o.wav", "short.wav"]
