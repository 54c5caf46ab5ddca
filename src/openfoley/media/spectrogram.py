"""Short-time Fourier magnitudes and log-mel spectrograms in torch.

Mel scale and normalisation after Slaney's Auditory Toolbox (1998), as librosa's defaults: linear below 1 kHz
(200/3 Hz per mel), logarithmic above (27 mels per factor 6.4), triangles of unit area.
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

HZ_PER_LINEAR_MEL = 200 / 3
LOG_START_HZ = 1000.0
LOG_STEP = math.log(6.4) / 27  # per mel
LOG_FLOOR = 1e-5  # amplitude: -100 dB


def hz_to_mel(hz: Tensor) -> Tensor:
    """Frequencies in Hz on Slaney's mel scale."""
    start = LOG_START_HZ / HZ_PER_LINEAR_MEL
    return torch.where(
        hz < LOG_START_HZ, hz / HZ_PER_LINEAR_MEL, start + (hz.clamp(min=LOG_START_HZ) / LOG_START_HZ).log() / LOG_STEP
    )


def mel_to_hz(mel: Tensor) -> Tensor:
    """The inverse of hz_to_mel."""
    start = LOG_START_HZ / HZ_PER_LINEAR_MEL
    return torch.where(
        mel < start, mel * HZ_PER_LINEAR_MEL, LOG_START_HZ * ((mel.clamp(min=start) - start) * LOG_STEP).exp()
    )


@cache
def mel_filterbank(sample_rate: int, n_fft: int, n_mels: int, f_min: float = 0.0, f_max: float | None = None) -> Tensor:
    """Triangular filters float32 [n_mels, n_fft // 2 + 1] of unit area in Hz (do not write into it: it is cached)."""
    bins = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    ends = hz_to_mel(torch.tensor([f_min, f_max or sample_rate / 2], dtype=torch.float64))
    edges = mel_to_hz(torch.linspace(ends[0].item(), ends[1].item(), n_mels + 2, dtype=torch.float64))
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = torch.minimum(rising, falling).clamp(min=0)
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).float()


def stft_magnitude(samples: Tensor, n_fft: int, hop_length: int, window_length: int | None = None) -> Tensor:
    """|STFT| [..., n_fft // 2 + 1, 1 + time // hop_length] of [..., time]: Hann window, frame k centred on k * hop."""
    window_length = window_length or n_fft
    flat = samples.reshape(-1, samples.shape[-1])
    padding_mode = "reflect" if samples.shape[-1] > n_fft // 2 else "constant"
    flat = F.pad(flat[:, None], (n_fft // 2, n_fft // 2), mode=padding_mode)[:, 0]
    window = torch.hann_window(window_length, dtype=samples.dtype, device=samples.device)
    spectrum = torch.stft(flat, n_fft, hop_length, window_length, window, center=False, return_complex=True)
    magnitude = spectrum.abs()
    return magnitude.reshape(*samples.shape[:-1], *magnitude.shape[-2:])


def mel_spectrogram(
    samples: Tensor,
    sample_rate: int,
    *,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    f_min: float = 0.0,
    f_max: float | None = None,
    power: float = 1.0,
) -> Tensor:
    """Mel magnitudes (power 1) or energies (power 2) [..., n_mels, frames] of [..., time]."""
    magnitude = stft_magnitude(samples, n_fft, hop_length)
    filters = mel_filterbank(sample_rate, n_fft, n_mels, f_min, f_max).to(magnitude)
    return filters @ (magnitude**power)


def log_mel(
    samples: Tensor,
    sample_rate: int,
    *,
    n_fft: int = 2048,
    hop_length: int = 512,
    n_mels: int = 128,
    f_min: float = 0.0,
    f_max: float | None = None,
    floor: float = LOG_FLOOR,
) -> Tensor:
    """Natural logarithm of the mel magnitudes, not below log(floor): [..., n_mels, frames] of [..., time]."""
    mel = mel_spectrogram(
        samples, sample_rate, n_fft=n_fft, hop_length=hop_length, n_mels=n_mels, f_min=f_min, f_max=f_max
    )
    return mel.clamp(min=floor).log()
