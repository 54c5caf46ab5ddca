"""Every study end to end with a tiny model and tiny pictures, twice: the second time nothing is computed again."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from openfoley.data.gym_cache import FRAME_RATE as RATE
from openfoley.errors import UsageError
from openfoley.evaluation.reports.judge import save_classifier
from openfoley.evaluation.reports.sounds import gym_sounds
from openfoley.evaluation.studies import clips, cuts, joins, lengths, longform, reference, steps
from openfoley.evaluation.studies.requests import (
    CutsRequest,
    JoinsRequest,
    LengthsRequest,
    LongformRequest,
    ReferenceRequest,
    ScenesRequest,
    StepsRequest,
    StudyRequest,
)
from openfoley.judges.material import MaterialClassifier
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline, load
from openfoley.request import Request

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clips, "SIDE", 24)
    monkeypatch.setattr(longform, "LAST_S", 4.0)
    monkeypatch.setattr(joins, "RECIPE", replace(joins.RECIPE, epochs=1))
    monkeypatch.setattr(joins, "FOLDS", 2)
    monkeypatch.setattr(joins, "LOOP_DRAWS", 10)


@pytest.fixture
def judge(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_classifier(MaterialClassifier(), tmp_path / "judge.safetensors")
    return tmp_path / "judge.safetensors"


def twice(request: StudyRequest, monkeypatch: pytest.MonkeyPatch) -> dict:
    first = request.run()
    monkeypatch.setattr(Pipeline, "generate_takes", None)
    again = request.run()
    assert again["figures"] == first["figures"] or str(again["figures"]) == str(first["figures"])
    assert (request.out / "results.md").read_text().startswith("| ") and (request.out / "results.json").is_file()
    return first["figures"]


def test_longform(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ("default", "join=hard")
    request = LongformRequest(tmp_path / "s", 2, str(tiny_model), steps=1, minutes=(0.1, 0.2), rows=rows)
    figures = twice(request, monkeypatch)
    assert figures["late"]["clips"] == 2 and figures["late"]["events"] == figures["fresh"]["events"]
    first, hard = (figures["rows"][row]["minutes"] for row in rows)
    assert first["0.2"]["f1"] == figures["late"]["f1"] and "minus_first_row" in hard["0.1"]
    assert first["0.1"]["minus_first_minute"]["difference"] == 0 and first["0.1"]["events"] == hard["0.1"]["events"]


def test_joins(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ("default", "join=hard", "join=equal-power", "join=swap")
    request = JoinsRequest(tmp_path / "s", 2, str(tiny_model), steps=1, duration=12.0, rows=rows, world="long")
    figures = twice(request, monkeypatch)
    assert figures["soft"]["joins"] == figures["hard"]["joins"] == 2 * figures["true"]["joins"] == 4
    assert figures["jump"]["ratio"] > 0 and figures["jump_over_the_fade"]["ratio"] > 0
    assert list(figures["rows"]) == list(rows) and "beside_first" not in figures["rows"]["default"]
    for row in rows[1:]:
        one = figures["rows"][row]
        assert one["soft"]["clips"] == 2 and one["energy_delta"]["waveform_mean"]["value"] > 0
        assert one["beside_first"]["energy_delta"]["ratio"] >= 0 and "interval" in one["beside_first"]["auc"]
        assert one["f1"]["events"] == one["f1_near"]["events"] + one["f1_elsewhere"]["events"]
    more = replace(request, rows=(*rows, "overlap=0.2"))
    monkeypatch.undo()
    monkeypatch.setattr(clips, "SIDE", 24)
    monkeypatch.setattr(joins, "RECIPE", replace(joins.RECIPE, epochs=1))
    monkeypatch.setattr(joins, "LOOP_DRAWS", 10)
    added = more.run()["figures"]["rows"]
    assert added["join=swap"]["soft"] == figures["rows"]["join=swap"]["soft"] and "overlap=0.2" in added


def test_windows_generated_apart_do_not_depend_on_one_another(tiny_model: Path) -> None:
    pipeline = load(str(tiny_model))
    pictures = torch.randint(0, 256, (72, 3, 24, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    def made(pictures: torch.Tensor) -> list[torch.Tensor]:
        return joins.made_apart(pipeline, pictures, [0.0, 1.49, 3.0], steps=1)

    takes, middle = made(pictures), round(1.49 * pipeline.model.codec.sample_rate)
    asked = Request.of(steps=1, cuts="none")
    (alone,) = gym_sounds(pipeline, Source.tensor(pictures[:36], RATE), asked, [joins.TAKES[0]])
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
    request = ReferenceRequest(tmp_path / "s", 2, str(tiny_model), steps=1, mode=mode, contexts=(0.0, 1.0), judge=judge)
    figures = twice(request, monkeypatch)
    assert figures["1"]["clips"] == 2 and 0 < figures["1"]["swsd"]["mean"] < 1


def test_cuts(tiny_model: Path, judge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuts, "DURATION_S", 12.0)
    figures = twice(CutsRequest(tmp_path / "s", 6, str(tiny_model), steps=1, judge=judge), monkeypatch)
    assert figures["cuts"] > 0
    assert figures["auto"]["events"]["events"] == figures["fresh"]["events"]["events"] > 0


def test_lengths(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ("default", "join=equal-power")
    request = LengthsRequest(tmp_path / "s", 2, str(tiny_model), steps=1, lengths=(4, 9), rows=rows)
    figures = twice(request, monkeypatch)
    assert figures["4"]["rows"]["join=equal-power"]["minus_first_row"]["difference"] == 0, "one window has no join"
    assert figures["9"]["rows"]["join=equal-power"]["f1"]["events"] == figures["9"]["extended"]["f1"]["events"]
    events = [figures[length][way]["f1"]["events"] for length in ("4", "9") for way in lengths.WAYS]
    assert events[0] == events[1] < events[2] == events[3]


def test_scenes(tmp_path: Path) -> None:
    figures = ScenesRequest(tmp_path / "s", 1).run()["figures"]
    assert figures["shots"]["recall"] == 1 and figures["one shot"]["named"] == 0


def test_steps(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "DURATION_S", 3.0)
    other = tmp_path / "other"
    shutil.copytree(tiny_model, other)
    models = (str(tiny_model),)
    request = StepsRequest(tmp_path / "s", 2, models, (str(other),), shortcut=models, steps=(1, 3))
    figures = twice(request, monkeypatch)
    plain, unsynced, stepping = figures.values()
    assert list(figures)[2] == f"{tiny_model.name}, shortcut"
    assert stepping["3"]["swsd"]["mean"] != plain["3"]["swsd"]["mean"]
    assert plain["3"]["f1"]["clips"] == 2 and plain["3"]["minus_most_steps"]["difference"] == 0
    assert unsynced["1"]["swsd"]["mean"] != plain["1"]["swsd"]["mean"]
    with pytest.raises(UsageError, match="distinct names"):
        StepsRequest(tmp_path / "t", 1, (str(other),), (str(other),)).run()
