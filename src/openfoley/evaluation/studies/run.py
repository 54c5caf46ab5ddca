"""Run a study by its request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openfoley.evaluation.studies import cuts, joins, lengths, longform, reference, requests, scenes, steps
from openfoley.evaluation.studies.study import Progress

RUNS: dict[type[requests.StudyRequest], Callable[..., dict[str, Any]]] = {
    requests.ScenesRequest: scenes.run,
    requests.LongformRequest: longform.run,
    requests.JoinsRequest: joins.run,
    requests.ReferenceRequest: reference.run,
    requests.CutsRequest: cuts.run,
    requests.StepsRequest: steps.run,
    requests.LengthsRequest: lengths.run,
}


def run_study(request: requests.StudyRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Compute or resume a study; returns the contents of results.json. results.md has the table."""
    return RUNS[type(request)](request, progress)
