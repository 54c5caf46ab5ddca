"""Frames in memory as the source of a sound: what H.264 would do to them is the only difference to a file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil, floor

import torch
from jaxtyping import UInt8
from torch import Tensor

from openfoley.media.live import as_requested
from openfoley.media.provisional import Source
from openfoley.media.scenes import SIDE, CutDetector
from openfoley.types import FrameChunk, FrameRequest, VideoInfo

RATE = Fraction(24)  # Hz, of the Gym's pictures here


class _Pictures(Source):
    """Stands for `Source.tensor` until media.source.Source is there."""

    def __init__(self, pictures: Tensor) -> None:
        count, _, height, width = pictures.shape
        super().__init__(None, VideoInfo(None, count / RATE, Fraction(0), width, height, 0, RATE, count, 0))
        self.pictures = pictures
        self.hash = hashlib.sha256(pictures.contiguous().numpy().tobytes()).hexdigest()

    @property
    def content_hash(self) -> str:
        return self.hash

    def cuts(self, requests: Sequence[FrameRequest] = ()) -> tuple[Fraction, ...]:
        detector, found = CutDetector(), []
        for chunk in self.chunks([FrameRequest("cuts", RATE, SIDE, SIDE)]):
            found += detector.push(chunk.frames)
        return tuple(number / RATE for number in [*found, *detector.flush()])

    def chunks(self, requests: Sequence[FrameRequest]) -> Iterator[FrameChunk]:
        for second in range(ceil(self.info.duration)):
            for request in requests:
                end = min(ceil((second + 1) * request.rate), ceil(self.info.duration * request.rate))
                numbers = range(ceil(second * request.rate), end)
                frames = [as_requested(self.pictures[floor(k * RATE / request.rate)], request) for k in numbers]
                if frames:
                    yield FrameChunk(request.name, numbers.start, torch.stack(frames))


def source_of(pictures: UInt8[Tensor, "frames 3 height width"]) -> Source:
    """Pictures at RATE."""
    return _Pictures(pictures)
