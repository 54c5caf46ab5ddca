"""The study of selection end to end with tiny models, and its figures on sounds whose source is known."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from openfoley.cli import main
from openfoley.encoders.selective_sync import GYM, SelectiveSync
from openfoley.encoders.sync import SyncEncoder
from openfoley.errors import UsageError
from openfoley.evaluation.reports.judge import load_classifier, save_classifier
from openfoley.evaluation.reports.sounds import as_gym
from openfoley.evaluation.studies import clips, crowds, selection
from openfoley.evaluation.studies.recorded_crowds import recorded_crowds
from openfoley.evaluation.studies.requests import SelectionRequest
from openfoley.evaluation.studies.selection_figures import figures_of, tables
from openfoley.hub.load import load_model
from openfoley.hub.save import add_selection
from openfoley.hub.selection import selection_tensors
from openfoley.judges.material import MaterialClassifier
from openfoley.media.write.encode import write_video
from openfoley.media.write.sound_file import AudioWriter
from openfoley.pipeline import Pipeline, load
from openfoley.request import Request

BLOCK = replace(GYM, width=32, heads=2, text_dim=32, mlp_width=32)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "SIDE", 24)
    monkeypatch.setattr(crowds, "DURATION_S", 3.0)
    monkeypatch.setattr(selection, "EQUAL_CLIPS", 9)


@pytest.fixture(scope="module")
def selecting(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The tiny model with selections of two kinds: with [SUP] and without."""
    folder, model, made = tmp_path_factory.mktemp("models"), load_model(tiny_model), []
    trunk = model.parts["sync"]
    assert isinstance(trunk, SyncEncoder)
    for name, block in (("five", BLOCK), ("none", replace(BLOCK, supplementary=0))):
        torch.manual_seed(0)
        sync = SelectiveSync(trunk, block)
        for parameter in sync.selection.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
        made.append(add_selection(tiny_model, folder / name, model, block, selection_tensors(model, sync)))
    return made[0], made[1]


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("judge") / "judge.safetensors"
    save_classifier(MaterialClassifier(), path)
    return path


def test_the_command_measures_every_way_on_the_same_clips_and_computes_nothing_twice(
    selecting: tuple[Path, Path],
    judge: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, other = selecting
    words = ["evaluate", "selection", "--model", str(model), "--beside", str(other), "--judge", str(judge)]
    words += ["--clips", "1", "--steps", "1", "--out", str(tmp_path / "out"), "--json"]
    assert main(words) == 0
    record = json.loads(capsys.readouterr().out)
    about, figures = record["about"], record["figures"]
    weights, selected = (set(about[name].values()) for name in ("weights", "selections"))
    assert len(weights) == 1 and len(selected) == 2, "another selective pair is another fingerprint"
    assert list(figures) == ["side-by-side", "one-scene"]
    for one in figures.values():
        ways = one["ways"]
        assert list(ways) == [
            "true stem", "alone", "select", "select, none", "select, apart", "prompt", "mask", "grey mask", "whole",
        ]  # fmt: skip
        assert len({way["f1"]["events"] for way in ways.values()}) == 1 and one["clips"] == 1
        assert ways["alone"]["of_alone"]["difference"] == 0.0 and 0 <= ways["true stem"]["accuracy"]["mean"] <= 1
        assert ways["whole"]["suppression_db"]["median"] == 0.0
        assert set(one["absent"]) == {"select", "select, none", "prompt", "grey mask"}
        assert one["select_all"] == {"stems": 3, "equal": 3}
    assert not list((tmp_path / "out").glob("tmp*"))
    monkeypatch.setattr(Pipeline, "generate", None)
    monkeypatch.setattr(selection, "CROWDS", dict.fromkeys(selection.CROWDS, pytest.fail))
    assert main(words) == 0
    assert str(json.loads(capsys.readouterr().out)["figures"]) == str(figures)
    text = (tmp_path / "out" / "results.md").read_text()
    assert "| side-by-side, 1 clips | select, apart |" in text and "| way - select |" in text


def test_the_ways_differ_where_they_should(selecting: tuple[Path, Path], tmp_path: Path) -> None:
    crowd = next(found for k in range(9) if (found := crowds.twins(k, 9_600_000)))
    pipelines = {path.name: load(path) for path in selecting}
    asked = Request.of(steps=1, cuts="none", seed=3)
    ways = selection.Ways(pipelines, crowd, asked, tmp_path)
    first, second = (ways.sounds(k) for k in (0, 1))
    assert torch.equal(first["whole"].samples, second["whole"].samples)
    for way in set(first) - {"whole"}:
        assert not torch.equal(first[way].samples, second[way].samples), f"{way} does not depend on what is wanted"
    sounds = [sound.samples for sound in first.values()]
    assert not any(torch.equal(a, b) for k, a in enumerate(sounds) for b in sounds[:k])
    single = pipelines["five"].generate(crowd.picture, asked, select=crowd.members[0].name)
    assert torch.equal(as_gym(single.audio, ways.length).samples, first["select"].samples)


def test_a_true_stem_is_its_own_and_the_other_s_is_not(judge: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "DURATION_S", 8.0)
    crowd = next(found for k in range(9) if (found := crowds.side_by_side(k, 9_000_000)))
    one, other = crowd.members
    sounds = {"true stem": one.sound, "other": other.sound, "whole": other.sound}
    scores = selection.scores(load_classifier(judge), crowd, 0, sounds)
    own, foreign = scores["true stem"], scores["other"]
    assert own["nearest"] and not foreign["nearest"]
    assert own["belonging"][0] > 0 == own["belonging"][1] and foreign["belonging"][0] == 0 < foreign["belonging"][1]
    assert own["powers"][0] > 100 * own["powers"][1] and foreign["powers"][0] < foreign["powers"][1]
    assert own["before"] > 100 * own["powers"][1] and own["f1"][0] > foreign["f1"][0]


def row(ours: list[float], foreign: list[float], number: int) -> dict:
    """A clip of one wanted source: of `select`, `alone` and `whole` the sums [wanted, others, none] and powers."""

    def scores(belonging: list[float], quiet: float, nearest: bool) -> dict:
        own, _, none = belonging
        return {
            "belonging": belonging, "f1": [own, sum(belonging) - none, 10.0], "powers": [1.0, quiet], "before": 1.0,
            "nearest": nearest,
        }  # fmt: skip

    ways = {"alone": scores([10, 0, 0], 0.0, True), "select": scores(ours, 0.01, True)}
    ways["whole"] = scores(foreign, 1.0, number % 2 == 0)
    return {"wanted": {"ball": ways}, "absent": {"select": [number, 0.5]}, "equal": [True]}


def test_figures_are_those_of_the_sums() -> None:
    figures = figures_of([row([9, 1, 2], [5, 5, 0], number) for number in range(4)])
    select, whole = figures["ways"]["select"], figures["ways"]["whole"]
    assert (select["share"]["value"], select["precision"]["value"]) == pytest.approx((0.9, 0.75))
    assert select["f1"]["f1"] == pytest.approx(2 * 9 / 20) == pytest.approx(select["of_alone"]["share"])
    assert select["margin_db"]["median"] == pytest.approx(20) == pytest.approx(select["suppression_db"]["median"])
    assert (select["accuracy"]["mean"], whole["accuracy"]["mean"]) == (1.0, 0.5)
    assert whole["minus_select"]["share"]["difference"] == pytest.approx(-0.4) and "minus_select" not in select
    assert figures["absent"]["select"]["value"] == pytest.approx(3.0) and figures["select_all"]["equal"] == 4
    assert "| one, 4 clips | select | 0.900 (0.900 .. 0.900) | 0.750" in "\n".join(tables({"one": figures}))


def test_what_is_undefined_has_no_figure() -> None:
    figures = figures_of([row([0, 0, 0], [0, 0, 0], number) for number in range(3)])
    assert np.isnan(figures["ways"]["select"]["share"]["value"])
    assert "| one, 3 clips | select |  |  | 0.000" in "\n".join(tables({"one": figures}))


def test_models_that_select_nothing_and_other_worlds_are_refused_before_any_work(
    tiny_model: Path, selecting: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "load", None)
    with pytest.raises(UsageError, match="select is not an option of .*tiny: .*selva-small-16k"):
        SelectionRequest(tmp_path / "a", 1, str(tiny_model)).run()
    with pytest.raises(UsageError, match="select is not an option of .*tiny"):
        SelectionRequest(tmp_path / "a", 1, str(selecting[0]), beside=(str(tiny_model),)).run()
    with pytest.raises(UsageError, match="distinct names, got five; five"):
        SelectionRequest(tmp_path / "a", 1, str(selecting[0]), beside=(str(selecting[0]),)).run()
    with pytest.raises(UsageError, match="of the flat world alone"):
        SelectionRequest(tmp_path / "a", 1, str(selecting[0]), world="bodies").run()
    with pytest.raises(UsageError, match="the judge 'none' does not exist; leave --judge out"):
        SelectionRequest(tmp_path / "a", 1, str(selecting[0]), judge=Path("none"))
    assert not (tmp_path / "a").exists()


def test_recorded_pairs_are_measured_against_their_detected_events(
    selecting: tuple[Path, Path], judge: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kind = tmp_path / "data" / "inter_class"
    for name in ("mixed", "target_audio"):
        (kind / name).mkdir(parents=True)
    level = torch.arange(25)[:, None, None, None] * 8
    clicks = {name: torch.zeros(1, 8000) for name in ("dog", "sea")}
    for name, at in (("dog", 2000), ("sea", 5000)):
        clicks[name][:, at : at + 300] = torch.linspace(0.8, 0, 300) * torch.randn(300)
        with AudioWriter(kind / "target_audio" / f"{name}.wav", 8000, 1, "16") as writer:
            writer.write(clicks[name])
    items = []
    for target, paired, side in (("dog", "sea", "left"), ("sea", "dog", "left"), ("cat", "sea", "right")):
        item = f"{target}_{paired}_{side}"
        halves = [torch.full((25, 3, 32, 32), 60) + level, torch.full((25, 3, 32, 32), 60)]
        write_video(kind / "mixed" / f"{item}.mp4", torch.cat(halves, -1).to(torch.uint8), Fraction(25))
        items.append(f"{item},{target},{paired},{target}.wav,{paired}.wav,animal,{side},0.0,0.0")
    columns = "file_name,label,paired_label,target_file,paired_file,target_category,target_position"
    (kind / "metadata.csv").write_text("\n".join([f"{columns},target_start_sec,paired_start_sec", *items]))
    crowd = next(one for k in range(3) if (one := recorded_crowds(kind.parent)["inter-class"][1](k)))
    target, paired = crowd.members
    assert crowd.absent == "cat" and crowd.wanted == (0,)
    when = {"dog": 0.25, "sea": 0.625}
    assert target.truth.scored_s == pytest.approx([when[target.name]], abs=0.01)
    assert paired.truth.scored_s == pytest.approx([when[paired.name]], abs=0.01)
    figures = SelectionRequest(
        tmp_path / "out", 9, str(selecting[0]), steps=1, data=kind.parent, judge=judge
    ).run()["figures"]["inter-class"]  # fmt: skip
    assert figures["clips"] == 2 and "cat_sea_right is left out" in caplog.text
    assert figures["ways"]["true stem"]["f1"]["events"] == 2 and figures["ways"]["alone"]["of_alone"]["difference"] == 0
    assert "nobody annotated them" in (tmp_path / "out" / "results.md").read_text()
    with pytest.raises(UsageError, match="holds no inter_class/metadata.csv"):
        SelectionRequest(tmp_path / "a", 1, str(selecting[0]), data=tmp_path / "out").run()
