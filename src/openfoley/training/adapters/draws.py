"""What adapters are trained on: windows of long clips, with the features of a whole of random length around each.

A window lies in one shot, as those of a plan do; its own features are cut out exactly as a generation cuts them. The
whole is a random span of the clip that holds the window: 8 s to 5 minutes, log-uniformly; sometimes it ends with the
window, as it does live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, exp, floor, log
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.data.feature_cache import Batch
from openfoley.encoders.base import FrameEncoder, Outputs
from openfoley.errors import UsageError
from openfoley.generators.base import WholeInput
from openfoley.generators.mmaudio.config import MMAudioConfig
from openfoley.hub.parts import Model
from openfoley.synthesis.feature_buffer import FeatureBuffer
from openfoley.synthesis.features import first_instant, frame_encoders
from openfoley.synthesis.whole_video import Stretches
from openfoley.timeline.shots import Shot
from openfoley.training.adapters.features import LongFeatures
from openfoley.types import NEAR, SHOTS, TEXT, Conditions, FeatureSequence

SYNC = "sync"


@dataclass(frozen=True)
class Drawn:
    """A window of a clip, and the span of it (s) that counts as the whole video."""

    clip: int
    shot: int
    first_latent: int
    latents: int
    whole: tuple[float, float]
    caption: int


@dataclass(frozen=True)
class WholeDraws:
    """whole_s: shortest and longest span, s. past_share: of those that end with the window. context_drop: probability
    that a window's whole is absent for h_syn, and for h_global."""

    whole_s: tuple[float, float] = (8.0, 300.0)
    past_share: float = 0.2
    context_drop: float = 0.1


@dataclass(frozen=True)
class LongWindows:
    """The windows of these clips. grid: windows begin at multiples of so many seconds, for a generator whose batch
    shares the places of its sync features; None: at any latent."""

    clips: Sequence[LongFeatures]
    encoders: Mapping[str, FrameEncoder]
    latent_rate: Fraction
    whole_input: WholeInput
    draws: WholeDraws
    grid: Fraction | None = None

    @classmethod
    def of(cls, clips: Sequence[LongFeatures], model: Model, whole_input: WholeInput, draws: WholeDraws) -> LongWindows:
        config: Any = model.parts["generator"].config
        outputs = model.encoders[SYNC].outputs
        is_stretched = isinstance(config, MMAudioConfig) and config.clock == "stretched"
        grid = outputs.group / outputs.rate if is_stretched else None
        return cls(clips, frame_encoders(model), model.codec.latent_rate, whole_input, draws, grid)

    def draw(self, random: torch.Generator, latents: int) -> Drawn:
        """Every place of every shot that holds such a window is as likely. UsageError where none does."""
        places = self._places(latents)
        ends = torch.tensor([count for *_, count in places]).cumsum(0)
        if not len(ends):
            seconds = float(latents / self.latent_rate)
            raise UsageError(f"no shot of the clips is {seconds:.1f} s long; add longer ones")
        number = int(torch.randint(int(ends[-1]), (), generator=random))
        clip, shot, first, count = places[row := int((ends <= number).sum())]
        latent = self._on_grid(first + number - int(ends[row]) + count, first)
        whole = self._span(self.clips[clip], latent, latents, random)
        caption = int(torch.randint(len(self.clips[clip].text), (), generator=random))
        return Drawn(clip, shot, latent, latents, whole, caption)

    def batch(self, drawn: Sequence[Drawn], random: torch.Generator | None = None) -> Batch:
        """Windows of one length with their conditions. random: for the context that is dropped; None: none is."""
        rows = [self._conditions(one) for one in drawn]
        features = {name: _together([row.features[name] for row in rows], held=True) for name in rows[0].features}
        whole = {name: _together([row.whole[name] for row in rows], held=False) for name in rows[0].whole}
        if random is not None:
            gone = torch.rand(2, len(rows), generator=random) < self.draws.context_drop
            for names, rows_gone in (((NEAR, SYNC), gone[0]), (("semantic",), gone[1])):
                for name in names:
                    if name in whole:
                        one = whole[name]
                        whole[name] = FeatureSequence(one.values, one.time_s, one.present & ~rows_gone[:, None])
        latents = [
            self.clips[one.clip].latents[one.first_latent : one.first_latent + one.latents].float() for one in drawn
        ]
        return Batch(torch.stack(latents), Conditions(features, whole), None)

    def _conditions(self, drawn: Drawn) -> Conditions:
        clip = self.clips[drawn.clip]
        start = drawn.first_latent / self.latent_rate
        end = (drawn.first_latent + drawn.latents) / self.latent_rate
        features = {name: self._window(clip, name, drawn.shot, start, end) for name in self.encoders}
        text = clip.text[drawn.caption].float()
        said = torch.full((1, len(text)), clip.has_text)
        features[TEXT] = FeatureSequence(text[None], torch.zeros(1, len(text)), said)
        whole = {name: self._stretches[drawn.clip, name].between(*drawn.whole, float(start)) for name in self.encoders}
        reach = Fraction(self.whole_input.reach) / self.encoders[SYNC].outputs.rate
        whole[NEAR] = self._window(clip, SYNC, drawn.shot, start, end, reach)
        whole[SHOTS] = _shots(clip, drawn.whole, float(start))
        return Conditions(features, whole)

    def _window(
        self, clip: LongFeatures, name: str, shot: int, start: Fraction, end: Fraction, more: Fraction = Fraction(0)
    ) -> FeatureSequence:
        """As `synthesis.feature_reader`. more: s beyond the window."""
        outputs = self.encoders[name].outputs
        reach = max(Fraction(outputs.reach) / outputs.rate, more)
        values, times = self._buffer(clip, name, shot).window(start, start - reach, end + reach)
        return FeatureSequence(values.float()[None], times[None], torch.ones(1, len(times), dtype=torch.bool))

    def _buffer(self, clip: LongFeatures, name: str, shot: int) -> FeatureBuffer:
        outputs: Outputs = self.encoders[name].outputs
        buffer = FeatureBuffer(outputs.rate, 0, origin=self._origin(clip, name, shot), group=outputs.group)
        buffer.features = clip.of_shot(name, shot)
        return buffer

    def _origin(self, clip: LongFeatures, name: str, shot: int) -> Fraction:
        return first_instant(self.encoders[name], Shot(shot, clip.starts[shot], clip.ends[shot], "reset"))

    @cached_property
    def _stretches(self) -> dict[tuple[int, str], _ClipStretches]:
        """The whole of each clip, as `synthesis.whole_video` has it."""
        found = {}
        for number, clip in enumerate(self.clips):
            for name, encoder in self.encoders.items():
                rate, count = encoder.outputs.rate, max(1, round(self.whole_input.stretch_s * encoder.outputs.rate))
                rows = Stretches(rate, encoder.outputs.dim, count)
                for shot in range(len(clip.starts)):
                    rows.push(clip.of_shot(name, shot).float(), self._origin(clip, name, shot), is_last=True)
                found[number, name] = _ClipStretches(rows.values.tensor(), torch.tensor(rows.times).double())
        return found

    def _places(self, latents: int) -> list[tuple[int, int, int, int]]:
        """(clip, shot, first latent, how many places) of every shot that holds so many latents."""
        if latents not in self._known_places:
            found = []
            for number, clip in enumerate(self.clips):
                for shot, (start, end) in enumerate(zip(clip.starts, clip.ends, strict=True)):
                    first = ceil(start * self.latent_rate)
                    last = min(floor(end * self.latent_rate), len(clip.latents))
                    if last - first >= latents:
                        found.append((number, shot, first, last - first - latents + 1))
            self._known_places[latents] = found
        return self._known_places[latents]

    @cached_property
    def _known_places(self) -> dict[int, list[tuple[int, int, int, int]]]:
        return {}

    def _on_grid(self, latent: int, first: int) -> int:
        if self.grid is None:
            return latent
        step = self.grid * self.latent_rate
        return first + round(floor((latent - first) / step) * step)

    def _span(self, clip: LongFeatures, latent: int, latents: int, random: torch.Generator) -> tuple[float, float]:
        start, end = float(latent / self.latent_rate), float((latent + latents) / self.latent_rate)
        (shortest, longest), duration = self.draws.whole_s, float(clip.duration)
        length_draw, place_draw, past = torch.rand(3, generator=random).tolist()
        length = max(exp(log(shortest) + length_draw * log(longest / shortest)), end - start)
        if past < self.draws.past_share:
            return max(0.0, end - length), end
        low, high = max(0.0, end - length), min(start, duration - length)
        begin = low + place_draw * max(0.0, high - low)
        return begin, min(duration, begin + length)


@dataclass(frozen=True)
class _ClipStretches:
    values: Float[Tensor, "n dim"]
    times: Float[Tensor, " n"]  # s, float64

    def between(self, start: float, end: float, zero: float) -> FeatureSequence:
        inside = (self.times >= start) & (self.times < end)
        times = (self.times[inside] - zero).float()
        return FeatureSequence(self.values[inside][None], times[None], torch.ones(1, len(times), dtype=torch.bool))


def _shots(clip: LongFeatures, whole: tuple[float, float], zero: float) -> FeatureSequence:
    """The shots of a span of a clip."""
    start, end = whole
    pairs = [(max(float(a), start), min(float(b), end)) for a, b in zip(clip.starts, clip.ends, strict=True)]
    pairs = [(a, b) for a, b in pairs if b > a]
    starts = torch.tensor([[a - zero for a, _ in pairs]])
    lengths = torch.tensor([[[b - a] for a, b in pairs]])
    return FeatureSequence(lengths, starts, torch.ones(1, len(pairs), dtype=torch.bool))


def _together(rows: Sequence[FeatureSequence], *, held: bool) -> FeatureSequence:
    """Rows of any length as a batch. held: shorter ones go on with their last feature, as a generator holds it; else
    they are filled with absent ones."""
    longest = max(row.values.shape[1] for row in rows)

    def filled(row: FeatureSequence) -> FeatureSequence:
        count = row.values.shape[1]
        missing = longest - count
        if not missing:
            return row
        period = row.time_s[:, -1:] - row.time_s[:, -2:-1] if count > 1 else torch.ones(1, 1)
        last = row.time_s[:, -1:] if count else torch.zeros(1, 1)
        time = last + period * torch.arange(1, missing + 1)
        value = row.values[:, -1:] if count and held else row.values.new_zeros(1, 1, row.values.shape[2])
        present = torch.full((1, missing), held and count > 0)
        return FeatureSequence(
            torch.cat([row.values, value.expand(-1, missing, -1)], 1),
            torch.cat([row.time_s, time], 1),
            torch.cat([row.present, present], 1),
        )

    every = [filled(row) for row in rows]
    return FeatureSequence(
        *(torch.cat([getattr(row, name) for row in every]) for name in ("values", "time_s", "present"))
    )


def to_device(batch: Batch, device: torch.device) -> Batch:
    """The batch on the device."""
    moved = batch.conditions.map(lambda sequence: sequence.each(lambda rows: rows.to(device)))
    return Batch(batch.latents.to(device), moved, None)
