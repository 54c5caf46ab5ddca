"""--select-all: a stem for each name from one pass over the picture, their sum as the mix, apart from each other."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from openfoley.cli import main
from openfoley.cli.messages import Terminated
from openfoley.encoders.selective_synchformer import SelectiveSynchformer
from openfoley.errors import UsageError
from openfoley.pipeline import Pipeline
from openfoley.request import Cue, Request
from openfoley.synthesis.report import Report
from openfoley.synthesis.selected_stems import file_word, split_names, stem_promptings
from openfoley.synthesis.stems import save_stems
from openfoley.synthesis.take import Take

NAMES = ["ball", "door", "a wooden floor"]
FAST = {"steps": 2, "guidance": 2.0, "cuts": "none"}


def test_the_trunk_is_computed_once_and_without_apart_each_stem_is_that_of_a_single_run(
    selva: Pipeline, film: Path, trunk_calls: list[int]
) -> None:
    assert len(selva.plan(film, cuts="none")) > 1
    stems = selva.select_all(film, NAMES, [0, 3], apart=False, **FAST)
    assert sum(trunk_calls) == 13, "segments of 4.48 s"
    for name in NAMES:
        for take, seed in zip(stems[name], (0, 3), strict=True):
            alone = selva.generate(film, select=name, seed=seed, **FAST)
            assert torch.equal(take.audio.samples, alone.audio.samples)
            assert take.request == alone.request
    assert sum(trunk_calls) == 7 * 13


def test_apart_each_stem_moves_away_from_the_others(selva: Pipeline, film: Path, trunk_calls: list[int]) -> None:
    apart = selva.select_all(film, NAMES, **FAST)
    assert sum(trunk_calls) == 13
    together = selva.select_all(film, NAMES, apart=False, **FAST)
    for name in NAMES:
        assert not torch.equal(apart[name][0].audio.samples, together[name][0].audio.samples)
    # Of two names the other one is an ordinary negative prompt, with what it selects from the picture.
    two = selva.select_all(film, ["ball", "door"], **FAST)
    alone = selva.generate(film, select="ball", negative_prompt="door", **FAST)
    assert torch.equal(two["ball"][0].audio.samples, alone.audio.samples)
    blind = selva.select_all(film, ["ball", "door"], negative_picture="none", **FAST)
    assert not torch.equal(blind["ball"][0].audio.samples, alone.audio.samples)
    # Each of several names is a branch of its own: their order does not matter, their number does.
    turned = selva.select_all(film, NAMES[::-1], **FAST)["ball"][0].audio.samples
    rounding = (turned - apart["ball"][0].audio.samples).abs().max()
    assert (turned - two["ball"][0].audio.samples).abs().max() > 10 * rounding
    assert rounding < 1e-5


@pytest.mark.parametrize("apart", [True, False])
def test_each_name_selects_once_from_each_window_also_for_the_negatives_of_the_others(
    selva: Pipeline, film: Path, monkeypatch: pytest.MonkeyPatch, apart: bool
) -> None:
    encoder, calls = selva.model.encoders["sync"], list[int]()
    assert isinstance(encoder, SelectiveSynchformer)
    select = encoder.select
    monkeypatch.setattr(encoder, "select", lambda *given: [select(*given), calls.append(len(given[0]))][0])
    selva.select_all(film, NAMES, [0, 3], apart=apart, **FAST)
    assert len(calls) == len(NAMES) * len(selva.plan(film, cuts="none"))


def test_the_command_writes_stems_and_their_sum(
    selective_model: Path, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, model = tmp_path / "film.wav", ["--model", str(selective_model), "--steps", "2", "--cuts", "none"]
    words = ["generate", str(film), *model, "--select-all", "ball; Door ;a wooden floor", "--no-apart"]
    assert main([*words, "--out", str(out), "--json"]) == 0
    (made,) = json.loads(capsys.readouterr().out)["takes"]
    files = [Path(made["stems"][word]) for word in ("ball", "Door", "a wooden floor")]
    assert sorted(tmp_path.iterdir()) == sorted([out, *files]), "nothing is left of the work"
    stems = [soundfile.read(path, dtype="float64")[0] for path in files]
    assert np.array_equal(soundfile.read(out, dtype="float64")[0], sum(stems))
    single = tmp_path / "single.wav"
    assert main(["generate", str(film), *model, "--select", "Door", "--out", str(single)]) == 0
    assert np.abs(stems[1]).max() > 1e-3 and single.read_bytes() == files[1].read_bytes()


def test_the_plan_lists_each_stem_and_the_files_that_the_command_then_writes(
    selective_model: Path, film: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["generate", str(film), "--model", str(selective_model), "--steps", "1", "--cuts", "none", "--takes", "2"]
    words += ["--select-all", "a Ball; door", "--out", str(tmp_path / "film.flac")]
    assert main([*words, "--plan"]) == 0
    tables = [text.split("\n", 1) for text in capsys.readouterr().out.strip().split("\n\n")]
    files = {
        name: [str(tmp_path / f"film.take0{take}.{word}.flac") for take in (1, 2)]
        for name, word in (("a Ball", "a-ball"), ("door", "door"))
    }
    assert [header for header, _ in tables] == [f"stem {name}: {', '.join(own)}" for name, own in files.items()]
    assert main([*words, "--plan", "--json"]) == 0
    plans = json.loads(capsys.readouterr().out)["plans"]
    assert {one["stem"]: one["files"] for one in plans} == files
    assert [one["table"] for one in plans] == [table for _, table in tables]
    assert not list(tmp_path.iterdir())
    assert main([*words, "--json"]) == 0
    takes = json.loads(capsys.readouterr().out)["takes"]
    assert {name: [one["stems"][name] for one in takes] for name in files} == files


def test_the_plan_of_a_name_that_is_too_long_is_refused(
    selective_model: Path, film: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["generate", str(film), "--model", str(selective_model), "--select-all", "ball " * 90, "--plan"]
    assert main(words) == 2 and "tokens long, tiny-selva reads at most 63" in capsys.readouterr().err


def test_stems_that_exist_are_refused_before_the_model_is_loaded(
    selective_model: Path,
    film: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("openfoley.pipeline.load", None)
    (tmp_path / "cues.csv").write_text("start,end,select,stem\n0,1,ball,door\n")
    (tmp_path / "out.door.wav").touch()
    words = ["generate", str(film), "--model", str(selective_model), "--out", str(tmp_path / "out.wav")]
    for more in (["--select-all", "ball; Door"], ["--cues", str(tmp_path / "cues.csv"), "--stems"]):
        assert main([*words, *more]) == 2
        (line,) = (text for text in capsys.readouterr().err.splitlines() if "error" in text)
        assert "out.door.wav exists" in line, line


def test_a_run_that_was_killed_while_it_wrote_is_finished_by_the_same_command(
    selective_model: Path, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["generate", str(film), "--model", str(selective_model), "--steps", "1", "--cuts", "none"]
    words += ["--select-all", "ball; door", "--takes", "2", "--out"]
    for folder in ("killed", "whole"):
        (tmp_path / folder).mkdir()
    killed = [*words, str(tmp_path / "killed" / "out.wav")]

    def killed_behind_the_first_stem(takes: dict[str, Take], path: Path, *more: object, **options: object) -> object:
        if path.name == "out.take01.wav":
            return save_stems(takes, path, *more, **options)
        path.with_name("out.take02.ball.wav").write_bytes(b"half of the files")
        raise Terminated

    with monkeypatch.context() as patch:
        patch.setattr("openfoley.synthesis.stems.save_stems", killed_behind_the_first_stem)
        assert main(killed) == 143
    assert main(killed) == 0 and main([*words, str(tmp_path / "whole" / "out.wav")]) == 0
    folders = [tmp_path / "killed", tmp_path / "whole"]
    files = [sorted((path.name, path.read_bytes()) for path in folder.iterdir()) for folder in folders]
    assert len(files[0]) == 6 and files[0] == files[1]
    assert main(killed) == 2, "now they are somebody's files"


def test_each_stem_is_listed_by_its_name_and_a_silent_one_is_told(
    selective_model: Path,
    film: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    silent = Report(peak_db=-90.0, loudness_lufs=None, onsets=0)
    monkeypatch.setattr(Take, "report", property(lambda take: silent if take.request.prompting.select else None))
    words = ["--model", str(selective_model), "--steps", "1", "--cuts", "none", "--out", str(tmp_path / "out.wav")]
    assert main(["generate", str(film), *words, "--select-all", "a Ball", "--json"]) == 0
    out, err = capsys.readouterr()
    (take,) = json.loads(out)["takes"]
    assert take["stems"] == {"a Ball": str(tmp_path / "out.a-ball.wav")} and take["silent_stems"] == ["a Ball"]
    assert "stem 'a Ball' is silent" in err and "another name than 'a Ball'" in err


def test_bad_names_are_refused_in_one_line(
    selective_model: Path, tiny_model: Path, selva: Pipeline, film: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    sheet = tmp_path / "cues.csv"
    sheet.write_text("start,end,select\n0,1,ball\n")
    own, ball = ["--model", str(selective_model)], ["--select-all", "ball; door"]
    nine = "; ".join("abcdefghi")
    for words, says in (
        ([*own, "--select-all", nine], "--select-all: 1 to 8 names are allowed, got 9"),
        ([*own, "--select-all", "ball; Ball"], "--select-all: 'ball' is there twice"),
        ([*own, "--select-all", "ball;; door"], ": name must not be empty"),
        ([*own, "--select-all", " "], ": name must not be empty"),
        ([*own, "--select-all", "a ball; a-ball"], "--select-all: two names give the same file name, 'a-ball'"),
        ([*own, "--select-all", "ball " * 40 + "; door"], "tokens long, tiny-selva reads at most 63"),
        ([*own, "--prompt", "ball", "--select-all", "ball; " + "wooden " * 14], "84 tokens long as the prompt"),
        ([*own, *ball, "--select", "door"], "--select-all: leave out select, and add its name"),
        ([*own, *ball, "--stems"], "--select-all writes its own stems"),
        ([*own, *ball, "--cues", str(sheet)], "--select-all: the cues may not have the column 'select'"),
        ([*own, "--no-apart"], "--apart and --no-apart belong to --select-all"),
        (["--model", str(tiny_model), *ball], "select is not an option of"),
    ):
        assert main(["generate", str(film), *words, "--out", str(tmp_path / "out.wav")]) == 2
        (line,) = (text for text in capsys.readouterr().err.splitlines() if "error" in text)
        assert says in line, line
    with pytest.raises(UsageError, match="1 to 8 names are allowed, got 0"):
        selva.select_all(film, [])
    with pytest.raises(UsageError, match=r"names must be a list of texts, got 'a; b'; pass \['a', 'b'\]"):
        selva.select_all(film, "a; b")
    with pytest.raises(UsageError, match=r"seeds must be a list of whole numbers, got 5; pass \[5\]"):
        selva.select_all(film, ["a"], 5)
    with pytest.raises(UsageError, match="apart must be True or False, got 3"):
        selva.select_all(film, ["a"], apart=3)
    with pytest.raises(UsageError, match="column 'select'"):
        selva.select_all(film, ["ball", "door"], cues=sheet)
    with pytest.raises(UsageError, match="column 'stem'"):
        stem_promptings(Request.of(cues=(Cue(Fraction(0), Fraction(1), stem="x"),)), ["ball"], apart=True)
    assert not list(tmp_path.glob("*.wav"))


def test_names_become_words_of_file_names() -> None:
    assert split_names(" dog barking;train ") == ["dog barking", "train"]
    assert file_word("Dog  barking / loud") == "dog-barking-loud"
    assert file_word("../x") == "x" and file_word("!!") == "stem" and file_word("Tür") == "tür"
    assert len(file_word("word " * 40)) <= 60
