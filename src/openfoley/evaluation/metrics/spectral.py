"""Spectral metrics: codec distortion, and bandwidth and decay of generated against true sound.

- mel distance: mean |difference| of log-mel magnitudes in dB, floor -100 dB (comparable to librosa-style log-mel L1);
- multi-resolution STFT distance: spectral convergence + mean |log magnitude ratio| over three windows (Yamamoto 2020,
  arXiv 1910.11480);
- SI-SDR (Le Roux 2019, arXiv 1811.02508), in dB;
- bandwidth: the frequencies below which 95 % and 99 % of the power lie, and the highest one within 60 dB of the
  spectrum's peak;
- T20: the time to decay by 60 dB, extrapolated from the -5 to -25 dB part of one event's backward-integrated power
  (ISO 3382);
- rise time: the time that an event's envelope takes from 10 % to 90 % of its peak (codecs smear it);
- SWSD: sliced Wasserstein distance of spectral shapes (SALSA-V A.2), true l1 and quantile functions; `SWSD` lists
  the paper's unspecified parameters.
Clicks score well on timing and badly on bandwidth and T20.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor

from openfoley.media.spectrogram import log_mel, mel_spectrogram, stft_magnitude

DB_PER_NEPER = 20 / math.log(10)
STFT_WINDOWS = (512, 1024, 2048)
"""Samples; the hop is a quarter, as in the loss it comes from."""
STFT_FLOOR = 1e-5
TINY = 1e-12
SWSD = {"n_mels": 80, "n_fft": 2048, "hop_length": 512, "magnitude": "log1p(S / 1e-5)", "projections": 100}
"""Parameters that SALSA-V A.2 does not specify; values are comparable only under the same ones."""


def mel_distance_db(
    generated: Float[Tensor, "*channels time"], reference: Float[Tensor, "*channels time"], sample_rate: int
) -> float:
    """Samples of equal length -> mean absolute difference of 128 log-mel bands in dB, 0 for equal sounds."""
    return DB_PER_NEPER * float((log_mel(generated, sample_rate) - log_mel(reference, sample_rate)).abs().mean())


def stft_distance(generated: Float[Tensor, "channels time"], reference: Float[Tensor, "channels time"]) -> float:
    """Multi-resolution STFT distance, 0 for equal sounds."""
    terms = []
    for window in STFT_WINDOWS:
        ours, theirs = (stft_magnitude(s, window, window // 4).clamp_min(STFT_FLOOR) for s in (generated, reference))
        convergence = (ours - theirs).norm() / theirs.norm()
        terms.append(float(convergence + (ours.log() - theirs.log()).abs().mean()))
    return float(np.mean(terms))


def si_sdr_db(generated: Float[Tensor, "channels time"], reference: Float[Tensor, "channels time"]) -> float:
    """Scale-invariant signal-to-distortion ratio over all channels; higher is better, inf for a scaled copy."""
    x, y = generated.double().flatten(), reference.double().flatten()
    target = (x @ y) / (y @ y).clamp_min(TINY) * y
    return 10 * math.log10(float((target @ target).clamp_min(TINY) / ((x - target) @ (x - target)).clamp_min(TINY)))


@dataclass(frozen=True)
class Bandwidth:
    """Frequencies in Hz."""

    roll_off_95_hz: float
    roll_off_99_hz: float
    minus_60_db_hz: float


def mean_power_spectrum(samples: Float[Tensor, "channels time"], window: int = 4096) -> Float[np.ndarray, " bins"]:
    """Power by frequency bin, mean over time and channels, float64 [window // 2 + 1]."""
    inside = stft_magnitude(samples, window, window // 2)[..., 1:-2]  # without frames that extend beyond the ends
    return inside.double().square().mean((0, 2)).numpy()


def bandwidth(power: Float[np.ndarray, " bins"], sample_rate: int) -> Bandwidth:
    """Bandwidth of a power spectrum (one clip's or a sum); nan for silence."""
    hz = np.linspace(0, sample_rate / 2, len(power))
    if power.sum() <= TINY:
        return Bandwidth(*[float("nan")] * 3)
    share = np.cumsum(power) / power.sum()
    smooth = np.convolve(power, np.ones(9) / 9, mode="same")  # about 100 Hz: no single strong bin decides
    loud = np.flatnonzero(smooth >= smooth.max() * 1e-6)
    roll_offs = [float(np.interp(level, share, hz)) for level in (0.95, 0.99)]
    return Bandwidth(roll_offs[0], roll_offs[1], float(hz[loud[-1]]))


T20_RANGE_DB = (-5.0, -25.0)
BEFORE_S = (0.06, 0.02)  # before the onset: the background level is measured here
BEFORE_NEXT_S = 0.02  # the decay ends so long before the next onset: a codec's window smears onsets backwards
SHORTEST_SPAN_S = 0.08


def t20_s(samples: Float[Tensor, "channels time"], sample_rate: int, onset_s: float, end_s: float) -> float:
    """Decay time (s to -60 dB) between an onset and `end_s` (the next event); nan if it does not decay far enough.

    The steady power before the onset is subtracted; a straight line is fitted from -5 to -25 dB.
    """
    power = samples.double().square().mean(0).numpy()
    start, end = round(onset_s * sample_rate), min(round((end_s - BEFORE_NEXT_S) * sample_rate), len(power))
    if end - start < SHORTEST_SPAN_S * sample_rate:
        return float("nan")
    early, late = (max(0, start - round(before_s * sample_rate)) for before_s in BEFORE_S)
    before = power[early:late]
    noise = float(before.mean()) if len(before) else 0.0
    step = max(1, sample_rate // 1000)
    envelope = power[start : start + (end - start) // step * step].reshape(-1, step).mean(1) - noise
    left = np.cumsum(envelope[::-1])[::-1]
    peak = int(np.argmax(envelope))
    curve = 10 * np.log10(np.maximum(left[peak:] / max(left[peak], TINY), TINY))
    high, low = T20_RANGE_DB
    first, last = int(np.argmax(curve <= high)), int(np.argmax(curve <= low))
    if left[peak] <= TINY or not last or last - first < 3 or last > 0.9 * len(curve):  # the last tenth is truncated
        return float("nan")
    slope = np.polyfit(np.arange(first, last) * step / sample_rate, curve[first:last], 1)[0]
    return float(-60 / slope) if slope < 0 else float("nan")


RISE_REACH_S = 0.030
ENVELOPE_S = 0.001


def rise_time_ms(samples: Float[Tensor, "channels time"], sample_rate: int, onset_s: float) -> float:
    """Time of the amplitude envelope (1 ms) from 10 % to 90 % of its peak around an onset; nan without a peak."""
    reach, width = round(RISE_REACH_S * sample_rate), max(1, round(ENVELOPE_S * sample_rate))
    centre = round(onset_s * sample_rate)
    around = samples[:, max(0, centre - reach) : centre + reach].double().square().mean(0).numpy()
    if len(around) < width:
        return float("nan")
    envelope = np.sqrt(np.convolve(around, np.ones(width) / width, mode="same"))
    envelope = envelope - envelope[: max(1, reach // 2)].min()
    peak = int(np.argmax(envelope))
    if envelope[peak] <= 1e-6:
        return float("nan")
    rising = envelope[: peak + 1] / envelope[peak]
    low = int(np.flatnonzero(rising <= 0.1)[-1]) if (rising <= 0.1).any() else 0
    high = low + int(np.argmax(rising[low:] >= 0.9))
    return 1000 * (high - low) / sample_rate


def isolated(events_s: np.ndarray, duration_s: float, before_s: float, after_s: float) -> list[tuple[float, float]]:
    """Events with no other within `before_s` before and `after_s` after: (time, time of the next event or the end)."""
    times = np.sort(events_s)
    previous = np.concatenate([[-np.inf], times[:-1]])
    following = np.concatenate([times[1:], [duration_s]])
    keep = (times - previous >= before_s) & (following - times >= after_s)
    return list(zip(times[keep].tolist(), following[keep].tolist(), strict=True))


def swsd(
    generated: Float[Tensor, "channels time"],
    reference: Float[Tensor, "channels other_time"],
    sample_rate: int,
    seed: int = 0,
) -> float:
    """Sliced Wasserstein distance between the sets of spectral shapes of two sounds, 0 for equal sets.

    Frames are mel spectra as log1p(S / eps) divided by their sum; silent frames are left out. W1 of each projection
    integrates the difference of the quantile functions, so lengths may differ. Time order does not matter.
    """
    options = {"n_fft": SWSD["n_fft"], "hop_length": SWSD["hop_length"], "n_mels": SWSD["n_mels"]}
    sets = []
    for samples in (generated, reference):
        level = (mel_spectrogram(samples.mean(0), sample_rate, **options) / 1e-5).log1p().double().T.numpy()
        total = level.sum(1, keepdims=True)
        sets.append((level / np.maximum(total, TINY))[total[:, 0] > TINY])
    if not len(sets[0]) or not len(sets[1]):
        return 0.0 if len(sets[0]) == len(sets[1]) else float("nan")
    directions = np.random.default_rng(seed).standard_normal((SWSD["projections"], sets[0].shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    levels = (np.arange(1000) + 0.5) / 1000
    ours, theirs = (np.quantile(shapes @ directions.T, levels, axis=0) for shapes in sets)
    return float(np.abs(ours - theirs).mean())
