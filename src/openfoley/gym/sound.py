"""The Gym's sound: dry impacts and lasting sounds, panned as in the picture, in a room.

An event's first sample is at round(time_s * sample_rate), so its time is exact to 12 us. The flat world's mix is the
sum of its objects' stems. With solid bodies, which meet far more often, the room is convolved once with the mix, and a
scene whose loudest sample would exceed CEILING is turned down as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.fft import next_fast_len
from torch import Tensor

from openfoley.gym.audibility import Powers, audible_events, decibels
from openfoley.gym.levels import Levels, scene_contacts, scene_frictions
from openfoley.gym.long.sound import LongSound
from openfoley.gym.placed import convolve, placed_gains, room_of
from openfoley.gym.records import Friction, GymObject, Scene, Shot
from openfoley.gym.timbre import FRICTION_LEVEL, LOUDEST, friction_timbre, impact_of

CONTROL_RATE = 200  # Hz, friction envelopes
CUT_FADE_S = 0.01
PARTNER_LEVEL, PARTNER_LEAST = 0.5, 0.1
"""Amplitude at which the other body of a contact rings, and the least of it: the same impulse moves a larger body less,
so it is divided by how many times larger that is."""
CEILING = 0.89
"""Largest sample of a scene of solid bodies (-1 dBFS)."""


@dataclass(frozen=True)
class SceneSound(Levels):
    """The mix, the stems that add up to it (none without `with_stems`), and its levels."""

    mix: Float[Tensor, "2 samples"]
    stems: dict[str, Float[Tensor, "2 samples"]]


@dataclass(frozen=True)
class _Rendered:
    """A mix, its stems, and the levels of single sounds by the identity of their contact or friction."""

    mix: Tensor
    stems: dict[str, Tensor]
    powers: dict[int, Powers]
    lasting_db: dict[int, float]


def render_sound(
    scene: Scene, *, sample_rate: int = 44_100, device: torch.device | str = "cpu", with_stems: bool = True
) -> SceneSound:
    """Mix and stems [2, round(duration * sample_rate)] of a scene, linear. with_stems: the flat world has them anyway,
    solid bodies take a room for each, long scenes a pass over the scene."""
    if any(shot.place is not None for shot in scene.shots):
        return _joined(scene, sample_rate, with_stems)
    form = _Form(scene, sample_rate, round(scene.duration_s * sample_rate), torch.device(device))
    flat = all(shot.stage is None for shot in scene.shots)
    rendered = _sum_of_stems(form) if flat else _mixed_once(form, with_stems)
    contacts = scene_contacts(scene)
    powers = [rendered.powers[id(c)] for _, c in contacts]
    times_s = [c.time_s for _, c in contacts]
    audible = audible_events(times_s, powers, rendered.mix.cpu(), sample_rate, dense=not flat)
    loudness_db = tuple(decibels(one.loudness) for one in powers)
    lasting_db = tuple(rendered.lasting_db[id(f)] for _, f in scene_frictions(scene))
    return SceneSound(loudness_db, audible, lasting_db, rendered.mix, rendered.stems)


def _joined(scene: Scene, sample_rate: int, with_stems: bool) -> SceneSound:
    """The sound of a long scene, all of it in memory; `LongSound` gives it in chunks."""
    sound = LongSound(scene, sample_rate)
    mix = torch.cat(list(sound), -1)
    levels = sound.levels
    ids = dict.fromkeys(one.id for one in scene.objects) if with_stems else {}
    stems = {id: torch.cat(list(LongSound(scene, sample_rate, only=id)), -1) for id in ids}
    return SceneSound(levels.loudness_db, levels.audible, levels.lasting_db, mix, stems)


@dataclass(frozen=True)
class _Form:
    scene: Scene
    sample_rate: int
    samples: int
    device: torch.device

    def room(self, number: int) -> Tensor:
        """Of a shot."""
        rng = np.random.default_rng([self.scene.seed, number, 7])
        return room_of(rng, self.scene.shots[number].room_s, self.sample_rate).to(self.device)


def _sum_of_stems(form: _Form) -> _Rendered:
    """The flat world: every object in the room for itself, and their sum."""
    stems: dict[str, Tensor] = {}
    powers: dict[int, Powers] = {}
    for number, shot in enumerate(form.scene.shots):
        room = form.room(number)
        for one in (o for p in shot.performances for o in p.objects):
            stems[one.id] = _in_room(form, shot, _dry(form, shot, [one], powers, {}), room)
    mix = torch.stack(list(stems.values())).sum(0) if stems else torch.zeros(2, form.samples, device=form.device)
    levels = {id(f): _level_db(form.scene, f, stems[f.object_id]) for _, f in scene_frictions(form.scene)}
    return _Rendered(mix, stems, powers, levels)


def _mixed_once(form: _Form, with_stems: bool) -> _Rendered:
    """Solid bodies: all objects of a shot in the room together, below the ceiling. An object that is in several shots
    has one stem."""
    rendered = _Rendered(torch.zeros(2, form.samples, device=form.device), {}, {}, {})
    for number, shot in enumerate(form.scene.shots):
        room, objects = form.room(number), [o for p in shot.performances for o in p.objects]
        dry = _dry(form, shot, objects, rendered.powers, rendered.lasting_db)
        rendered.mix.add_(_in_room(form, shot, dry, room))
        for one in objects if with_stems else ():
            stem = _in_room(form, shot, _dry(form, shot, [one], {}, {}), room)
            rendered.stems[one.id] = rendered.stems[one.id] + stem if one.id in rendered.stems else stem
    peak = float(rendered.mix.abs().max())
    return rendered if peak <= CEILING else _turned(rendered, CEILING / peak)


def _turned(rendered: _Rendered, gain: float) -> _Rendered:
    """All levels changed by this gain."""
    stems = {name: stem * gain for name, stem in rendered.stems.items()}
    powers = {key: Powers(p.loudness * gain**2, p.early * gain**2) for key, p in rendered.powers.items()}
    lasting = {key: level + 20 * float(np.log10(gain)) for key, level in rendered.lasting_db.items()}
    return _Rendered(rendered.mix * gain, stems, powers, lasting)


def _dry(
    form: _Form, shot: Shot, objects: Sequence[GymObject], powers: dict[int, Powers], lasting_db: dict[int, float]
) -> Tensor:
    """What these objects of a shot sound like without the room [2, samples]; the levels found on the way are entered
    into `powers` and `lasting_db`."""
    scene, rate = form.scene, form.sample_rate
    gain = 10 ** (scene.gain_db / 20)
    last = min(round(shot.end_s * rate), form.samples)
    known = {o.id: o for p in shot.performances for o in p.objects}
    dry = torch.zeros(2, form.samples)
    for one in objects:
        for contact in (c for p in shot.performances for c in p.contacts if one.id in (c.object_id, c.partner)):
            if contact.time_s >= scene.duration_s:
                continue
            struck = known[contact.object_id]
            wave = impact_of(contact, struck, one, rate) * (gain * _share(struck, one))
            gains = placed_gains(scene, shot, np.array([contact.position]), np.array([contact.time_s]))
            at = round(contact.time_s * rate)
            wave = wave[: max(last - at, 0)]
            dry[:, at : at + len(wave)] += wave[None] * torch.from_numpy(gains[0].astype(np.float32))[:, None]
            powers.setdefault(id(contact), Powers()).add(wave, rate, float((gains[0] ** 2).mean()))
        for friction in (f for p in shot.performances for f in p.frictions if f.object_id == one.id):
            at, wave = _friction_of(form, shot, friction, one, last)
            dry[:, at : at + wave.shape[-1]] += wave * gain
            lasting_db[id(friction)] = decibels(float(wave.square().mean()) * gain**2 if wave.numel() else 0.0)
    return dry


def _share(struck: GymObject, sounding: GymObject) -> float:
    """Amplitude at which an object of a contact sounds."""
    if sounding is struck:
        return 1.0
    return max(PARTNER_LEVEL * min(1.0, struck.size_m / sounding.size_m), PARTNER_LEAST)


def _in_room(form: _Form, shot: Shot, dry: Tensor, room: Tensor) -> Tensor:
    """A shot's sound [2, samples] with its reverberation, which ends at the cut."""
    first, last = round(shot.start_s * form.sample_rate), min(round(shot.end_s * form.sample_rate), form.samples)
    if not bool(dry.any()):
        return dry.to(form.device)
    part = dry[:, first:last].to(form.device)
    wet = part + shot.room_level * convolve(part, room)
    if last < form.samples:
        fade = int(CUT_FADE_S * form.sample_rate)
        wet[:, -fade:] *= torch.linspace(1, 0, fade, device=form.device)
    placed = torch.zeros(2, form.samples, device=form.device)
    placed[:, first:last] = wet
    return placed


def _friction_of(form: _Form, shot: Shot, friction: Friction, object_: GymObject, last: int) -> tuple[int, Tensor]:
    """Start sample and sound [2, n] of a lasting sound: noise coloured by the object's modes, shaped by its level."""
    rate = form.sample_rate
    start, end = round(friction.start_s * rate), min(round(friction.end_s * rate), last)
    count = end - start
    if count <= 0:
        return start, torch.zeros(2, 0)
    rng = np.random.default_rng([object_.seed, start])
    drawn = count if shot.stage is None else next_fast_len(count, real=True)  # others take up to five times as long
    noise = torch.from_numpy(rng.standard_normal(drawn).astype(np.float32))
    wave = friction_timbre(noise, friction.action, object_, rate, rng)[:count]
    control = np.arange(0, count / rate + 1 / CONTROL_RATE, 1 / CONTROL_RATE)
    times = friction.start_s + control
    level = np.clip(friction.level(times), 0, 1)
    gains = placed_gains(form.scene, shot, friction.position(times), times)
    envelope = torch.from_numpy((level[:, None] * gains * LOUDEST * FRICTION_LEVEL).astype(np.float32)).T[None]
    envelope = torch.nn.functional.interpolate(envelope, size=count, mode="linear", align_corners=True)[0]
    edge = int(0.01 * rate)
    ramp = torch.clamp(torch.minimum(torch.arange(count), torch.arange(count).flip(0)) / edge, max=1.0)
    return start, wave[None] * envelope * ramp


def _level_db(scene: Scene, friction: Friction, stem: Tensor) -> float:
    """Mean power of the object's stem over the sound's span."""
    per_second = stem.shape[-1] / scene.duration_s
    first = int(friction.start_s * per_second)
    span = stem[:, first : max(int(friction.end_s * per_second), first + 1)]
    return decibels(float(span.square().mean()))
