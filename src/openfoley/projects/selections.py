"""What a text selects with, as takes keep it: a model's own parts do not depend on it, so that a project whose takes do
not select stays valid when it comes, goes or changes beside them."""

from __future__ import annotations

from openfoley.errors import WeightsError
from openfoley.hub.fingerprint import selection_fingerprint
from openfoley.hub.parts import Model
from openfoley.projects.record import Record
from openfoley.request import Request


def selection_of(model: Model, request: Request) -> str | None:
    """The hash of the selection beside the model's own parts that a request runs; None where it runs none."""
    return selection_fingerprint(model) if request.selections else None


def check_selection_weights(record: Record, model: Model, request: Request) -> None:
    """WeightsError for a request that selects with other weights than an earlier take."""
    if (own := selection_of(model, request)) is None:
        return
    for take in record.takes:
        if take.selection_sha256 not in (None, own):
            raise WeightsError(
                f"what selects by text in the model {record.model.name!r} has other weights than when take "
                f"{take.number} was made; put the old ones back, make a new project, or leave out select"
            )
