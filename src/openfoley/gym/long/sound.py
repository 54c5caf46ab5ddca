"""The sound of a long scene, chunk by chunk: memory does not depend on its length.

Each place (`records.Shot.place`) has one room; its impacts ring on and its lasting sounds continue over the cuts
between its shots, at which only panning and distance change, in 5 ms. A place's sound ends with a fade of 10 ms where
the next begins. Chunks are counted from the place's start; the room's tail of each reaches into the next.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from jaxtyping import Float
from scipy.interpolate import CubicSpline
from torch import Tensor

from openfoley.gym.audibility import MASKING_WINDOW_S, Powers, audible_beside, decibels, ring_db
from openfoley.gym.levels import Levels, scene_contacts, scene_frictions
from openfoley.gym.long.timbre import lasting_wave
from openfoley.gym.placed import convolve, placed_gains, room_of
from openfoley.gym.records import Contact, Friction, GymObject, Scene, Shot, Track
from openfoley.gym.timbre import FRICTION_LEVEL, GRAIN_LONGEST_S, IMPACT_LONGEST_S, LOUDEST, impact_of

CHUNK_S = 10.0
CONTROL_RATE = 200  # Hz, of levels and gains; between its instants they are straight lines
CUT_BLEND_S = 0.005  # in which a lasting sound goes over to the next shot's gains
CUT_FADE_S = 0.01
LONGEST_WAVE_S = IMPACT_LONGEST_S + 2 * GRAIN_LONGEST_S  # of an impact, or of a rattle of the flat world's

Sound = Float[Tensor, "2 samples"]


@dataclass(frozen=True)
class _Place:
    """Shots that share a sound, of the samples [first, last)."""

    shots: Sequence[Shot]
    number: int
    first: int
    last: int


class LongSound:
    """Iterate over the chunks of a scene's mix, or of one object's stem (`only`: its id); `levels` is there
    afterwards."""

    def __init__(self, scene: Scene, sample_rate: int = 44_100, only: str | None = None) -> None:
        self.scene, self.rate, self.only = scene, sample_rate, only
        self.samples = round(scene.duration_s * sample_rate)
        self.gain = 10 ** (scene.gain_db / 20)
        self.contacts = scene_contacts(scene)
        self._powers = {id(c): Powers() for _, c in self.contacts}
        self._rings_db: dict[int, float] = {}
        self._lasting = {id(f): np.zeros(2) for _, f in scene_frictions(scene)}  # energy, samples

    def __iter__(self) -> Iterator[Sound]:
        before = torch.zeros(2, 0)  # end of the mix so far
        falling = torch.linspace(1, 0, int(CUT_FADE_S * self.rate))
        for place in self._places():
            number, tail = place.shots[0].place, torch.zeros(2, 0)
            room = room_of(np.random.default_rng([self.scene.seed, number or 0, 7]), place.shots[0].room_s, self.rate)
            for first in range(place.first, place.last, round(CHUNK_S * self.rate)):
                last = min(first + round(CHUNK_S * self.rate), place.last)
                dry = torch.cat([tail, self._dry(place, first, last)], -1)
                wet = (dry + place.shots[0].room_level * convolve(dry, room))[:, tail.shape[-1] :]
                tail = dry[:, -room.shape[-1] :]
                if last == place.last and last < self.samples:
                    wet[:, -len(falling) :] *= falling[-wet.shape[-1] :]
                self._measure_rings(wet, before, first, last)
                before = wet[:, -int(MASKING_WINDOW_S * self.rate) :]
                yield wet

    @property
    def levels(self) -> Levels:
        """Of the mix, once it is rendered."""
        times_s, powers = [c.time_s for _, c in self.contacts], [self._powers[id(c)] for _, c in self.contacts]
        audible = audible_beside(times_s, powers, [self._rings_db[id(c)] for _, c in self.contacts])
        lasting = [self._lasting[id(f)] for _, f in scene_frictions(self.scene)]
        return Levels(
            tuple(decibels(one.loudness) for one in powers),
            audible,
            tuple(decibels(float(energy / max(count, 1))) for energy, count in lasting),
        )

    def _places(self) -> Iterator[_Place]:
        number = 0
        for _, group in groupby(self.scene.shots, key=lambda shot: shot.place):
            shots = list(group)
            first, last = (round(edge * self.rate) for edge in (shots[0].start_s, shots[-1].end_s))
            yield _Place(shots, number, first, min(last, self.samples))
            number += 1

    def _dry(self, place: _Place, first: int, last: int) -> Sound:
        """All things of a place without the room, samples [first, last)."""
        dry = torch.zeros(2, last - first)
        for shot in place.shots:
            objects = {o.id: o for p in shot.performances for o in p.objects if self.only in (None, o.id)}
            for act in shot.performances:
                for contact in (c for c in act.contacts if c.object_id in objects):
                    self._add_impact(dry, shot, contact, objects[contact.object_id], first)
                for friction in (f for f in act.frictions if f.object_id in objects):
                    self._add_lasting(dry, shot, friction, objects[friction.object_id], first)
        return dry

    def _add_impact(self, dry: Sound, shot: Shot, contact: Contact, object_: GymObject, first: int) -> None:
        at = round(contact.time_s * self.rate) - first
        if at >= dry.shape[-1] or at < -LONGEST_WAVE_S * self.rate or contact.time_s >= self.scene.duration_s:
            return
        wave = impact_of(contact, object_, object_, self.rate) * self.gain
        gains = placed_gains(self.scene, shot, np.array([contact.position]), np.array([contact.time_s]))
        if at >= 0:
            self._powers[id(contact)].add(wave, self.rate, float((gains[0] ** 2).mean()))
        wave = wave[max(-at, 0) : dry.shape[-1] - at]
        place = max(at, 0)
        dry[:, place : place + len(wave)] += wave[None] * torch.from_numpy(gains[0].astype(np.float32))[:, None]

    def _add_lasting(self, dry: Sound, shot: Shot, friction: Friction, object_: GymObject, first: int) -> None:
        assert friction.clock_s is not None, "a long scene's lasting sounds have a clock"
        start, end = max(friction.start_s, shot.start_s), min(friction.end_s, shot.end_s)
        low = max(round((start - CUT_BLEND_S) * self.rate) - first, 0)
        high = min(round((end + CUT_BLEND_S) * self.rate) - first, dry.shape[-1])
        if low >= high or end <= start:
            return
        times = (first + np.arange(low, high)) / self.rate
        turns = high - low if friction.turns is None else _between_ticks(times, friction.turns)
        clock = round(friction.clock_s * self.rate)
        wave = lasting_wave(object_, friction.action, first + low - clock, turns, self.rate)
        placed = wave[None] * self._envelope(shot, friction, (start, end), times)
        dry[:, low:high] += placed
        inside = torch.from_numpy((times >= start) & (times < end))
        self._lasting[id(friction)] += (float(placed[:, inside].square().mean(0).sum()), int(inside.sum()))

    def _envelope(
        self, shot: Shot, friction: Friction, between: tuple[float, float], times: np.ndarray
    ) -> Float[Tensor, "2 samples"]:
        """Level and gains at each of `times`: 0 outside the span, with straight edges that add up to one where the
        next shot continues."""
        ticks = _ticks(times, 0)
        level = np.clip(friction.level(ticks), 0, 1) * self.gain * LOUDEST * FRICTION_LEVEL
        gains = placed_gains(self.scene, shot, friction.position(ticks), ticks) * level[:, None]
        rise, fall = (np.clip(d / CUT_BLEND_S + 0.5, 0, 1) for d in (times - between[0], between[1] - times))
        both = np.stack([np.interp(times, ticks, gains[:, side]) * rise * fall for side in range(2)])
        return torch.from_numpy(both.astype(np.float32))

    def _measure_rings(self, mix: Sound, before: Float[Tensor, "2 earlier"], first: int, last: int) -> None:
        """The level of what rings before each contact of a chunk."""
        joined = torch.cat([before, mix], -1)
        for _, contact in self.contacts:
            at = round(contact.time_s * self.rate)
            if first <= at < last or (at >= self.samples and last == self.samples):
                self._rings_db[id(contact)] = ring_db(joined, at - first + before.shape[-1], self.rate)


def _ticks(times: np.ndarray, beyond: int) -> np.ndarray:
    """Instants of CONTROL_RATE around `times`, and so many more on both sides."""
    first, last = np.floor(times[0] * CONTROL_RATE) - beyond, np.ceil(times[-1] * CONTROL_RATE) + beyond
    return np.arange(first, last + 1) / CONTROL_RATE


def _between_ticks(times: np.ndarray, track: Track) -> np.ndarray:
    """A smooth track at each of `times` by cubic interpolation, which a pitch needs."""
    ticks = _ticks(times, 2)
    return CubicSpline(ticks, track(ticks))(times)
