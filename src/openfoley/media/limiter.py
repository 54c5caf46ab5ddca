"""A true-peak limiter that changes nothing below its ceiling.

The true peak is the largest value of the band-limited signal, between samples too, estimated at a multiple of the rate
as in ITU-R BS.1770-4 Annex 2, with a finer grid and a longer interpolation filter than the Annex asks for. The gain
c / peak[n] is held over the look-ahead and release window (moving minimum) and smoothed with a Hann window, so that it
never exceeds what any peak needs and changes without clicks:

    gain = hann * min over [n - release - ahead, n + ahead] of min(1, c / peak)
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

CEILING_DBTP = -1.0  # dBTP, EBU R 128 section 3
OVERSAMPLING = 8  # BS.1770-4 Annex 2 asks for at least 4, whose grid may miss a peak near Nyquist by 0.7 dB; 8: 0.2 dB
HALF_TAPS = 24  # samples each side of the interpolation filter, Kaiser beta 8: within 0.02 dB up to 0.9 Nyquist
KAISER_BETA = 8.0
AHEAD_S = 0.0015  # s, attack: too short to be perceived apart from a transient
RELEASE_S = 0.05  # s, hold: longer than a period of 20 Hz, so a low tone is not modulated
MARGIN_DB = 0.05  # dB below the ceiling, for other meters' filters and the gain's change between samples


@cache
def _phases() -> Tensor:
    """[OVERSAMPLING - 1, 1, 2 * HALF_TAPS]: windowed sinc filters for the instants n + p / OVERSAMPLING, p > 0."""
    taps = torch.arange(-HALF_TAPS + 1, HALF_TAPS + 1, dtype=torch.float64)
    rows = []
    for phase in range(1, OVERSAMPLING):
        x = phase / OVERSAMPLING - taps
        window = torch.special.i0(KAISER_BETA * (1 - (x / HALF_TAPS) ** 2).clamp(min=0).sqrt())
        row = torch.special.sinc(x) * window
        rows.append(row / row.sum())
    return torch.stack(rows)[:, None].float()


def _interpolated_peaks(padded: Tensor) -> Tensor:
    """[channels, n + 2 * HALF_TAPS] with neighbours on both sides -> [n]: the peak near each sample, over channels."""
    between = F.conv1d(padded[:, None], _phases()).abs().amax(dim=(0, 1))  # [n + 1]: from sample -1 on
    centre = padded[:, HALF_TAPS:-HALF_TAPS].abs().amax(0)
    return torch.maximum(centre, torch.maximum(between[:-1], between[1:]))


def true_peak_dbtp(samples: Tensor, sample_rate: int) -> float:
    """The true peak of [channels, n] in dB relative to full scale; -inf for silence."""
    peak = 0.0
    block = 30 * sample_rate
    for start in range(0, samples.shape[-1], block):
        first, end = start - HALF_TAPS, start + block + HALF_TAPS
        piece = samples[:, max(0, first) : end].float()
        piece = F.pad(piece, (max(0, -first), max(0, end - samples.shape[-1])))
        peak = max(peak, _interpolated_peaks(piece).max().item())
    return 20 * math.log10(peak) if peak > 0 else -math.inf


class Limiter:
    """Push pieces [channels, n] of a sound, get it back in pieces, limited; flush() gives the rest. Same length."""

    def __init__(self, sample_rate: int, channels: int = 2, ceiling_dbtp: float = CEILING_DBTP) -> None:
        self.ceiling = 10 ** ((ceiling_dbtp - MARGIN_DB) / 20)
        self.ahead = max(1, round(AHEAD_S * sample_rate))
        self.hold = self.ahead + round(RELEASE_S * sample_rate)
        self.past, self.future = self.ahead + self.hold + HALF_TAPS, 2 * self.ahead + HALF_TAPS
        window = torch.hann_window(2 * self.ahead + 1, periodic=False, dtype=torch.float64)
        self._smooth = (window / window.sum()).float()[None, None]
        self._held = torch.zeros(channels, self.past)  # silence before the beginning

    def push(self, samples: Tensor) -> Tensor:
        joined = torch.cat([self._held, samples.detach().cpu().float()], dim=-1)
        self._held = joined[:, -(self.past + self.future) :] if joined.shape[-1] > self.past else joined
        count = joined.shape[-1] - self.past - self.future
        if count <= 0:
            self._held = joined
            return joined[:, :0]
        return self._limited(joined, count)

    def flush(self) -> Tensor:
        """The rest: [channels, m]. The limiter is empty afterwards and cannot be used again."""
        return self.push(torch.zeros(self._held.shape[0], self.future))

    def _limited(self, joined: Tensor, count: int) -> Tensor:
        """The `count` samples from self.past on, given self.past before and self.future after them."""
        wanted = joined[:, self.past : self.past + count]
        gain = self._gain(joined, count)
        return wanted if gain is None else wanted * gain

    def _gain(self, joined: Tensor, count: int) -> Tensor | None:
        """The gain [count] of those samples; None if no reduction is needed."""
        if joined.abs().max() * _phases().abs().sum(-1).max() <= self.ceiling:  # no sum of these samples can exceed it
            return None
        peaks = _interpolated_peaks(joined)
        if peaks.max() <= self.ceiling:
            return None
        need = (self.ceiling / peaks.clamp(min=self.ceiling))[None, None]
        lowest = -F.max_pool1d(-need, self.hold + self.ahead + 1, stride=1)
        gain = F.conv1d(lowest, self._smooth)[0, 0]
        gain = torch.where(-F.max_pool1d(-lowest, 2 * self.ahead + 1, stride=1)[0, 0] >= 1, 1.0, gain.clamp(max=1.0))
        return gain[:count]
