"""Pictures that arrive as arrays instead of a file, brought to what an encoder wants as `media.decode` does."""

from __future__ import annotations

import torch
from torch import Tensor

from openfoley.media.decode import _bicubic
from openfoley.types import FrameRequest


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
