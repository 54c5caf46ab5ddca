"""The Gym's sound: modal impacts, filtered-noise friction, panning from the picture, and a room; one stem per object.

Impact: x(t) = sum_m a_m exp(-6.9 t / T60_m) sin(2 pi f_m t) + click noise, in a soft and a hard version; an event's
impulse sets its level (impulse ** 0.6) and blends the two. The event's first sample is at round(time_s * sample_rate),
so its time is exact to 12 us.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from openfoley.gym.materials import MATERIALS
from openfoley.gym.picture import project
from openfoley.gym.records import Contact, Friction, GymObject, Scene, Shot

LOUDEST = 0.3
"""Amplitude of an impact of impulse 1 at one metre's reference distance, before the room; leaves head-room for
several at once."""
REFERENCE_DISTANCE_M = 3.0
IMPACT_LONGEST_S = 2.0
CONTROL_RATE = 200  # Hz, friction envelopes
FRICTION_BANDS_HZ = {
    "roll": (60, 700), "slide": (250, 4000), "scrape": (350, 5500), "pour": (400, 6500), "rain": (700, 11000),
}  # fmt: skip
LOUDNESS_WINDOW_S = 0.05
MASKING_WINDOW_S = 0.02
MASKED_BELOW_DB = 6.0
FAINT_DB = -62.0
"""Events fainter than this (mean power over 50 ms, re full scale) count as inaudible."""
CUT_FADE_S = 0.01


@dataclass(frozen=True)
class SceneSound:
    """mix [2, n] and the stems [2, n] that add up to it; `loudness_db` and `audible` follow the order of
    `scene_contacts`."""

    mix: Tensor
    stems: dict[str, Tensor]
    loudness_db: tuple[float, ...]
    audible: tuple[bool, ...]


def scene_contacts(scene: Scene) -> list[tuple[Shot, Contact]]:
    """All contacts of a scene in order of time."""
    pairs = [
        (shot, c) for shot in scene.shots for p in shot.performances for c in p.contacts if c.time_s < scene.duration_s
    ]
    return sorted(pairs, key=lambda pair: pair[1].time_s)


@lru_cache(maxsize=64)
def impact(object_: GymObject, sample_rate: int) -> tuple[Tensor, Tensor, float]:
    """The object's soft and hard impact [samples], peak 1, and the T60 (s) of its lowest mode."""
    rng = np.random.default_rng(object_.seed)
    material = MATERIALS[object_.material]
    ratios = np.array(material.ratios) * rng.uniform(0.94, 1.06, len(material.ratios))
    pitch = material.pitch_hz * (0.3 / object_.size_m) ** 0.8 * rng.uniform(0.8, 1.25)
    frequency = pitch * ratios
    keep = frequency < min(18_000, 0.45 * sample_rate)
    frequency = frequency[keep]
    t60 = material.decay_s * rng.uniform(0.75, 1.3) * np.maximum(ratios[keep], 1.0) ** -material.damping
    strength = rng.uniform(0.4, 1.0, len(frequency)) * ratios[keep] ** -0.3
    length = int(min(IMPACT_LONGEST_S, 1.3 * t60.max() + 0.12) * sample_rate)
    t = torch.arange(length, dtype=torch.float32) / sample_rate
    noise = torch.from_numpy(rng.standard_normal(length).astype(np.float32))
    versions = []
    for corner in (material.soft_hz, 10 * material.soft_hz):
        weight = strength / (1 + (frequency / corner) ** 2)
        wave = torch.zeros(length)
        for f, decay, a in zip(frequency, t60, weight, strict=True):
            phase = 2 * np.pi * f * t if not material.chirp else 2 * np.pi * f * (t + 0.5 * material.chirp * t * t)
            wave += float(a) * torch.exp(-6.9 * t / float(decay)) * torch.sin(phase.float())
        wave = wave / float(np.sqrt((weight**2).sum()) + 1e-9)
        wave += material.noise * _low_pass(noise, corner * 2, sample_rate) * torch.exp(-t / material.noise_s)
        fade = torch.clamp((length - torch.arange(length)) / (0.05 * sample_rate), max=1.0)
        wave = wave * fade * torch.clamp(t / 0.0004 + 0.15, max=1.0)  # 0.3 ms of attack: a contact lasts
        versions.append(wave / wave.abs().max())
    return versions[0] * 0.8, versions[1], float(t60.max())


def _low_pass(noise: Tensor, corner_hz: float, sample_rate: int) -> Tensor:
    """White noise of unit power below a gentle corner."""
    spectrum = torch.fft.rfft(noise)
    frequency = torch.fft.rfftfreq(noise.shape[-1], 1 / sample_rate)
    shaped = torch.fft.irfft(spectrum / (1 + (frequency / corner_hz) ** 2), n=noise.shape[-1])
    return shaped / (shaped.std() + 1e-9) * 0.5


def pan_and_distance(
    scene: Scene, shot: Shot, position: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Gains [n, 2] of left and right: constant-power panning by the place in the picture, times 1/distance."""
    x, _, depth, _ = project(shot.camera, scene.aspect, position, times)
    angle = np.clip(x, -0.15, 1.15) * 0.9 * (np.pi / 2) + 0.05 * np.pi / 2
    loss = np.clip(REFERENCE_DISTANCE_M / np.maximum(depth, 0.5), 0.2, 1.6) * np.where((x < 0) | (x > 1), 0.6, 1.0)
    angle = np.clip(angle, 0, np.pi / 2)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1) * np.sqrt(2) * loss[:, None], x


def grains(contact: Contact, object_: GymObject) -> tuple[np.ndarray, np.ndarray]:
    """When after its start (s, the first is 0) and how strongly each grain of a rattle sounds."""
    rng = np.random.default_rng([object_.seed, int(contact.time_s * 1e6)])
    offsets = np.sort(rng.exponential(contact.spread_s / 2, contact.grains))
    strengths = [1.0 if k == 0 else rng.uniform(0.15, 0.7) for k in range(contact.grains)]
    return offsets - offsets[0], np.array(strengths)


def _impact_of(contact: Contact, object_: GymObject, sample_rate: int) -> Tensor:
    """One event's mono sound [samples]: blended by impulse, spread into grains for a rattle."""
    soft, hard, _ = impact(object_, sample_rate)
    blend = min(1.0, contact.impulse) ** 0.7
    wave = (1 - blend) * soft + blend * hard
    if contact.grains > 1:
        wave = wave[: int(0.25 * sample_rate)]
        offsets, strengths = grains(contact, object_)
        spread = torch.zeros(len(wave) + int(offsets[-1] * sample_rate) + 1)
        for offset, strength in zip(offsets, strengths, strict=True):
            at = int(offset * sample_rate)
            spread[at : at + len(wave)] += wave * float(strength)
        wave = spread / max(1.0, float(spread.abs().max()))
    return wave * float(contact.impulse**0.6 * LOUDEST)


def _friction_of(
    scene: Scene, shot: Shot, friction: Friction, object_: GymObject, sample_rate: int, samples: int
) -> tuple[int, Tensor]:
    """Start sample and sound [2, n] of a lasting sound: noise coloured by the object's modes, shaped by its level."""
    start, end = round(friction.start_s * sample_rate), min(round(friction.end_s * sample_rate), samples)
    count = end - start
    if count <= 0:
        return start, torch.zeros(2, 0)
    rng = np.random.default_rng([object_.seed, start])
    noise = torch.from_numpy(rng.standard_normal(count).astype(np.float32))
    wave = _friction_timbre(noise, friction.action, object_, sample_rate, rng)
    control = np.arange(0, count / sample_rate + 1 / CONTROL_RATE, 1 / CONTROL_RATE)
    times = friction.start_s + control
    level = np.clip(friction.level(times), 0, 1)
    gains, _ = pan_and_distance(scene, shot, friction.position(times), times)
    envelope = torch.from_numpy((level[:, None] * gains * LOUDEST * 0.16).astype(np.float32)).T[None]
    envelope = torch.nn.functional.interpolate(envelope, size=count, mode="linear", align_corners=True)[0]
    edge = int(0.01 * sample_rate)
    ramp = torch.clamp(torch.minimum(torch.arange(count), torch.arange(count).flip(0)) / edge, max=1.0)
    return start, wave[None] * envelope * ramp


def _friction_timbre(
    noise: Tensor, action: str, object_: GymObject, sample_rate: int, rng: np.random.Generator
) -> Tensor:
    material = MATERIALS[object_.material]
    count = noise.shape[-1]
    frequency = torch.fft.rfftfreq(count, 1 / sample_rate).numpy()
    if action == "fan":
        t = torch.arange(count) / sample_rate
        pitch = float(rng.uniform(60, 140))
        hum = sum(torch.sin(2 * np.pi * pitch * k * t + k) / k for k in range(1, 7))
        return 0.5 * torch.as_tensor(hum) + 0.3 * _low_pass(noise, 900, sample_rate)
    if action == "fire":
        crackle = torch.from_numpy((rng.random(count) < 9 / sample_rate) * rng.exponential(1.0, count)).float()
        decay = torch.exp(-torch.arange(2048) / (0.002 * sample_rate))
        kernel = decay * torch.from_numpy(rng.standard_normal(2048)).float()
        size = count + 2048
        pops = torch.fft.irfft(torch.fft.rfft(crackle, size) * torch.fft.rfft(kernel, size), size)[:count]
        return 0.35 * pops + 0.4 * _low_pass(noise, 300, sample_rate)
    low, high = FRICTION_BANDS_HZ[action]
    shape = 1 / (1 + (low / np.maximum(frequency, 1)) ** 2) / (1 + (frequency / high) ** 2)
    pitch = material.pitch_hz * (0.3 / object_.size_m) ** 0.8
    for ratio in material.ratios[:4]:
        centre = pitch * ratio
        shape = shape + 1.2 * np.exp(-(((frequency - centre) / (0.08 * centre + 30)) ** 2))
    shaped = torch.fft.irfft(torch.fft.rfft(noise) * torch.from_numpy(shape.astype(np.float32)), n=count)
    return shaped / (shaped.std() + 1e-9)


def _room(rng: np.random.Generator, room_s: float, sample_rate: int) -> Tensor:
    """Reverberation tail [2, n]: decaying noise that darkens, unit energy, after a short pre-delay."""
    length = int(min(room_s, 1.0) * sample_rate)
    t = torch.arange(length) / sample_rate
    tail = torch.from_numpy(rng.standard_normal((2, length)).astype(np.float32)) * torch.exp(-6.9 * t / room_s)
    tail[:, : int(0.004 * sample_rate)] = 0
    return tail / tail.square().sum(-1, keepdim=True).sqrt()


def _convolve(dry: Tensor, kernel: Tensor) -> Tensor:
    size = 1 << (dry.shape[-1] + kernel.shape[-1] - 1).bit_length()
    return torch.fft.irfft(torch.fft.rfft(dry, size) * torch.fft.rfft(kernel, size), size)[..., : dry.shape[-1]]


def render_sound(scene: Scene, *, sample_rate: int = 44_100, device: torch.device | str = "cpu") -> SceneSound:
    """Mix and stems [2, round(duration * sample_rate)] of a scene, linear, no normalisation."""
    samples = round(scene.duration_s * sample_rate)
    gain = 10 ** (scene.gain_db / 20)
    stems: dict[str, Tensor] = {}
    loudness: dict[int, float] = {}
    contacts = scene_contacts(scene)
    own_early: dict[int, float] = {}
    for number, shot in enumerate(scene.shots):
        last = min(round(shot.end_s * sample_rate), samples)
        room = _room(np.random.default_rng([scene.seed, number, 7]), shot.room_s, sample_rate).to(device)
        for performance in shot.performances:
            for object_ in performance.objects:
                dry = torch.zeros(2, samples)
                for contact in performance.contacts:
                    if contact.object_id != object_.id or contact.time_s >= scene.duration_s:
                        continue
                    wave = _impact_of(contact, object_, sample_rate) * gain
                    gains, _ = pan_and_distance(scene, shot, np.array([contact.position]), np.array([contact.time_s]))
                    at = round(contact.time_s * sample_rate)
                    wave = wave[: max(last - at, 0)]
                    dry[:, at : at + len(wave)] += wave[None] * torch.from_numpy(gains[0].astype(np.float32))[:, None]
                    power = float((gains[0] ** 2).mean())
                    loudness[id(contact)] = _power_db(wave, LOUDNESS_WINDOW_S, sample_rate, power)
                    own_early[id(contact)] = _power_db(wave, MASKING_WINDOW_S, sample_rate, power)
                for friction in performance.frictions:
                    if friction.object_id == object_.id:
                        at, wave = _friction_of(scene, shot, friction, object_, sample_rate, last)
                        dry[:, at : at + wave.shape[-1]] += wave * gain
                first = round(shot.start_s * sample_rate)
                if bool(dry.any()):
                    part = dry[:, first:last].to(device)
                    wet = part + shot.room_level * _convolve(part, room)
                    fade = int(CUT_FADE_S * sample_rate)
                    if last < samples:
                        wet[:, -fade:] *= torch.linspace(1, 0, fade, device=device)
                    dry = torch.zeros(2, samples, device=device)
                    dry[:, first:last] = wet
                stems[object_.id] = dry.to(device)
    mix = torch.stack(list(stems.values())).sum(0) if stems else torch.zeros(2, samples, device=device)
    audible = _audible(contacts, own_early, loudness, mix.cpu(), sample_rate)
    return SceneSound(mix, stems, tuple(loudness[id(c)] for _, c in contacts), audible)


def _power_db(wave: Tensor, window_s: float, sample_rate: int, gain_power: float) -> float:
    count = int(window_s * sample_rate)
    power = float(wave[:count].square().sum()) / count * gain_power
    return 10 * float(np.log10(power + 1e-12))


def _audible(
    contacts: list[tuple[Shot, Contact]],
    early: dict[int, float],
    loudness: dict[int, float],
    mix: Tensor,
    sample_rate: int,
) -> tuple[bool, ...]:
    """Loud enough, not masked by what rings just before, and the louder of two within 30 ms."""
    count = int(MASKING_WINDOW_S * sample_rate)
    result = []
    for k, (_, contact) in enumerate(contacts):
        at = round(contact.time_s * sample_rate)
        before = mix[:, max(at - count, 0) : at].square().mean() if at > 0 else torch.tensor(0.0)
        ring = 10 * float(torch.log10(before + 1e-12))
        neighbours = [
            loudness[id(c)]
            for _, c in contacts[max(k - 4, 0) : k + 5]
            if c is not contact and abs(c.time_s - contact.time_s) < 0.03
        ]
        own = loudness[id(contact)]
        unmasked = early[id(contact)] > ring - MASKED_BELOW_DB
        result.append(own > FAINT_DB and unmasked and all(own > other for other in neighbours))
    return tuple(result)
