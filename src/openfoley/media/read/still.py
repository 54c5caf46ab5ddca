"""Still images: detection and reading in display orientation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from openfoley.errors import MediaError
from openfoley.media.read.opening import STILL_IMAGE_BRANDS, STILL_IMAGE_FORMATS, open_media, shown
from openfoley.media.read.orientation import orientation_of

if TYPE_CHECKING:
    from av.container import InputContainer

LARGEST_SIDE = 1920  # pixels; encoders use a few hundred


def is_still(path: Path) -> bool:
    """Whether the file is a picture rather than a video. MediaError for a file that cannot be read."""
    with open_media(path) as container:
        return _is_still(container)


def _is_still(container: InputContainer) -> bool:
    name = container.format.name
    brand = container.metadata.get("major_brand", "").strip()
    return name.endswith("_pipe") or name in STILL_IMAGE_FORMATS or brand in STILL_IMAGE_BRANDS


def upright(image: Path) -> Tensor:
    """The picture as uint8 RGB [3, height, width], upright, its longer side at most LARGEST_SIDE. MediaError."""
    with open_media(image) as container:
        frame = next(container.decode(video=0), None) if container.streams.video else None
        if frame is None:
            raise MediaError(f"{shown(image)} holds no picture; export it again")
        scale = min(1.0, LARGEST_SIDE / max(frame.width, frame.height))
        width, height = (max(2, round(side * scale / 2) * 2) for side in (frame.width, frame.height))
        pixels = frame.reformat(width=width, height=height, format="rgb24").to_ndarray()
        return orientation_of(frame).apply(torch.from_numpy(pixels).permute(2, 0, 1))
