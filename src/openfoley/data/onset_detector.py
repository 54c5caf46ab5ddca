"""Onset detector: times (to a few ms) and loudness of transient events in a recording.

Stage one detects events: log energy in 40 bands, its rise over the recent maximum, averaged over the bands, against
an adaptive threshold (`novelty`). Stage two locates them: the steepest rise of the energy of those bands.

Reasons:
- log energy per band, averaged: an event that is weak or masked by ringing in some bands still shows in the others;
  the bands of noise do not rise together, so their mean stays small;
- the reference is the *maximum* of 10 to 30 ms ago, not one frame: modulated noise (rain, pouring, rolling) and
  beating modes return to recent levels, a contact exceeds them. Longer than 30 ms loses dense contacts (recall 0.98
  -> 0.89);
- the threshold grows with the local *median* of the novelty, which noise raises constantly and contacts only for a
  few frames;
- the time is measured on linear energy in 2.9 ms windows: a window's log energy jumps when its edge, not its centre,
  reaches the onset.
Deterministic; 8 s of stereo at 44.1 kHz take about 20 ms on one core.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional

MEAN_SQUARE_FLOOR = 1e-12
"""Power re full scale below which all loudness values are equal: -120 dB."""


@dataclass(frozen=True)
class OnsetSettings:
    """Detection parameters. Times in s, levels in dB; tuned on synthetic stress sounds (noise, rolling, rain,
    reverberation, smear)."""

    window_s: float = 0.0116  # first stage's Hann window: 512 samples at 44.1 kHz
    hop_s: float = 0.005
    bands: int = 40  # even in mel between lowest_hz and highest_hz
    lowest_hz: float = 60.0
    highest_hz: float = 17000.0
    past_s: float = 0.030  # the rise is measured over the maximum of past_s ... lag_s ago
    lag_s: float = 0.010
    threshold_db: float = 1.0  # least mean rise over the bands
    spread: float = 10.0  # plus this many local medians of the novelty
    local_s: float = 0.5  # span of that median
    gap_s: float = 0.012  # two onsets closer than this are one (the stronger)
    floor_db: float = -80.0  # absolute floor re full scale ...
    range_db: float = 55.0  # ... and floor relative to the loudest frame
    background: float = (
        2.0  # multiples of each band's 20 % quantile added before the logarithm: stationary noise flattens
    )
    fine_window_s: float = 0.0029  # second stage: 128 samples at 44.1 kHz
    fine_hop_s: float = 0.0005
    reach_s: float = 0.020  # second stage searches this far around the first stage's time


DEFAULT = OnsetSettings()
BACKGROUND_QUANTILE = 0.2
LOUDNESS_SPAN_S = 0.050
"""An event's loudness is the mean power of these first seconds (the truth's definition)."""


@dataclass(frozen=True)
class Onsets:
    """Detected events in time order: float64 arrays [n]. `strength_db` is the mean rise over the bands."""

    times_s: np.ndarray
    loudness_db: np.ndarray
    strength_db: np.ndarray

    def __len__(self) -> int:
        return len(self.times_s)


def detect(
    samples: Shaped[Tensor, "*channels time"] | Shaped[np.ndarray, "*channels time"],
    sample_rate: int,
    settings: OnsetSettings = DEFAULT,
) -> Onsets:
    """Events of a recording. samples: [time] or [channels, time], full scale 1; any rate from 8 kHz. No samples give
    no events."""
    audio = torch.as_tensor(samples).detach().to("cpu", torch.float32)
    audio = torch.nan_to_num(audio[None] if audio.ndim == 1 else audio)
    if audio.shape[-1] < 2 * round(settings.past_s * sample_rate):
        return Onsets(*(np.zeros(0) for _ in range(3)))
    rise = band_rise(audio, sample_rate, settings)
    novelty = rise.mean(0).numpy().astype(np.float64)
    peaks = _peaks(novelty, settings)
    times_s = _steepest(
        audio, sample_rate, peaks * _hop(settings, sample_rate), rise[:, torch.as_tensor(peaks)], settings
    )
    times_s, strength_db = _thinned(times_s, novelty[peaks], settings.gap_s)
    times_s = np.clip(times_s, 0.0, audio.shape[-1] / sample_rate)
    return Onsets(times_s, loudness_db(audio, sample_rate, times_s), strength_db)


def band_rise(
    audio: Float[Tensor, "channels time"], sample_rate: int, settings: OnsetSettings = DEFAULT
) -> Float[Tensor, "bands frames"]:
    """Rise (dB, >= 0) of every band over its recent maximum; frame k is centred at k * hop."""
    fft = _window(settings.window_s, sample_rate)
    window = torch.hann_window(fft)
    # silence before the sound but nothing after it: a truncated decay would spread over all bands
    framed = functional.pad(audio, (fft // 2, 0))
    spectrum = torch.stft(framed, fft, _hop(settings, sample_rate), fft, window, center=False, return_complex=True)
    # Parseval: the sum over the bins is the frame's mean square re full scale
    power = (spectrum.real.square() + spectrum.imag.square()).mean(0) * (2 / (fft * float(window.square().sum())))
    bands = _filterbank(settings, fft, sample_rate) @ power
    loudest_db = 10 * math.log10(float(bands.sum(0).max()) + MEAN_SQUARE_FLOOR)
    floor = 10 ** (max(settings.floor_db, loudest_db - settings.range_db) / 10) / settings.bands
    background = settings.background * bands.quantile(BACKGROUND_QUANTILE, dim=1, keepdim=True)
    level = 10 * torch.log10(bands + background + floor)
    lag, past = round(settings.lag_s / settings.hop_s), round(settings.past_s / settings.hop_s)
    before = functional.pad(level[None], (past, 0), mode="replicate")
    recent = functional.max_pool1d(before, past - lag + 1, stride=1)[0, :, : level.shape[1]]
    return (level - recent).clamp_min(0)


def loudness_db(
    audio: Float[Tensor, "channels time"], sample_rate: int, times_s: Float[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """Mean power over all channels in the 50 ms from each time, in dB re full scale."""
    total = np.concatenate([[0.0], audio.double().square().mean(0).cumsum(0).numpy()])
    start = np.clip(np.round(times_s * sample_rate).astype(np.int64), 0, len(total) - 2)
    end = np.clip(start + round(LOUDNESS_SPAN_S * sample_rate), 1, len(total) - 1)
    return 10 * np.log10(np.maximum((total[end] - total[start]) / (end - start), MEAN_SQUARE_FLOOR))


def _window(seconds: float, sample_rate: int) -> int:
    """The power of two nearest to a duration, in samples."""
    return 2 ** round(math.log2(seconds * sample_rate))


def _hop(settings: OnsetSettings, sample_rate: int) -> int:
    return round(settings.hop_s * sample_rate)


def _filterbank(settings: OnsetSettings, fft: int, sample_rate: int) -> Tensor:
    """Mel filterbank (2595 log10(1 + f/700)), triangles at least one bin wide to either side, [bands, fft // 2 + 1]."""
    highest_hz = min(settings.highest_hz, sample_rate / 2)
    low_mel, high_mel = (2595 * math.log10(1 + hz / 700) for hz in (settings.lowest_hz, highest_hz))
    edges_hz = 700 * (10 ** (np.linspace(low_mel, high_mel, settings.bands + 2) / 2595) - 1)
    bin_hz = sample_rate / fft
    hz = np.arange(fft // 2 + 1) * bin_hz
    low, middle, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    low, high = np.minimum(low, middle - bin_hz), np.maximum(high, middle + bin_hz)
    weights = np.minimum((hz - low) / (middle - low), (high - hz) / (high - middle))
    return torch.tensor(np.clip(weights, 0, None), dtype=torch.float32)


def _peaks(novelty: np.ndarray, settings: OnsetSettings) -> np.ndarray:
    """Frames that are local maxima above the adaptive threshold; the first of a plateau."""
    half = round(settings.local_s / settings.hop_s / 2)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(novelty, half, mode="symmetric"), 2 * half + 1)
    threshold = settings.threshold_db + settings.spread * np.median(around, axis=1)
    side = max(1, round(settings.gap_s / settings.hop_s))
    highest = np.lib.stride_tricks.sliding_window_view(np.pad(novelty, side), 2 * side + 1).max(axis=1)
    peaks = np.flatnonzero((novelty >= highest) & (novelty > threshold))
    return peaks[np.diff(peaks, prepend=-10) > 1]


def _steepest(
    audio: Tensor, sample_rate: int, centres: np.ndarray, weights: Tensor, settings: OnsetSettings
) -> np.ndarray:
    """Times (s) of the steepest energy rise within reach of each centre (samples); `weights` [bands, n]: which bands
    carried the event."""
    if not len(centres):
        return np.zeros(0)
    fft, hop = _window(settings.fine_window_s, sample_rate), max(1, round(settings.fine_hop_s * sample_rate))
    reach = round(settings.reach_s * sample_rate)
    padded = functional.pad(audio, (reach + fft, reach + fft))
    starts = torch.as_tensor(centres) + fft // 2  # a segment's first window is centred `reach` before the centre
    index = starts[:, None] + torch.arange(2 * reach + fft)
    frames = padded[:, index].unfold(2, fft, hop) * torch.hann_window(fft)  # [channels, events, frames, fft]
    power = torch.fft.rfft(frames).abs().square().mean(0)
    energy = torch.einsum("efk,bk->ebf", power, _filterbank(settings, fft, sample_rate))
    energy = energy / (energy.mean(2, keepdim=True) + MEAN_SQUARE_FLOOR)
    curve = torch.einsum("ebf,be->ef", energy, weights)
    slope = curve[:, 2:] - curve[:, :-2]  # over 1 ms, centred one hop after its index
    return (centres + (slope.argmax(1).numpy() + 1) * hop - reach) / sample_rate


def _thinned(times_s: np.ndarray, strength_db: np.ndarray, gap_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Times in order, without the weaker of two that are closer than `gap_s`."""
    kept: list[int] = []
    for index in np.argsort(times_s, kind="stable"):
        if kept and times_s[index] - times_s[kept[-1]] < gap_s:
            if strength_db[index] > strength_db[kept[-1]]:
                kept[-1] = int(index)
        else:
            kept.append(int(index))
    return times_s[kept], strength_db[kept]
