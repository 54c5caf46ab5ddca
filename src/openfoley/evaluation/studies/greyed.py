"""A source whose frames are changed on their way to the encoders: the baseline that needs no selective encoder.

`greyed` is what users of SelVA do by hand (ComfyUI-SelVA's masks): outside of the thing the sync encoder's frames are
mid-grey; the other encoders see all. `half` is one side of a picture of two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.evaluation.studies.crowds import LEFT, RIGHT, Boxes
from openfoley.media.frames import FrameChunk, FrameRequest
from openfoley.media.source import Source

MID_GREY = 128
SYNC = "sync"  # the encoder, by its name in a model


def greyed(source: Source, boxes: Boxes) -> Source:
    """The sync encoder's frames are mid-grey outside of the boxes; without area, everywhere."""

    def frames(requests: Sequence[FrameRequest]) -> Iterator[FrameChunk]:
        rates = {request.name: request.rate for request in requests}
        for chunk in source.chunks(requests):
            if chunk.name != SYNC:
                yield chunk
                continue
            times = (chunk.first_index + np.arange(len(chunk.frames))) / float(rates[SYNC])
            yield replace(chunk, frames=_only_in(chunk.frames, boxes(times)))

    return Source(source.info, frames)


def half(source: Source, box: tuple[float, float, float, float]) -> Source:
    """The left or right half of a picture, seen as wide as the whole."""
    assert box in (LEFT, RIGHT)

    def frames(requests: Sequence[FrameRequest]) -> Iterator[FrameChunk]:
        widths = {request.name: request.width for request in requests}
        for chunk in source.chunks([replace(request, width=2 * request.width, fit="squash") for request in requests]):
            left, right = chunk.frames.split(widths[chunk.name], -1)
            yield replace(chunk, frames=left if box == LEFT else right)

    return Source(source.info, frames)


def _only_in(
    frames: UInt8[Tensor, "time 3 height width"], boxes: Float[np.ndarray, "time 4"]
) -> UInt8[Tensor, "time 3 height width"]:
    """A pixel is inside if its centre is."""
    left, top, right, bottom = (torch.from_numpy(edge)[:, None] for edge in boxes.T)
    height, width = frames.shape[-2:]
    x, y = (torch.arange(width) + 0.5) / width, (torch.arange(height) + 0.5) / height
    inside = ((y >= top) & (y < bottom))[:, None, :, None] & ((x >= left) & (x < right))[:, None, None]
    return torch.where(inside, frames, torch.full_like(frames, MID_GREY))
