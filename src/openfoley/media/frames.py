"""What a probe reads of a video, which frames are requested of it, and the frames that come back.

Frame k of a request at rate r is the frame shown at the instant k / r; time 0 is the first shown frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from jaxtyping import UInt8
from torch import Tensor


@dataclass(frozen=True)
class VideoInfo:
    """What a probe reads of a video file, nothing decoded yet."""

    path: Path | None  # None: no file
    duration: Fraction  # s, start of the first shown frame to end of the last
    start: Fraction  # s, time of the first shown frame on the file's clock
    width: int  # pixels, after rotation
    height: int  # pixels, after rotation
    rotation: int  # degrees, as the display matrix asks
    frame_rate: Fraction  # Hz, average
    audio_streams: int


@dataclass(frozen=True)
class FrameRequest:
    """What an encoder asks for: the frames shown at k / rate, brought to height x width.

    fit: the whole frame, squashed, or the largest centred part of the same aspect. resize: by swscale (fast), or as
    published encoders were trained, by antialiased bicubic interpolation of 8-bit colours.
    """

    name: str
    rate: Fraction  # Hz
    height: int
    width: int
    fit: Literal["squash", "cover"] = "squash"
    resize: Literal["area", "bicubic"] = "area"


@dataclass(frozen=True)
class FrameChunk:
    """Consecutive picked frames of one request."""

    name: str
    first_index: int
    frames: UInt8[Tensor, "frames 3 height width"]
