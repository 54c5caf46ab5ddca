"""Peaks of the spectral flux as `librosa.onset.onset_detect` finds them with its defaults, on which AV-Align rests.

    S   mel power spectrogram, 128 bands, windows of 2048 samples every 512, in dB, at most 80 below its maximum
    e_k mean over the bands of max(S_k - S_k-1, 0), two frames later: as late as a window's half
    a peak is the largest of e over 30 ms before and at it, and 0.07 above its mean over 100 ms on both sides, where e
    is scaled to 0..1; after a peak 30 ms are skipped

It is made for music and misses or doubles contacts that `data.onset_detector` finds; use it for comparison with
published figures only.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int

from openfoley.media.spectrogram import mel_filterbank

FFT, HOP, MELS = 2048, 512, 128
LEAST_POWER, RANGE_DB = 1e-10, 80.0
MAX_S, MEAN_S, WAIT_S, DELTA = 0.03, 0.10, 0.03, 0.07


def onset_peaks(samples: Float[np.ndarray, " time"], sample_rate: int) -> Float[np.ndarray, " peaks"]:
    """Times (s) of the peaks; none of silence."""
    flux = spectral_flux(samples, sample_rate)
    flux = flux - flux.min()
    if not flux.max() > 0:
        return np.zeros(0)
    return picked(flux / flux.max(), sample_rate / HOP) * HOP / sample_rate


def spectral_flux(samples: Float[np.ndarray, " time"], sample_rate: int) -> Float[np.ndarray, " frames"]:
    padded = torch.nn.functional.pad(torch.as_tensor(samples, dtype=torch.float32), (FFT // 2, FFT // 2))
    spectrum = torch.stft(padded, FFT, HOP, window=torch.hann_window(FFT), center=False, return_complex=True)
    power = mel_filterbank(sample_rate, FFT, MELS).double() @ spectrum.abs().double().square()
    level = 10 * power.clamp_min(LEAST_POWER).log10().numpy()
    level = np.maximum(level, level.max() - RANGE_DB)
    rise = np.maximum(np.diff(level, axis=1), 0).mean(0)
    late = 1 + FFT // (2 * HOP)
    return np.pad(rise, (late, 0))[: level.shape[1]]


def picked(flux: Float[np.ndarray, " frames"], rate: float) -> Int[np.ndarray, " peaks"]:
    """Indices of the peaks of a curve with `rate` values a second."""
    before, around, wait = (int(seconds * rate) for seconds in (MAX_S, MEAN_S, WAIT_S))
    peaks, k = [], 0
    while k < len(flux):
        largest = flux[max(k - before, 0) : k + 1].max()
        mean = flux[max(k - around, 0) : k + around + 1].mean()
        if flux[k] == largest and flux[k] >= mean + DELTA:
            peaks.append(k)
            k += wait
        k += 1
    return np.array(peaks, dtype=np.int64)
