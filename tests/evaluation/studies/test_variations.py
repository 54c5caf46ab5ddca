"""Rows of a study as text."""

from pathlib import Path

import pytest
import torch

from openfoley.errors import UsageError
from openfoley.evaluation.studies.requests import JoinsRequest
from openfoley.evaluation.studies.study import study_of
from openfoley.evaluation.studies.variations import adapters_of, check_rows, row_options, section_of, varied
from openfoley.generators.adapters.config import compact
from openfoley.generators.adapters.model import Adapters
from openfoley.hub.load import load_model
from openfoley.hub.save import save_adapters
from openfoley.request import Request


def test_a_row_is_the_options_that_differ() -> None:
    assert row_options("default") == {}
    assert row_options("join=swap, context=1") == {"join": "swap", "context": 1.0}
    assert row_options("steps=4,batch_takes=on,guidance=2.5") == {"steps": 4, "batch_takes": True, "guidance": 2.5}
    request = varied(Request.of(steps=2, seed=3), "join=hard,steps=4")
    assert (request.timeline.join, request.sampling.steps, request.sampling.seed) == ("hard", 4, 3)
    assert varied(request, "default") == request


@pytest.mark.parametrize(
    ("row", "said"),
    [("join", "a row must be default or options such as"), ("steps=many", "steps must be a number, got 'many'"),
     ("joyn=swap", "unknown option 'joyn'; did you mean join"), ("steps=0", "steps"), ("", "a row must be default"),
     ("join=hard,adapters=nowhere", "the adapters 'nowhere' of a row do not exist; train some")],
)  # fmt: skip
def test_what_is_no_row_is_refused(row: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        JoinsRequest(Path("out"), 4, rows=("default", row))


def test_rows_are_distinct_keep_their_own_results_and_can_be_added(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rows must be distinct and at least one, got default, default"):
        check_rows(("default", "default"))
    names = {section_of(row) for row in ("default", "join=swap", "join=hard", "prompt=a/b")}
    assert len(names) == 4 and section_of("default") == "clip" and not any("/" in name for name in names)
    one, two = JoinsRequest(tmp_path, 4), JoinsRequest(tmp_path, 4, rows=("default", "join=swap"))
    assert one.identity == two.identity


def test_a_row_may_have_adapters_of_its_own_whose_content_its_results_belong_to(
    tiny_model: Path, tmp_path: Path
) -> None:
    model, path = load_model(tiny_model), tmp_path / "a.safetensors"
    adapters = Adapters(compact(model.parts["generator"].config))
    row = f"adapters={save_adapters(path, adapters.config, adapters.state_dict(), model)},context=1"
    request = JoinsRequest(tmp_path / "out", 4, str(tiny_model), rows=("default", row))
    study = study_of(request)
    assert study.pipeline_of("default") is study.pipeline_of("join=swap") is study.pipeline
    assert study.pipeline.model.adapters is None and study.pipeline_of(row).model.adapters is not None
    assert study.pipeline_of(row) is study.pipeline_of(row), "read once"
    assert row_options(row) == {"context": 1.0} and adapters_of(row) == path
    first = section_of(row)
    assert str(tmp_path) not in first and first.startswith("clip@adapters=") and first.endswith(",context=1")
    with torch.no_grad():
        next(adapters.parameters()).add_(1)
    save_adapters(path, adapters.config, adapters.state_dict(), model)
    assert section_of(row) != first
