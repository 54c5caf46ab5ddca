"""Selection by text: which of a model's encoders it concerns, and whether a request that asks for it can be met."""

from __future__ import annotations

import logging
from typing import cast

from openfoley.encoders.base import TextConditioned, TextEncoder
from openfoley.errors import UsageError
from openfoley.hub.parts import Model
from openfoley.hub.registry import no_selection
from openfoley.media.source import Source
from openfoley.request import Request

logger = logging.getLogger(__name__)


def words_encoders(model: Model) -> dict[str, TextEncoder]:
    """The text encoders whose tokens select, by name; none in a model without a selective encoder."""
    names = [one.inputs.words for one in model.encoders.values() if isinstance(one, TextConditioned)]
    return {name: cast(TextEncoder, model.encoders[name]) for name in names}


def model_for(model: Model, request: Request) -> Model:
    """The model that a request runs: where a text selects, what its folder has for that; otherwise the model itself."""
    asks = request.asks_selection is not None
    return model.selective if asks and model.selective is not None else model


def check_selection(model: Model, request: Request) -> None:
    """UsageError for a selection that this model cannot make: it has no selective encoder, or the text is longer than
    its encoder reads, or than that of the prompt where it stands in for one."""
    encoders = words_encoders(model_for(model, request))
    if (asked := request.asks_selection) is not None and not encoders:
        raise no_selection(asked, model.name)
    for encoder in encoders.values():
        for text in request.selections:
            _check_length(text, encoder, f"long, {model.name} reads at most")
    for text in request.selections_without_prompt if encoders else ():
        _check_length(text, model.text_encoder, f"long as the prompt that is missing, {model.name} reads at most")


def _check_length(text: str, encoder: TextEncoder, words: str) -> None:
    if (count := encoder.token_count(text)) > encoder.longest:
        raise UsageError(f"select is {count} tokens {words} {encoder.longest}; shorten it: {text[:40]!r}...")


def warn_of_negative_picture(request: Request) -> None:
    """A negative picture belongs to a negative text, and without one it changes nothing."""
    prompting, cues = request.prompting, request.timeline.cue_list
    if prompting.negative_picture and not prompting.negatives and not any(cue.negative_prompt for cue in cues):
        logger.warning("negative_picture has no effect without a negative prompt; pass negative_prompt too")


def check_picture(source: Source, request: Request) -> None:
    """UsageError for a selection from nothing."""
    if request.asks_selection is not None and not source.has_picture:
        raise UsageError(f"{request.asks_selection} needs a picture to choose from; pass a video, or only a prompt")
