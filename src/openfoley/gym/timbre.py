"""The dry sound of one object: modal impacts, and filtered noise for sounds that last.

Impact: x(t) = sum_m a_m exp(-6.9 t / T60_m) sin(2 pi f_m t) + click noise, in a soft and a hard version; an event's
impulse sets its level (impulse ** 0.6) and blends the two.
"""

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.gym.materials import MATERIALS
from openfoley.gym.records import Contact, GymObject

LOUDEST = 0.3
"""Amplitude of an impact of impulse 1 at one metre's reference distance, before the room; leaves head-room for
several at once."""
FRICTION_LEVEL = 0.16
"""Of a lasting sound of level 1, relative to LOUDEST."""
IMPACT_LONGEST_S = 2.0
GRAIN_LONGEST_S = 0.25
FRICTION_BANDS_HZ = {
    "roll": (60, 700), "slide": (250, 4000), "scrape": (350, 5500), "pour": (400, 6500), "rain": (700, 11000),
}  # fmt: skip


@lru_cache(maxsize=64)
def impact(object_: GymObject, sample_rate: int) -> tuple[Float[Tensor, " samples"], Float[Tensor, " samples"]]:
    """The object's soft impact (peak 0.8) and its hard one (peak 1)."""
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
    swept = t if not material.chirp else t + 0.5 * material.chirp * t * t
    decays = [torch.exp(-6.9 * t / float(decay)) for decay in t60]
    tones = [torch.sin((2 * np.pi * f * swept).float()) for f in frequency]
    versions = []
    for corner in (material.soft_hz, 10 * material.soft_hz):
        weight = strength / (1 + (frequency / corner) ** 2)
        wave = torch.zeros(length)
        for a, decay, tone in zip(weight, decays, tones, strict=True):
            wave += float(a) * decay * tone
        wave = wave / float(np.sqrt((weight**2).sum()) + 1e-9)
        wave += material.noise * _low_pass(noise, corner * 2, sample_rate) * torch.exp(-t / material.noise_s)
        fade = torch.clamp((length - torch.arange(length)) / (0.05 * sample_rate), max=1.0)
        wave = wave * fade * torch.clamp(t / 0.0004 + 0.15, max=1.0)  # 0.3 ms of attack: a contact lasts
        versions.append(wave / wave.abs().max())
    return versions[0] * 0.8, versions[1]


def _low_pass(noise: Tensor, corner_hz: float, sample_rate: int) -> Tensor:
    """White noise of unit power below a gentle corner."""
    spectrum = torch.fft.rfft(noise)
    frequency = torch.fft.rfftfreq(noise.shape[-1], 1 / sample_rate)
    shaped = torch.fft.irfft(spectrum / (1 + (frequency / corner_hz) ** 2), n=noise.shape[-1])
    return shaped / (shaped.std() + 1e-9) * 0.5


def grains(contact: Contact, object_: GymObject) -> tuple[np.ndarray, np.ndarray]:
    """When after its start (s, the first is 0) and how strongly each grain of a rattle sounds."""
    rng = np.random.default_rng([object_.seed, int(contact.time_s * 1e6)])
    offsets = np.sort(rng.exponential(contact.spread_s / 2, contact.grains))
    strengths = [1.0 if k == 0 else rng.uniform(0.15, 0.7) for k in range(contact.grains)]
    return offsets - offsets[0], np.array(strengths)


def impact_of(contact: Contact, struck: GymObject, sounding: GymObject, sample_rate: int) -> Float[Tensor, " samples"]:
    """One event's mono sound: blended by impulse, spread into grains for a rattle. struck: the contact's
    object, whose grains its partner shares; sounding: one of the two."""
    soft, hard = impact(sounding, sample_rate)
    blend = min(1.0, contact.impulse) ** 0.7
    wave = (1 - blend) * soft + blend * hard
    if contact.grains > 1:
        wave = wave[: int(GRAIN_LONGEST_S * sample_rate)]
        offsets, strengths = grains(contact, struck)
        spread = torch.zeros(len(wave) + int(offsets[-1] * sample_rate) + 1)
        for offset, strength in zip(offsets, strengths, strict=True):
            at = int(offset * sample_rate)
            spread[at : at + len(wave)] += wave * float(strength)
        wave = spread / max(1.0, float(spread.abs().max()))
    return wave * float(contact.impulse**0.6 * LOUDEST)


def friction_timbre(
    noise: Float[Tensor, " samples"], action: str, object_: GymObject, sample_rate: int, rng: np.random.Generator
) -> Float[Tensor, " samples"]:
    """White noise coloured by the action's band and the object's modes, unit power."""
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
    shape = friction_band(frequency, action, object_)
    shaped = torch.fft.irfft(torch.fft.rfft(noise) * torch.from_numpy(shape.astype(np.float32)), n=count)
    return shaped / (shaped.std() + 1e-9)


def friction_band(frequency: np.ndarray, action: str, object_: GymObject) -> np.ndarray:
    """Amplitude at each frequency (Hz): the action's band, with the object's first modes as peaks."""
    material = MATERIALS[object_.material]
    low, high = FRICTION_BANDS_HZ[action]
    shape = 1 / (1 + (low / np.maximum(frequency, 1)) ** 2) / (1 + (frequency / high) ** 2)
    pitch = material.pitch_hz * (0.3 / object_.size_m) ** 0.8
    for ratio in material.ratios[:4]:
        centre = pitch * ratio
        shape = shape + 1.2 * np.exp(-(((frequency - centre) / (0.08 * centre + 30)) ** 2))
    return shape
