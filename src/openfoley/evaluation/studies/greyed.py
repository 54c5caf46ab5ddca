"""A source whose frames are changed on their way to the encoders: the baseline that needs no selective encoder; and the
mask of its boxes as a file.

`greyed` is what users of SelVA do by hand (ComfyUI-SelVA's masks): outside of the thing the sync encoder's frames are
mid-grey; the other encoders see all. `half` is one side of a picture of two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from openfoley.evaluation.studies.crowds import LEFT, RIGHT, Boxes
from openfoley.media.frames import FrameChunk, FrameRequest
from openfoley.media.source import Source
from openfoley.media.write.encode import write_video

MID_GREY = 128
LOSSLESS = 0  # x264's crf
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


def write_mask(path: Path, source: Source, boxes: Boxes) -> Path:
    """A video of the source's size, rate and length, white inside of the boxes (`Prompting.select_mask`)."""
    info = source.info
    times = np.arange(round(info.duration * info.frame_rate)) / float(info.frame_rate)
    white = (255 * _inside(boxes(times), info.height, info.width)).to(torch.uint8)
    write_video(path, white.expand(-1, 3, -1, -1), info.frame_rate, crf=LOSSLESS)
    return path


def _only_in(
    frames: UInt8[Tensor, "time 3 height width"], boxes: Float[np.ndarray, "time 4"]
) -> UInt8[Tensor, "time 3 height width"]:
    return torch.where(_inside(boxes, *frames.shape[-2:]), frames, torch.full_like(frames, MID_GREY))


def _inside(boxes: Float[np.ndarray, "time 4"], height: int, width: int) -> Bool[Tensor, "time 1 {height} {width}"]:
    """A pixel is inside if its centre is."""
    left, top, right, bottom = (torch.from_numpy(edge)[:, None] for edge in boxes.T)
    x, y = (torch.arange(width) + 0.5) / width, (torch.arange(height) + 0.5) / height
    return ((y >= top) & (y < bottom))[:, None, :, None] & ((x >= left) & (x < right))[:, None, None]
