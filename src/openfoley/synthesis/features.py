"""From pictures to features: one decode pass for all encoders, and a new stream of each for every shot.

At a cut the encoders' streams end and new ones begin, so that no feature has seen both sides of it and a shot's
features are those of the shot alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.encoders.base import FrameEncoder, Frames, frame_dim
from openfoley.hub.parts import Model
from openfoley.media.frames import FrameChunk, FrameRequest
from openfoley.media.source import Source
from openfoley.timeline.shots import Shot


@dataclass(frozen=True)
class FeatureRun:
    """The next features of one encoder in one shot; is_last: the shot has no more (n may be 0)."""

    name: str
    shot: int
    features: Float[Tensor, "n dim"]
    is_last: bool


def frame_encoders(model: Model) -> dict[str, FrameEncoder]:
    """The model's encoders that read frames, by name."""
    return {name: encoder for name, encoder in model.encoders.items() if isinstance(encoder, FrameEncoder)}


def frames_of(encoder: FrameEncoder) -> Frames:
    frames = encoder.inputs.frames
    assert frames is not None, "an encoder with a stream declares its frames"
    return frames


def frame_request(name: str, encoder: FrameEncoder) -> FrameRequest:
    """The frames that an encoder asks for."""
    frames = frames_of(encoder)
    return FrameRequest(name, frames.rate, frames.height, frames.width, frames.fit, frames.resize)


def frame_requests(model: Model) -> list[FrameRequest]:
    """The frames that a model asks for."""
    return [frame_request(name, encoder) for name, encoder in frame_encoders(model).items()]


def first_frame(shot: Shot, rate: Fraction) -> int:
    """The number of the shot's first frame among those picked at `rate` Hz."""
    return ceil(shot.start * rate)


def first_instant(encoder: FrameEncoder, shot: Shot) -> Fraction:
    """The instant (s) of the encoder's first feature in a shot."""
    rate = frames_of(encoder).rate
    return first_frame(shot, rate) / Fraction(rate) + encoder.outputs.offset


def encoded_pictures(
    model: Model, source: Source, shots: Sequence[Shot], device: torch.device, first_shot: int = 0
) -> Iterator[FeatureRun]:
    """The features of all shots from `first_shot` on, from a single pass over the source's frames."""
    encoders = frame_encoders(model)
    encodings = {name: ShotEncoding(name, encoder, shots, device, first_shot) for name, encoder in encoders.items()}
    for chunk in source.chunks(frame_requests(model)):
        yield from encodings[chunk.name].push(chunk)
    for encoding in encodings.values():
        yield from encoding.finish()


class ShotEncoding:
    """One encoder along all shots: frames in, features out, a new stream for every shot."""

    def __init__(
        self, name: str, encoder: FrameEncoder, shots: Sequence[Shot], device: torch.device, first_shot: int
    ) -> None:
        self.name, self.encoder, self.device, self.first_shot = name, encoder, device, first_shot
        rate = frames_of(encoder).rate
        self.ends = [*(first_frame(shot, rate) for shot in shots[1:]), None]  # first frame behind each shot
        self.shot, self.frame_in_shot = 0, 0
        self.stream = encoder.stream()

    def push(self, chunk: FrameChunk) -> Iterator[FeatureRun]:
        frames, index = chunk.frames, chunk.first_index
        while len(frames):
            end = self.ends[self.shot]
            if end is not None and index >= end:
                yield from self._end_shot()
                continue
            count = len(frames) if end is None else min(len(frames), end - index)
            if self.shot >= self.first_shot:
                for features in self.stream.push(frames[:count].to(self.device), self.frame_in_shot):
                    yield FeatureRun(self.name, self.shot, features, is_last=False)
            self.frame_in_shot += count
            frames, index = frames[count:], index + count

    def finish(self) -> Iterator[FeatureRun]:
        """The video is over."""
        while self.shot < len(self.ends):
            yield from self._end_shot()

    def _end_shot(self) -> Iterator[FeatureRun]:
        if self.shot >= self.first_shot:
            features = self.stream.flush() if self.frame_in_shot else []
            nothing = torch.zeros(0, frame_dim(self.encoder), device=self.device)
            yield FeatureRun(self.name, self.shot, torch.cat([nothing, *features]), is_last=True)
        self.shot, self.frame_in_shot = self.shot + 1, 0
        self.stream = self.encoder.stream()
