"""From a video file to what the generator hears of it: one decode pass, two encoders, features as long as needed.

Every shot is encoded by itself: at a cut the encoders' streams end and new ones begin, so that no feature has seen both
sides of it and a shot's features are those of the shot alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from openfoley.hub.parts import Model
from openfoley.media.pictures import Pictures
from openfoley.synthesis.feature_buffer import FeatureBuffer
from openfoley.timeline.plan import PlannedWindow
from openfoley.timeline.shots import Shot
from openfoley.types import Conditions, FrameChunk, FrameRequest

ENCODERS = ("sync", "semantic")
SYNC_REACH = 2  # sync features beyond each end of a window: the support of cubic interpolation


@dataclass(frozen=True)
class FeatureRun:
    """The next features [n, dim] of one encoder in one shot; is_last: the shot has no more (n may be 0)."""

    name: str
    shot: int
    features: Tensor
    is_last: bool


def feature_rate(encoder: Any) -> Fraction:
    """Features per second; an encoder may give fewer than it takes frames."""
    return Fraction(getattr(encoder, "feature_rate", encoder.rate))


def frame_request(name: str, encoder: Any) -> FrameRequest:
    """How the encoder wants its frames."""
    fit: Any = getattr(encoder, "fit", "squash")
    resize: Any = getattr(encoder, "resize", "area")
    return FrameRequest(name, encoder.rate, encoder.height, encoder.width, fit, resize)


def first_frame(shot: Shot, rate: Fraction) -> int:
    """The number of the shot's first frame among those picked at `rate` Hz."""
    return ceil(shot.start * rate)


def seen_by(model: Model, path: Path) -> Pictures:
    """The pictures of a file as the model's encoders want them."""
    return Pictures(path, [frame_request(name, getattr(model, name)) for name in ENCODERS])


def encoded_pictures(
    model: Model, pictures: Pictures, shots: Sequence[Shot], device: torch.device, first_shot: int = 0
) -> Iterator[FeatureRun]:
    """The features of all shots from `first_shot` on. pictures: `seen_by` this model, read in a single pass."""
    encodings = {name: ShotEncoding(name, getattr(model, name), shots, device, first_shot) for name in ENCODERS}
    for chunk in pictures.chunks():
        yield from encodings[chunk.name].push(chunk)
    for encoding in encodings.values():
        yield from encoding.finish()


class ShotEncoding:
    """One encoder along all shots: frames in, features out, a new stream for every shot."""

    def __init__(self, name: str, encoder: Any, shots: Sequence[Shot], device: torch.device, first_shot: int) -> None:
        self.name, self.encoder, self.device, self.first_shot = name, encoder, device, first_shot
        self.ends = [*(first_frame(shot, encoder.rate) for shot in shots[1:]), None]  # first frame behind each shot
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
            nothing = torch.zeros(0, self.encoder.dim, device=self.device)
            yield FeatureRun(self.name, self.shot, torch.cat([nothing, *features]), is_last=True)
        self.shot, self.frame_in_shot = self.shot + 1, 0
        self.stream = self.encoder.stream()


class ConditionBuilder:
    """Reads features just ahead of the windows, and tells the generator what is seen and asked in each."""

    def __init__(self, model: Model, shots: Sequence[Shot], feed: Iterator[FeatureRun], device: torch.device) -> None:
        self.model, self.shots, self.feed, self.device = model, shots, feed, device
        self.latent_rate: Fraction = model.codec.latent_rate
        self.buffers: dict[tuple[str, int], FeatureBuffer] = {}
        self.ended: set[tuple[str, int]] = set()
        self.is_over = False

    def conditions(self, planned: PlannedWindow, text: Tensor, text_present: bool, reference: int = 0) -> Conditions:
        """What is seen and asked in a window that has `reference` latents of another sound in front of it.

        text: [1, ..., text_dim]. Over the reference and over sound carried on from before a cut nothing is seen.
        """
        window, shot, rate = planned.window, planned.shot, self.latent_rate
        zero = (window.first_latent - reference) / rate
        start, end = window.first_latent / rate, window.end_latent / rate
        seen_from = max(start, shot.start) if shot.join == "carry" else start
        reach = SYNC_REACH / feature_rate(self.model.sync)
        self._read_until(shot.index, end + reach)
        semantic = self._seen("semantic", shot, zero, seen_from, start, end, Fraction(0))
        sync = self._seen("sync", shot, zero, seen_from, start, end, reach)
        self._forget(shot.index, start - reach)
        return Conditions(
            semantic=semantic[0],
            semantic_time=semantic[1],
            semantic_present=semantic[2],
            sync=sync[0],
            sync_time=sync[1],
            sync_present=sync[2],
            text=text,
            text_present=torch.tensor([text_present], device=self.device),
        )

    def _seen(
        self,
        name: str,
        shot: Shot,
        zero: Fraction,
        seen_from: Fraction,
        start: Fraction,
        end: Fraction,
        reach: Fraction,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Features [1, n, dim], times [1, n] s after `zero`, presence [1, n]."""
        buffer = self._buffer(name, shot.index)
        is_unseen = seen_from > start or start > zero  # something in front has no picture
        first = seen_from if is_unseen else seen_from - reach
        features, times = buffer.window(zero, first, end + reach)
        present = torch.ones(len(times), dtype=torch.bool, device=self.device)
        if is_unseen or not len(times):
            features, times, present = _padded(features, times, buffer, float(seen_from - zero), float(reach))
        return features[None], times[None], present[None]

    def _buffer(self, name: str, shot: int) -> FeatureBuffer:
        if (name, shot) not in self.buffers:
            encoder = getattr(self.model, name)
            origin = first_frame(self.shots[shot], encoder.rate) / Fraction(encoder.rate)
            origin += Fraction(getattr(encoder, "feature_offset", 0))
            group = getattr(encoder, "feature_group", 1)
            self.buffers[name, shot] = FeatureBuffer(feature_rate(encoder), encoder.dim, self.device, origin, group)
        return self.buffers[name, shot]

    def _read_until(self, shot: int, time: Fraction) -> None:
        """Read until every feature of the shot before `time` (s) is there, or the shot is over."""

        def is_short(name: str) -> bool:
            return (name, shot) not in self.ended and self._buffer(name, shot).end < time

        while not self.is_over and any(is_short(name) for name in ENCODERS):
            run = next(self.feed, None)
            if run is None:
                self.is_over = True
            else:
                self.take(run)

    def take(self, run: FeatureRun) -> None:
        """The next features of one encoder in one shot."""
        self._buffer(run.name, run.shot).append(run.features)
        if run.is_last:
            self.ended.add((run.name, run.shot))

    def hears_until(self, shot: int) -> Fraction:
        """Up to this instant (s) all features of the shot are here."""
        return min(self._buffer(name, shot).end for name in ENCODERS)

    def _forget(self, shot: int, time: Fraction) -> None:
        """Earlier shots, and in this one what lies before `time` (s)."""
        self.buffers = {key: buffer for key, buffer in self.buffers.items() if key[1] >= shot}
        for name in ENCODERS:
            self._buffer(name, shot).drop_before(time)

    def finish(self) -> None:
        """Read to the end, so that damage there is noticed."""
        for _ in self.feed:
            pass


def _padded(
    features: Tensor, times: Tensor, buffer: FeatureBuffer, seen_from: float, reach: float
) -> tuple[Tensor, ...]:
    """Features with absent ones in front, spaced evenly back to time -reach: as training marks the picture over clean
    latents absent. Between `seen_from` and the first feature the first one is held."""
    period = float(1 / buffer.rate)
    begin = float(times[0]) if len(times) else seen_from + reach + period / 2
    count = max(0 if len(times) else 1, int((begin + reach) / period + 1e-6))
    count = -(-count // buffer.group) * buffer.group
    early = torch.tensor([begin - period * k for k in range(count, 0, -1)], dtype=times.dtype, device=times.device)
    held = features[:1].expand(count, -1) if len(features) else features.new_zeros(count, features.shape[1])
    is_held = (early >= seen_from) & bool(len(features))
    present = torch.cat([is_held, torch.ones(len(times), dtype=torch.bool, device=times.device)])
    return torch.cat([held, features]), torch.cat([early, times]), present
