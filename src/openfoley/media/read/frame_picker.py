"""Samples frames for encoders from arrays instead of a file, as `media.read.decode` does."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil

import torch
from torch import Tensor

from openfoley.media.frames import FrameChunk, FrameRequest
from openfoley.media.read.decode import _bicubic

MOST_FRAMES = 64  # in a chunk


class FramePicker:
    """One request's frames from those of a source with a constant `rate` (Hz): picture k is the one shown at
    k / request.rate. duration: s of the source, None if unknown."""

    def __init__(self, request: FrameRequest, rate: Fraction, duration: Fraction | None = None) -> None:
        self._request, self._rate = request, rate
        self._end = None if duration is None else ceil(duration * request.rate)
        self._picked = 0

    def push(self, frame: Tensor, index: int) -> Iterator[FrameChunk]:
        """Frame `index` of the source, uint8 RGB [3, H, W], which is shown from index / rate to (index + 1) / rate."""
        end = ceil((index + 1) * self._request.rate / self._rate)
        end = end if self._end is None else min(end, self._end)
        if self._picked == end:
            return
        picture = as_requested(frame, self._request)
        while self._picked < end:
            count = min(MOST_FRAMES, end - self._picked)
            yield FrameChunk(self._request.name, self._picked, picture.expand(count, -1, -1, -1))
            self._picked += count


def as_requested(picture: Tensor, request: FrameRequest) -> Tensor:
    """uint8 RGB [3, H, W] -> uint8 [3, height, width]."""
    if request.fit == "squash" and request.resize == "area":
        return _scaled(picture, request.height, request.width)
    return _bicubic(picture, request.height, request.width, covers=request.fit == "cover")


def _scaled(picture: Tensor, height: int, width: int) -> Tensor:
    import av
    from av.video.reformatter import Interpolation

    if picture.shape[1:] == (height, width):
        return picture
    shrinks = height * width < picture.shape[1] * picture.shape[2]
    frame = av.VideoFrame.from_ndarray(picture.permute(1, 2, 0).contiguous().numpy(), format="rgb24")
    interpolation = Interpolation.AREA if shrinks else Interpolation.BICUBIC
    small = frame.reformat(width=width, height=height, format="rgb24", interpolation=interpolation)
    return torch.from_numpy(small.to_ndarray()).permute(2, 0, 1)
