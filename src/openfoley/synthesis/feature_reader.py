"""Features of each encoder and shot, read from a feed just ahead of the windows and dropped behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from openfoley.encoders.base import FrameEncoder, frame_dim
from openfoley.synthesis.feature_buffer import FeatureBuffer
from openfoley.synthesis.features import FeatureRun, first_instant
from openfoley.timeline.shots import Shot
from openfoley.types import FeatureSequence


@dataclass(frozen=True)
class Span:
    """What a window covers of its shot, all in s on the video's clock. zero: the start of the sequence; the picture is
    seen from `seen_from` on; the window itself is [start, end)."""

    zero: Fraction
    seen_from: Fraction
    start: Fraction
    end: Fraction

    @property
    def has_unseen(self) -> bool:
        """Something in front has no picture."""
        return self.seen_from > self.start or self.start > self.zero


class FeatureReader:
    """on_run: receives every run that is taken."""

    def __init__(
        self,
        encoders: Mapping[str, FrameEncoder],
        shots: Sequence[Shot],
        feed: Iterator[FeatureRun],
        device: torch.device,
        on_run: Callable[[FeatureRun], None] | None = None,
    ) -> None:
        self.encoders, self.shots, self.feed, self.device, self.on_run = encoders, shots, feed, device, on_run
        self.buffers: dict[tuple[str, int], FeatureBuffer] = {}
        self.ended: set[tuple[str, int]] = set()
        self.is_over = False

    def sequence(self, name: str, shot: Shot, span: Span, reach: Fraction | None = None) -> FeatureSequence:
        """The features of one encoder in a window, of what has been read. reach: s beyond its ends (the encoder's)."""
        buffer = self.buffer(name, shot.index)
        outputs = self.encoders[name].outputs
        reach = Fraction(outputs.reach) / outputs.rate if reach is None else reach
        first = span.seen_from if span.has_unseen else span.seen_from - reach
        features, times = buffer.window(span.zero, first, span.end + reach)
        present = torch.ones(len(times), dtype=torch.bool, device=self.device)
        if span.has_unseen or not len(times):
            features, times, present = _padded(features, times, buffer, float(span.seen_from - span.zero), float(reach))
        return FeatureSequence(features[None], times[None], present[None])

    def buffer(self, name: str, shot: int) -> FeatureBuffer:
        if (name, shot) not in self.buffers:
            encoder = self.encoders[name]
            outputs, origin = encoder.outputs, self.origin(name, shot)
            self.buffers[name, shot] = FeatureBuffer(
                outputs.rate, frame_dim(encoder), self.device, origin, outputs.group
            )
        return self.buffers[name, shot]

    def origin(self, name: str, shot: int) -> Fraction:
        """The instant (s) of the encoder's first feature in a shot."""
        return first_instant(self.encoders[name], self.shots[shot])

    def read_until(self, shot: int, time: Fraction) -> None:
        """Read until every feature of the shot before `time` (s) is there, or the shot is over."""

        def is_short(name: str) -> bool:
            return (name, shot) not in self.ended and self.buffer(name, shot).end < time

        while not self.is_over and any(is_short(name) for name in self.encoders):
            run = next(self.feed, None)
            if run is None:
                self.is_over = True
            else:
                self.take(run)

    def take(self, run: FeatureRun) -> None:
        """The next features of one encoder in one shot."""
        self.buffer(run.name, run.shot).append(run.features)
        if self.on_run is not None:
            self.on_run(run)
        if run.is_last:
            self.ended.add((run.name, run.shot))

    def forget(self, shot: int, time: Fraction) -> None:
        """Drop earlier shots, and in this one what lies before `time` (s)."""
        self.buffers = {key: buffer for key, buffer in self.buffers.items() if key[1] >= shot}
        for name in self.encoders:
            self.buffer(name, shot).drop_before(time)


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
