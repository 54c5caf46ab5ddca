"""Every study end to end with a tiny model and tiny pictures, twice: the second time nothing is computed again."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from openfoley.errors import UsageError
from openfoley.evaluation.reports.judge import save_classifier
from openfoley.evaluation.reports.screening import Screening
from openfoley.evaluation.studies import clips, cuts, drift, joins, lengths, reference, scenes, steps
from openfoley.judges.material import MaterialClassifier
from openfoley.pipeline import Pipeline, load

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "SIDE", 24)
    monkeypatch.setattr(drift, "LAST_S", 4.0)
    monkeypatch.setattr(joins, "RECIPE", replace(joins.RECIPE, epochs=1))
    monkeypatch.setattr(joins, "FOLDS", 2)
    monkeypatch.setattr(joins, "DRAWS", 10)


@pytest.fixture
def judge(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_classifier(MaterialClassifier(), tmp_path / "judge.safetensors")
    return tmp_path / "judge.safetensors"


def twice(run: Callable, monkeypatch: pytest.MonkeyPatch, out: Path, **settings) -> dict:
    first = run(out=out, **settings)
    monkeypatch.setattr(Pipeline, "generate_takes", None)
    again = run(out=out, **settings)
    assert again["figures"] == first["figures"] or str(again["figures"]) == str(first["figures"])
    assert (out / "results.md").read_text().startswith("| ") and (out / "results.json").is_file()
    return first["figures"]


def test_longform(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = twice(drift.run, monkeypatch, tmp_path / "s", model=str(tiny_model), clips=2, minutes=0.2, steps=1)
    assert figures["late"]["clips"] == 2 and figures["late"]["events"] == figures["fresh"]["events"]


def test_joins(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = twice(joins.run, monkeypatch, tmp_path / "s", model=str(tiny_model), clips=2, duration=12.0, steps=1)
    assert figures["soft"]["joins"] == figures["hard"]["joins"] == 2 * figures["true"]["joins"] == 4
    assert figures["jump"]["ratio"] > 0 and figures["jump_over_the_fade"]["ratio"] > 0


def test_windows_made_apart_know_nothing_of_one_another(tiny_model: Path, tmp_path: Path) -> None:
    pipeline = load(str(tiny_model))
    pictures = torch.randint(0, 256, (72, 3, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    (tmp_path / "scene.json").write_text("{}")

    def made(pictures: torch.Tensor) -> list[torch.Tensor]:
        clip = Screening(tmp_path / "scene.json", [pictures])
        return joins.made_apart(pipeline, clip, [0.0, 1.49, 3.0], steps=1)

    takes, middle = made(pictures), round(1.49 * pipeline.model.codec.sample_rate)
    alone = Screening(tmp_path / "scene.json", [pictures[:36]]).sound(pipeline, joins.TAKES[0], steps=1, cuts="none")
    assert torch.equal(takes[0][:middle], alone.samples.mean(0)[:middle])
    changed = pictures.clone()
    changed[36:] = 255 - changed[36:]
    for before, after in zip(takes, made(changed), strict=True):
        assert len(before) == round(3.0 * pipeline.model.codec.sample_rate)
        assert torch.equal(before[:middle], after[:middle]) and not torch.equal(before[middle:], after[middle:])
    assert not torch.equal(takes[0], takes[1])


@pytest.mark.parametrize("mode", ["reference", "extend"])
def test_reference(tiny_model: Path, judge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    monkeypatch.setattr(reference, "DURATION_S", 5.0)
    settings = {"model": str(tiny_model), "clips": 2, "steps": 1, "mode": mode, "contexts": (0.0, 1.0), "judge": judge}
    figures = twice(reference.run, monkeypatch, tmp_path / "s", **settings)
    assert figures["1"]["clips"] == 2 and 0 < figures["1"]["swsd"]["mean"] < 1


def test_cuts(tiny_model: Path, judge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts, "DURATION_S", 12.0)
    figures = twice(cuts.run, monkeypatch, tmp_path / "s", model=str(tiny_model), clips=6, steps=1, judge=judge)
    assert figures["cuts"] > 0
    assert figures["auto"]["events"]["events"] == figures["fresh"]["events"]["events"] > 0


def test_lengths(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"model": str(tiny_model), "clips": 2, "steps": 1, "lengths": [4, 9]}
    figures = twice(lengths.run, monkeypatch, tmp_path / "s", **settings)
    events = [figures[length][way]["f1"]["events"] for length in ("4", "9") for way in lengths.WAYS]
    assert events[0] == events[1] < events[2] == events[3]


def test_scenes(tmp_path: Path) -> None:
    record = scenes.run(tmp_path / "s", clips=1)
    assert record["figures"]["shots"]["recall"] == 1 and record["figures"]["one shot"]["named"] == 0


def test_steps(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "DURATION_S", 3.0)
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    settings = {"models": [str(tiny_model)], "without_sync": [str(other)], "clips": 2, "steps": (1, 3)}
    settings["shortcut"] = [str(tiny_model)]
    figures = twice(steps.run, monkeypatch, tmp_path / "s", **settings)
    hearing, deaf, stepping = figures.values()
    assert list(figures)[2] == f"{tiny_model.name}, shortcut"
    assert stepping["3"]["swsd"]["mean"] != hearing["3"]["swsd"]["mean"]
    assert hearing["3"]["f1"]["clips"] == 2 and hearing["3"]["minus_most_steps"]["difference"] == 0
    assert deaf["1"]["swsd"]["mean"] != hearing["1"]["swsd"]["mean"]
    with pytest.raises(UsageError, match="names of their own"):
        steps.run([str(other)], tmp_path / "t", without_sync=[str(other)])
