"""Lasting sounds as functions of time alone: any span of one can be computed, and spans that meet fit to the sample.

    noise      x(n) = sum_k sin(pi (n - k B/2 + 1/2) / B) s_k(n - k B/2)     s_k: block of B samples, of its own seed
    pops       each block of seconds has its own Poisson times, strengths and sounds
    tones      closed forms of the time, or of an engine's turns

Neighbouring blocks are independent and their weights' squares add up to one, so the noise has constant power.
"""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.gym.records import GymObject
from openfoley.gym.timbre import friction_band

Wave = Float[Tensor, " samples"]

BLOCK = 1 << 14  # samples of noise; half of it is new
POP_BLOCK_S = 0.25
FIRINGS = 14.0
"""Of an engine in a turn of the visible wheel, which turns far more slowly than its shaft: 13 to 34 Hz."""
HARMONICS = 16
CRACKLES_HZ, BUBBLES_HZ = 9.0, 40.0
CRACKLE_S, BUBBLE_S = 0.045, 0.06  # longest sound of one
FAN_HZ = (60.0, 140.0)
BUBBLE_PITCH_HZ = (400.0, 2500.0)


def lasting_wave(
    object_: GymObject, action: str, first: int, turns: Float[np.ndarray, " samples"] | int, rate: int
) -> Wave:
    """Samples from `first` on of a source's clock, of about unit power. turns: of an engine at each sample; of other
    sources how many samples."""
    count = turns if isinstance(turns, int) else len(turns)
    if action == "fan":
        return 0.5 * _hum(object_, first, count, rate) + 0.3 * _noise(object_, first, count, rate, _below(900))
    if action == "fire":
        pops = _pops(object_, first, count, rate, (CRACKLES_HZ, CRACKLE_S), _crackle)
        return 0.35 * pops + 0.4 * _noise(object_, first, count, rate, _below(300))
    if action == "stream":
        bubbles = _pops(object_, first, count, rate, (BUBBLES_HZ, BUBBLE_S), _bubble)
        return 0.5 * bubbles + 0.8 * _noise(object_, first, count, rate, _between(300, 6000))
    if action == "engine":
        assert not isinstance(turns, int)
        return _engine(object_, first, turns, rate)
    return _noise(object_, first, count, rate, lambda frequency: friction_band(frequency, action, object_))


Shape = Callable[[np.ndarray], np.ndarray]


def _below(corner_hz: float) -> Shape:
    return lambda frequency: 1 / (1 + (frequency / corner_hz) ** 2)


def _between(low_hz: float, high_hz: float) -> Shape:
    return lambda f: 1 / (1 + (low_hz / np.maximum(f, 1)) ** 2) / (1 + (f / high_hz) ** 2)


def _noise(object_: GymObject, first: int, count: int, rate: int, shape: Shape) -> Wave:
    """Of unit power, coloured by a gain at each frequency (Hz)."""
    half = BLOCK // 2
    gain = shape(np.fft.rfftfreq(BLOCK, 1 / rate))
    gain = torch.from_numpy((gain / np.sqrt(np.mean(gain**2))).astype(np.float32))
    window = torch.sin(torch.pi * (torch.arange(BLOCK) + 0.5) / BLOCK)
    numbers = range((first - BLOCK) // half + 1, (first + count - 1) // half + 1)
    wave = torch.zeros((len(numbers) + 1) * half)
    for place, number in enumerate(numbers):
        block = torch.fft.irfft(torch.fft.rfft(_white(object_.seed, number)) * gain, n=BLOCK)
        wave[place * half : place * half + BLOCK] += window * block
    skipped = first - numbers[0] * half
    return wave[skipped : skipped + count]


@lru_cache(maxsize=8)
def _white(seed: int, number: int) -> Wave:
    return torch.from_numpy(_draws(seed, number, 0).standard_normal(BLOCK).astype(np.float32))


def _draws(seed: int, number: int, salt: int) -> np.random.Generator:
    """number: of a block, of any sign."""
    return np.random.default_rng([seed, 2 * number if number >= 0 else -2 * number - 1, salt])


def _pops(
    object_: GymObject, first: int, count: int, rate: int, form: tuple[float, float],
    sound: Callable[[np.random.Generator, int, int], np.ndarray],
) -> Wave:  # fmt: skip
    """Short sounds at random times. form: how many a second, and the longest (s); sound(rng, samples, rate)."""
    per_second, longest_s = form
    size, length = int(POP_BLOCK_S * rate), int(longest_s * rate)
    wave = np.zeros(count + 2 * length)  # from `length` before the first sample on
    for number in range((first - length) // size, (first + count) // size + 1):
        rng = _draws(object_.seed, number, 1)
        for at in rng.integers(0, size, rng.poisson(per_second * POP_BLOCK_S)):
            one = sound(rng, length, rate)
            place = number * size + int(at) - first + length
            if 0 <= place < count + length:
                wave[place : place + length] += one
    return torch.from_numpy(wave[length : length + count].astype(np.float32))


def _crackle(rng: np.random.Generator, samples: int, rate: int) -> np.ndarray:
    decay = np.exp(-np.arange(samples) / (0.002 * rate))
    return rng.exponential(1.0) * decay * rng.standard_normal(samples)


def _bubble(rng: np.random.Generator, samples: int, rate: int) -> np.ndarray:
    """A tone that rises as its bubble closes (Minnaert, 1933), dying away over some periods."""
    t = np.arange(samples) / rate
    pitch = float(np.exp(rng.uniform(*np.log(BUBBLE_PITCH_HZ))))
    decay = np.exp(-t * pitch / 6) * np.clip((samples - np.arange(samples)) / (0.1 * samples), 0, 1)
    return rng.uniform(0.1, 1.0) ** 2 * decay * np.sin(2 * np.pi * pitch * (t + 2.0 * t * t))


def _hum(object_: GymObject, first: int, count: int, rate: int) -> Wave:
    pitch = float(_draws(object_.seed, 0, 2).uniform(*FAN_HZ))
    phase = 2 * np.pi * pitch * (first + np.arange(count)) / rate
    return torch.from_numpy(np.sum([np.sin(k * phase + k) / k for k in range(1, 7)], axis=0).astype(np.float32))


def _engine(object_: GymObject, first: int, turns: np.ndarray, rate: int) -> Wave:
    """Harmonics of the firing rate, and noise that swells with each firing."""
    rng = _draws(object_.seed, 0, 3)
    weights = rng.uniform(0.3, 1.0, HARMONICS) * np.arange(1, HARMONICS + 1) ** -0.7
    weights /= np.sqrt((weights**2).sum() / 2)
    phases, phase = rng.uniform(0, 2 * np.pi, HARMONICS), 2 * np.pi * FIRINGS * turns
    tone = np.sum([w * np.sin((k + 1) * phase + p) for k, (w, p) in enumerate(zip(weights, phases, strict=True))], 0)
    swell = 0.4 + 0.6 * np.clip(np.sin(phase), 0, 1) ** 2
    noise = _noise(object_, first, len(turns), rate, _between(80, 2500))
    return 0.7 * torch.from_numpy(tone.astype(np.float32)) + 0.7 * torch.from_numpy(swell.astype(np.float32)) * noise
