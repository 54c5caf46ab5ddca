"""A scene shown to the pipeline with no file in between: its pictures go straight to the encoders.

What H.264 would do to them is the only difference to a file. Cut detector, shots, plan, sampling and codec are the
pipeline's own; a screening stands where the feature store does, and all sounds made of it share its features.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, floor
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from openfoley.encoders.base import FrameEncoder
from openfoley.hub.parts import Model
from openfoley.media.scenes import SIDE as SIDE_OF_CUTS
from openfoley.media.scenes import CutDetector
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline
from openfoley.synthesis.features import FeatureRun, ShotEncoding, frame_encoders, frames_of
from openfoley.timeline.shots import Shot
from openfoley.types import Audio, FrameChunk, VideoInfo

RATE = Fraction(24)  # Hz, of the pictures


class Screening(Source):
    """For one set of encoders. pictures: uint8 [n, 3, height, width] at RATE, in pieces of any length.

    record: a file that tells of the scene; it stands for the video, which the pipeline has no need to open.
    """

    def __init__(self, record: Path, pictures: Sequence[Tensor]) -> None:
        self.record, self.pictures = record, list(pictures)
        self.frames = sum(map(len, self.pictures))
        height, width = self.pictures[0].shape[-2:]
        info = VideoInfo(record, self.frames / RATE, Fraction(0), width, height, 0, RATE, self.frames, 0)
        super().__init__(info, lambda requests: iter(()))
        self._cuts: tuple[Fraction, ...] | None = None
        self._runs: dict[tuple[Fraction, ...], list[FeatureRun]] = {}  # by the starts of the shots

    def sounds(self, pipeline: Pipeline, seeds: Sequence[int] = (1,), **asked: Any) -> list[Audio]:
        """One for each seed. asked: arguments of `Pipeline.generate_takes`."""
        asked["store"] = self
        return [take.audio for take in pipeline.generate_takes(self, seeds, **asked)]

    def sound(self, pipeline: Pipeline, seed: int = 1, **asked: Any) -> Audio:
        (made,) = self.sounds(pipeline, (seed,), **asked)
        return made

    def end(self, pipeline: Pipeline, start_s: float, seed: int, **asked: Any) -> Audio:
        """The sound from `start_s` on: all of it is sampled, but nothing before is decoded."""
        codec = HeardLate(pipeline.model.codec)

        def told(done_s: float, _: float) -> None:
            codec.is_heard = done_s >= start_s

        late = replace(pipeline, model=replace(pipeline.model, codec=codec))
        whole = self.sound(late, seed, progress=told, **asked)
        return Audio(whole.samples[:, round(start_s * whole.sample_rate) :], whole.sample_rate)

    def beginning(self, duration_s: int) -> Screening:
        """The first seconds of a scene that is one shot. What was encoded of the whole counts for them too: of a video
        that ends there the last third of a second would be seen in other snippets."""
        frames = torch.cat(self.pictures)[: int(duration_s * RATE)]
        part = Screening(self.record, [frames])
        for starts, runs in self._runs.items():
            if len(starts) > 1:
                raise ValueError(f"a beginning is that of a single shot, got {len(starts)} shots")
            part._runs[starts] = [_cut(run, duration_s * RATE / self.frames) for run in _joined(runs)]
        return part

    def stretch(self, first: int, end: int) -> Screening:
        """Frames first ... end - 1 as a scene of their own, encoded anew."""
        return Screening(self.record, [torch.cat(self.pictures)[first:end]])

    @property
    def start_timecode(self) -> None:
        return None

    def cuts(self, *_: object) -> tuple[Fraction, ...]:
        """What the pipeline's detector finds."""
        if self._cuts is None:
            detector, size = CutDetector(), (SIDE_OF_CUTS, SIDE_OF_CUTS)
            found = []
            for frames in self.pictures:
                found += detector.push(functional.interpolate(frames.float(), size, mode="area").round().byte())
            self._cuts = tuple(number / RATE for number in [*found, *detector.flush()])
        return self._cuts

    def runs(
        self, model: Model, source: Source, shots: Sequence[Shot], device: torch.device, first_shot: int = 0
    ) -> Iterator[FeatureRun]:
        """As `FeatureStore.runs`; encoded at the first call for these shots."""
        starts = tuple(shot.start for shot in shots)
        if starts not in self._runs:
            self._runs[starts] = list(self._encoded(model, shots, device))
        return (run for run in self._runs[starts] if run.shot >= first_shot)

    def _encoded(self, model: Model, shots: Sequence[Shot], device: torch.device) -> Iterator[FeatureRun]:
        encodings = [ShotEncoding(name, e, shots, device, 0) for name, e in frame_encoders(model).items()]
        first = 0
        for frames in self.pictures:
            for encoding in encodings:
                yield from encoding.push(picked(encoding.name, encoding.encoder, frames, first))
            first += len(frames)
        for encoding in encodings:
            yield from encoding.finish()


class HeardLate:
    """A codec that decodes to silence until `is_heard`."""

    def __init__(self, codec: Any) -> None:
        self._codec, self.is_heard = codec, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codec, name)

    def decode(self, latent: Tensor) -> Tensor:
        if self.is_heard:
            return self._codec.decode(latent)
        return latent.new_zeros(latent.shape[0], self.channels, latent.shape[1] * self.hop_length)


def picked(name: str, encoder: FrameEncoder, frames: Tensor, first: int) -> FrameChunk:
    """Those of the frames `first`, first + 1 ... that an encoder looks at, in its size: its frame k is the one shown at
    k / rate."""
    wanted = frames_of(encoder)
    every = RATE / wanted.rate
    number = begin = ceil(first / every)
    places = []
    while (place := floor(number * every) - first) < len(frames):
        places.append(place)
        number += 1
    chosen, size = frames[places], (wanted.height, wanted.width)
    if places and chosen.shape[-2:] != size:
        resized = functional.interpolate(chosen.float(), size, mode="bilinear", antialias=True)
        chosen = resized.round().clamp(0, 255).byte()
    return FrameChunk(name, begin, chosen)


def _joined(runs: Sequence[FeatureRun]) -> list[FeatureRun]:
    """The runs of one shot as one run for each encoder."""
    return [
        FeatureRun(name, 0, torch.cat([run.features for run in runs if run.name == name]), is_last=True)
        for name in dict.fromkeys(run.name for run in runs)
    ]


def _cut(run: FeatureRun, share: Fraction) -> FeatureRun:
    """The first `share` of a run's features."""
    return replace(run, features=run.features[: ceil(len(run.features) * share)])
