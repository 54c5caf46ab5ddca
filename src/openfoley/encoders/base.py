"""What the pipeline knows of a picture encoder: how it wants its frames, and frames to features.

Frame k of an encoder is the frame shown at k / rate seconds, and feature k belongs to that instant (arXiv 2510.02916,
section 3: sync features at 24 fps, semantic features at 8 fps).
"""

from fractions import Fraction
from typing import Protocol

from torch import Tensor


class FeatureStream(Protocol):
    """Frames in, features out, in bounded memory. Chunks of any size give the same features as one big push."""

    def push(self, frames: Tensor, first_index: int) -> list[Tensor]:
        """Take uint8 [n, 3, height, width], the next n frames (the first is frame `first_index`).

        Returns what has become final: consecutive runs of features [m, dim], possibly none.
        """
        ...

    def flush(self) -> list[Tensor]:
        """The video has ended: the remaining features. Over push and flush there is one feature per frame."""
        ...


class PictureEncoder(Protocol):
    """A frozen network that turns picked frames into one feature per frame."""

    rate: Fraction  # Hz, how often it looks
    height: int  # pixels
    width: int  # pixels
    dim: int  # numbers per feature

    def encode(self, frames: Tensor) -> Tensor:
        """uint8 [batch, time, 3, height, width] -> features [batch, time, dim]."""
        ...

    def stream(self) -> FeatureStream: ...
