"""Sample rate conversion by soxr (very high quality), for whole sounds and for streams of any length."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from openfoley.types import Audio

QUALITY = "VHQ"  # soxr: 28-bit precision, pass band to 0.913 of Nyquist, linear phase (no delay after compensation)


class StreamingResampler:
    """Push pieces of a sound, get pieces at the other rate; after flush() the lengths add up to round(n * out / in)."""

    def __init__(self, in_rate: int, out_rate: int, channels: int) -> None:
        import soxr

        self.in_rate, self.out_rate, self.channels = in_rate, out_rate, channels
        self._stream = soxr.ResampleStream(in_rate, out_rate, channels, dtype="float32", quality=QUALITY)
        self._taken = self._given = 0

    def push(self, samples: Tensor) -> Tensor:
        """[channels, n] at in_rate -> [channels, m] at out_rate; m may be 0."""
        self._taken += samples.shape[-1]
        return self._run(samples, last=False) if self.in_rate != self.out_rate else samples

    def flush(self) -> Tensor:
        """What is still inside: [channels, m]."""
        if self.in_rate == self.out_rate:
            return torch.zeros(self.channels, 0)
        rest = self._run(torch.zeros(self.channels, 0), last=True)
        missing = round(self._taken * self.out_rate / self.in_rate) - self._given
        self._given += missing
        return torch.nn.functional.pad(rest, (0, missing)) if missing >= 0 else rest[:, :missing]

    def _run(self, samples: Tensor, last: bool) -> Tensor:
        block = np.ascontiguousarray(samples.detach().cpu().numpy().T, dtype=np.float32)
        out = torch.from_numpy(np.ascontiguousarray(self._stream.resample_chunk(block, last=last).T))
        self._given += out.shape[-1]
        return out


def resample(audio: Audio, sample_rate: int) -> Audio:
    """The same sound at another rate in Hz; round(n * sample_rate / audio.sample_rate) samples."""
    if sample_rate == audio.sample_rate:
        return audio
    stream = StreamingResampler(audio.sample_rate, sample_rate, audio.samples.shape[0])
    return Audio(torch.cat([stream.push(audio.samples), stream.flush()], dim=-1), sample_rate)
