"""Whether the windows of a request are conditioned on the whole video, and the model that does so."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from openfoley.errors import UsageError
from openfoley.hub.adapters import adapted
from openfoley.hub.parts import Model
from openfoley.hub.registry import no_adapters
from openfoley.request import Request
from openfoley.timeline.plan import PlannedWindow

logger = logging.getLogger(__name__)


def check_whole_video(model: Model, request: Request) -> None:
    """UsageError for whole_video=on where the whole video cannot be read."""
    if request.prompting.whole_video != "on":
        return
    if model.adapters is None and not model.generator.reads_whole_video:
        raise no_adapters(model.name)
    if request.regions:
        option = request.regions[0].option
        raise UsageError(
            f"whole_video=on and {option} exclude each other, as the rest of the video is not masked; leave out one"
        )


def reading_whole(model: Model, request: Request, plan: Sequence[PlannedWindow] | None) -> Model:
    """The model that runs a request, with its adapters where `Prompting.whole_video` asks for them. plan: of the whole
    video; None: of a stream, whose end is unknown."""
    setting = request.prompting.whole_video
    if model.adapters is None or setting == "off" or request.regions:
        return model
    if plan is not None and len(plan) < 2:
        if setting == "on":
            logger.warning("the video has one window, which contains all of it: the adapters are not used")
        return model
    return adapted(model)
