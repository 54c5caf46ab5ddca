"""Selection by text, box or mask: which of a model's encoders it concerns, and whether a request for it can be met."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import cast

from openfoley.encoders.base import FrameEncoder, Maskable, TextConditioned, TextEncoder
from openfoley.encoders.masked import masked
from openfoley.errors import UsageError
from openfoley.hub.parts import Model
from openfoley.hub.registry import no_selection
from openfoley.media.source import Source
from openfoley.request import Request
from openfoley.synthesis.region_features import SYNC

logger = logging.getLogger(__name__)


def words_encoders(model: Model) -> dict[str, TextEncoder]:
    """The text encoders whose tokens select, by name; none in a model without a selective encoder."""
    names = [one.inputs.words for one in model.encoders.values() if isinstance(one, TextConditioned)]
    return {name: cast(TextEncoder, model.encoders[name]) for name in names}


def model_for(model: Model, request: Request) -> Model:
    """The model that a request runs: where a text selects, what its folder has for that; otherwise the model itself.
    Where a region acts by attention, its sync encoder has masks, if it can."""
    asks = request.asks_selection is not None
    chosen = model.selective if asks and model.selective is not None else model
    encoder = chosen.encoders.get(SYNC)
    if not _by_attention(request) or not isinstance(encoder, FrameEncoder) or isinstance(encoder, Maskable):
        return chosen
    own = masked(encoder)
    return chosen if own is None else replace(chosen, encoders={**chosen.encoders, SYNC: own})


def _by_attention(request: Request) -> bool:
    return any(region.by == "attention" for region in request.regions)


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
    _check_regions(model_for(model, request), request)


def _check_regions(model: Model, request: Request) -> None:
    """UsageError for a region that this model has no place for."""
    if not request.regions:
        return
    option, encoder = request.regions[0].option, model.encoders.get(SYNC)
    if model.generator.reads_whole_video:
        raise UsageError(f"{option} is not an option of {model.name}, which reads the whole video; leave it out")
    if not isinstance(encoder, FrameEncoder):
        raise UsageError(f"{option} is not an option of {model.name}: it has no sync encoder; leave it out")
    if _by_attention(request) and not isinstance(encoder, Maskable):
        raise UsageError(
            f"{option} is not an option of {model.name}: its sync encoder pools no patches that a mask could hide; "
            "pass select_mask_by=grey, which shows it mid-grey there"
        )


def _check_length(text: str, encoder: TextEncoder, words: str) -> None:
    if (count := encoder.token_count(text)) > encoder.longest:
        raise UsageError(f"select is {count} tokens {words} {encoder.longest}; shorten it: {text[:40]!r}...")


def warn_of_negative_picture(model: Model, request: Request) -> None:
    """A negative picture belongs to a negative text, and of a pair beside a base to a text that selects; without one it
    changes nothing."""
    prompting, cues = request.prompting, request.timeline.cue_list
    if prompting.negative_picture and model.plain is not None and not request.selections:
        logger.warning("negative_picture has no effect without select; pass select too")
    if prompting.negative_picture and not prompting.negatives and not any(cue.negative_prompt for cue in cues):
        logger.warning("negative_picture has no effect without a negative prompt; pass negative_prompt too")


def check_picture(source: Source, request: Request) -> None:
    """UsageError for a selection from nothing."""
    if request.asks_picture is not None and not source.has_picture:
        raise UsageError(f"{request.asks_picture} needs a picture to choose from; pass a video, or only a prompt")
    if request.prompting.whole_video == "on" and not source.has_picture:
        raise UsageError("whole_video=on needs a picture; pass a video, or leave it out")
