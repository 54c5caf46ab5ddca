"""Rotation of decoded frames for display (the display matrix of MP4, MOV and Matroska files).

ISO/IEC 14496-12 section 8.3.2: a pixel at (x, y), y downwards, is shown at x' = a x + c y, y' = b x + d y (plus a shift
that brings the picture back to the origin). A phone held upright writes a = 0, b = 1, c = -1, d = 0: x' = -y, y' = x,
a quarter turn clockwise.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


@dataclass(frozen=True)
class Orientation:
    """Swap x and y first (`transposed`), then mirror."""

    transposed: bool
    mirror_x: bool
    mirror_y: bool

    @property
    def rotation(self) -> int:
        """The turn in degrees clockwise (0, 90, 180, 270); a mirrored picture counts as its unmirrored turn."""
        if self.transposed:
            return 270 if self.mirror_y and not self.mirror_x else 90
        return 180 if self.mirror_y else 0

    def apply(self, frames: Tensor) -> Tensor:
        """Rotate pictures [..., height, width] for display."""
        if self.transposed:
            frames = frames.transpose(-1, -2)
        dimensions = [d for d, mirrored in ((-1, self.mirror_x), (-2, self.mirror_y)) if mirrored]
        return frames.flip(dimensions) if dimensions else frames


UPRIGHT = Orientation(False, False, False)


def orientation_of(frame: VideoFrame) -> Orientation:
    """The frame's display matrix to the nearest quarter turn; upright without one."""
    from av.sidedata.sidedata import Type

    matrix = frame.side_data.get(Type.DISPLAYMATRIX)  # type: ignore[call-overload]
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d = struct.unpack("=9i", bytes(matrix)[:36])[:5]  # type: ignore[arg-type]
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, mirror_x=c < 0, mirror_y=b < 0)
    return Orientation(False, mirror_x=a < 0, mirror_y=d < 0)
