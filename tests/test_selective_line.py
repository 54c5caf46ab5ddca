"""The whole line with a model of SelVA's kind: its encoder, T5, CLIP's text alone and MMAudio's network, tiny."""

import json
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from openfoley.cli import main
from openfoley.errors import UsageError
from openfoley.hub.fingerprint import fingerprint
from openfoley.hub.load import load_model
from openfoley.hub.save import save_model
from openfoley.live import stream
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline
from openfoley.projects.project import Project
from openfoley.projects.showing import lines
from openfoley.request import Cue
from openfoley.timeline.plan import describe
from openfoley.types import TEXT, WORDS

FAST = {"steps": 2, "guidance": 2.0, "cuts": "none"}


def test_a_folder_keeps_all_parts(selective_model: Path, tmp_path: Path) -> None:
    model = load_model(selective_model)
    assert set(model.encoders) == {"sync", TEXT, WORDS}
    again = load_model(save_model(tmp_path / "copy", model))
    assert fingerprint(again) == fingerprint(model)
    again.parts["words"].network.final_layer_norm.weight[0] += 1
    assert fingerprint(again) != fingerprint(model)


def test_what_is_selected_changes_the_sound_and_is_repeatable_at_any_length(selva: Pipeline, film: Path) -> None:
    assert len(selva.plan(film, cuts="none")) > 1
    ball, door, again = (selva.generate(film, select=t, **FAST).audio.samples for t in ("ball", "door", "ball"))
    assert torch.equal(ball, again) and not torch.equal(ball, door) and ball.shape[1] == round(4.48 * 44100)
    beside = selva.generate(film, select="ball", prompt="a door", **FAST).audio.samples
    nothing = selva.generate(film, **FAST).audio.samples
    prompt = selva.generate(film, prompt="ball", **FAST).audio.samples
    assert torch.equal(prompt, ball), "one text for both encoders, as SelVA was trained"
    assert not torch.equal(beside, ball) and not torch.equal(nothing, ball)


def test_the_trunk_is_computed_once_for_all_texts_of_a_project(
    selva: Pipeline, film: Path, selective_model: Path, tmp_path: Path, trunk_calls: list[int]
) -> None:
    project = Project.new(tmp_path / "p", film, model=str(selective_model), cuts="none", steps=2)
    (first,) = project.take(selva, select="ball")
    assert sum(trunk_calls) == 13, "segments of 4.48 s"
    (second,) = project.take(selva, select="door")
    assert sum(trunk_calls) == 13 and first.request.prompting.select == "ball" and first.sha256 != second.sha256
    (third,) = project.take(selva, span=(1, 2), select="door", negative_prompt="ball", negative_picture="none")
    kept = Project(project.folder).record.takes[third.number - 1].request.prompting
    assert (kept.select, kept.negative_picture) == ("door", "none")
    project.set(cues=(Cue(Fraction(0), Fraction(1), "wood", select="the door"),))
    shown = lines(project.record, project.folder)
    takes = [line for line in shown if "take" in line and "seed" in line]
    assert [line.partition("select ")[2] for line in takes] == ["ball", "door", "door"]
    assert next(line for line in shown if line.startswith("cue")).endswith(" wood; select the door")


def test_a_project_refuses_cues_that_its_model_cannot_select(
    tiny_model: Path, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = tmp_path / "cues.csv"
    sheet.write_text("start,end,select\n0,1,ball\n")
    project = Project.new(tmp_path / "p", film, model=str(tiny_model), cuts="none")
    monkeypatch.setattr(Source, "cuts", None)  # it is refused before cuts are detected
    with pytest.raises(UsageError, match="select is not an option"):
        project.set(cues=sheet, cuts="auto")
    with pytest.raises(UsageError, match="select is not an option"):
        Project.new(tmp_path / "other", film, model=str(tiny_model), cues=sheet)
    assert not (tmp_path / "other" / "project.json").exists()


def test_a_negative_picture_without_a_negative_text_is_told(
    selva: Pipeline, film: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fast: dict[str, object] = {**FAST, "steps": 1, "select": "ball", "negative_picture": "none"}
    selva.generate(film, negative_prompt="door", **fast)
    selva.generate(film, cues=(Cue(Fraction(0), Fraction(1), negative_prompt="door"),), **fast)
    selva.select_all(film, ["ball", "door"], **{**fast, "select": None})
    assert "no effect" not in caplog.text
    selva.generate(film, **fast)
    assert "negative_picture has no effect without a negative prompt" in caplog.text


def test_the_plan_says_what_each_cue_selects(selva: Pipeline, film: Path) -> None:
    cues = (Cue(Fraction(0), Fraction(1), "wood", select="the door"), Cue(Fraction(1), Fraction(2), select="ball"))
    plan = describe(selva.plan(film, cues=cues, cuts="none"), selva.model.codec.latent_rate).splitlines()
    assert plan[1].endswith("  wood; select the door") and any(line.endswith("  select ball") for line in plan)


def test_cues_and_spans_select_for_themselves(selective_model: Path, film: Path, tmp_path: Path) -> None:
    (tmp_path / "cues.csv").write_text("start,end,select,stem\n0,2,ball,one\n1,4,door,two\n")
    out = tmp_path / "out.wav"
    assert main(["generate", str(film), "--model", str(selective_model), "--cues", str(tmp_path / "cues.csv"),
                 "--steps", "2", "--cuts", "none", "--stems", "--out", str(out)]) == 0  # fmt: skip
    assert sorted(path.name for path in tmp_path.glob("*.wav")) == ["out.one.wav", "out.two.wav", "out.wav"]
    span = ["edit", str(film), "--span", "1", "2", "--model", str(selective_model), "--steps", "2"]
    sums = set()
    for name in ("ball", "door"):
        made = tmp_path / f"{name}.mkv"
        assert main([*span, "--select", name, "--out", str(made)]) == 0
        sums.add(made.read_bytes())
    assert len(sums) == 2


def test_the_negative_text_has_its_own_picture_unless_as_released(selva: Pipeline, film: Path) -> None:
    asked = {"select": "ball", "negative_prompt": "door", **FAST}
    own = selva.generate(film, **asked).audio.samples
    released = selva.generate(film, **asked, negative_picture="none").audio.samples
    assert not torch.equal(own, released)
    assert torch.equal(own, selva.generate(film, **asked, negative_picture="selected").audio.samples)
    weighed = selva.generate(film, **asked, negative_guidance=3.0).audio.samples
    assert weighed.isfinite().all() and not torch.equal(weighed, own)


def test_bad_selections_are_refused_in_one_line(
    selva: Pipeline, film: Path, selective_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "ball " * 40
    with pytest.raises(UsageError, match=r"select is \d+ tokens long, tiny-selva reads at most 63; shorten it: 'ball"):
        selva.generate(film, select=long)
    wooden = "wooden " * 14
    with pytest.raises(UsageError, match="84 tokens long as the prompt that is missing, tiny-selva reads at most 75"):
        selva.generate(film, select=wooden)
    assert selva.generate(film, select=wooden, prompt="ball", **FAST).samples.length
    with pytest.raises(UsageError, match="select is .* tokens long"):
        selva.generate(film, cues=(Cue(Fraction(0), Fraction(1), select=long),))
    model = ["--model", str(selective_model)]
    for words, says in (
        ([str(film), "--select", "  "], "select must not be empty"),
        ([str(film), "--select", long], "tokens long"),
        (
            ["--duration", "2", "--prompt", "ball", "--select", "ball"],
            "--select-all and --negative-picture need a VIDEO",
        ),
        ([str(film), "--select", "ball", "--negative-picture", "half"], "invalid choice: 'half'"),
    ):
        try:
            assert main(["generate", *words, *model]) == 2
        except SystemExit as left:
            assert left.code == 2
        (line,) = (text for text in capsys.readouterr().err.splitlines() if "error" in text)
        assert says in line


def test_the_result_says_what_was_selected(
    film: Path, selective_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.wav"
    words = ["--select", "ball", "--steps", "2", "--cuts", "none", "--out", str(out), "--json"]
    assert main(["generate", str(film), "--model", str(selective_model), *words]) == 0
    assert json.loads(capsys.readouterr().out)["select"] == "ball"


def test_a_live_stream_selects(selva: Pipeline) -> None:
    sounds = []
    for name in ("ball", "door"):
        live = stream(selva, 25, select=name, chunk=0.5, context=0.5, steps=2)
        frames = torch.randint(255, (30, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        sounds.append(torch.cat([live.push(frames), live.finish()], -1))
    assert sounds[0].shape == sounds[1].shape and not torch.equal(*sounds)
