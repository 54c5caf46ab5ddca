"""Rows of a study as text."""

from pathlib import Path

import pytest

from openfoley.errors import UsageError
from openfoley.evaluation.studies.requests import JoinsRequest
from openfoley.evaluation.studies.variations import check_rows, row_options, section_of, varied
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
     ("joyn=swap", "unknown option 'joyn'; did you mean join"), ("steps=0", "steps"), ("", "a row must be default")],
)  # fmt: skip
def test_what_is_no_row_is_refused(row: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        row_options(row)


def test_rows_are_distinct_keep_their_own_results_and_can_be_added(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rows must be distinct and at least one, got default, default"):
        check_rows(("default", "default"))
    names = {section_of(row) for row in ("default", "join=swap", "join=hard", "prompt=a/b")}
    assert len(names) == 4 and section_of("default") == "clip" and not any("/" in name for name in names)
    one, two = JoinsRequest(tmp_path, 4), JoinsRequest(tmp_path, 4, rows=("default", "join=swap"))
    assert one.identity == two.identity
