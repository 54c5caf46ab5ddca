"""Every study of a model runs on one of MMAudio's shape: other rates, one channel, segments of features, 77 tokens."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from openfoley.evaluation.reports.judge import save_classifier
from openfoley.evaluation.studies import clips, cuts, joins, longform, reference, steps, token_head
from openfoley.evaluation.studies.requests import (
    STUDIES,
    CutsRequest,
    JoinsRequest,
    LengthsRequest,
    LongformRequest,
    ReferenceRequest,
    ScenesRequest,
    SelectionRequest,
    StepsRequest,
    StudyRequest,
    TokensRequest,
)
from openfoley.hub.load import load_model
from openfoley.judges.material import MaterialClassifier

REQUESTS: dict[str, Callable[[Path, str], StudyRequest]] = {
    "longform": lambda out, model: LongformRequest(out, 1, model, steps=1, minutes=0.2),
    "joins": lambda out, model: JoinsRequest(out, 2, model, steps=1, duration=12.0),
    "reference": lambda out, model: ReferenceRequest(
        out, 1, model, steps=1, contexts=(0.0, 1.0), judge=out.parent / "judge"
    ),
    "extend": lambda out, model: ReferenceRequest(
        out, 1, model, steps=1, mode="extend", contexts=(0.0, 1.0), judge=out.parent / "judge"
    ),
    "cuts": lambda out, model: CutsRequest(out, 3, model, steps=1, judge=out.parent / "judge"),
    "steps": lambda out, model: StepsRequest(out, 1, (model,), steps=(1, 2)),
    "lengths": lambda out, model: LengthsRequest(out, 1, model, steps=1, lengths=(4, 9)),
    "tokens": lambda out, model: TokensRequest(out, 2, model, steps=1),
}


WITHOUT_MMAUDIO = {ScenesRequest.study, SelectionRequest.study}
"""`scenes` uses no model; `selection` refuses models that select nothing (test_selection.py has some that do)."""


def test_no_study_is_left_out() -> None:
    assert ({*REQUESTS} | WITHOUT_MMAUDIO) - {"extend"} == {kind.study for kind in STUDIES}


def test_the_model_has_mmaudios_shape(mmaudio_folder: Path) -> None:
    model = load_model(mmaudio_folder)
    sync = model.encoders["sync"].inputs.frames
    assert sync is not None and sync.rate == 25 and model.text_encoder.encode_text(["a dog"]).shape[1] == 77
    assert (model.codec.sample_rate, model.codec.channels) == (16000, 1) and not model.generator.accepts_known


@pytest.mark.slow
@pytest.mark.parametrize("name", REQUESTS)
def test_every_study_runs_on_it(
    name: str, mmaudio_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clips, "SIDE", 24)
    monkeypatch.setattr(longform, "LAST_S", 4.0)
    monkeypatch.setattr(joins, "FOLDS", 2)
    monkeypatch.setattr(joins, "LOOP_DRAWS", 10)
    monkeypatch.setattr(reference, "DURATION_S", 5.0)
    monkeypatch.setattr(cuts, "DURATION_S", 12.0)
    monkeypatch.setattr(steps, "DURATION_S", 3.0)
    monkeypatch.setattr(token_head, "TRAINING_SCENES", 3)
    monkeypatch.setattr(token_head, "THRESHOLD_SCENES", 1)
    save_classifier(MaterialClassifier(), tmp_path / "judge")
    record = REQUESTS[name](tmp_path / "out", str(mmaudio_folder)).run()
    numbers = list(values(record["figures"]))
    assert numbers and all(math.isfinite(value) or math.isnan(value) for value in numbers)
    assert any(value > 0 for value in numbers) and (tmp_path / "out" / "results.md").read_text().startswith("| ")


def values(figures: object) -> list[float]:
    """All numbers of a record."""
    if isinstance(figures, dict):
        return [value for inner in figures.values() for value in values(inner)]
    if isinstance(figures, (list, tuple)):
        return [value for inner in figures for value in values(inner)]
    return [float(figures)] if isinstance(figures, (int, float)) else []
