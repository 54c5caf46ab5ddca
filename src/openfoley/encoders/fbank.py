"""Log-mel energies as Kaldi computes them: the input of the Audio Spectrogram Transformer (arXiv 2104.01778).

128 mel bands, 25 ms Hann windows every 10 ms at 16 kHz (arXiv 2510.02916, section 3.1). Per window: take the mean off,
pre-emphasise, window, power spectrum, mel triangles (triangular on the mel axis), natural logarithm. Equal to
transformers' ASTFeatureExtractor within rounding, but in torch and differentiable.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

SAMPLE_RATE = 16000  # Hz
WINDOW_LENGTH = 400  # samples, 25 ms
HOP_LENGTH = 160  # samples, 10 ms
FFT_LENGTH = 512  # samples, next power of two
PRE_EMPHASIS = 0.97  # Kaldi's default
LOWEST_HZ = 20.0  # Kaldi's default
LOG_FLOOR = 1.192092955078125e-07  # float32 epsilon, as in Kaldi
MEAN, HALF_RANGE = -4.2677393, 2 * 4.5689974  # AudioSet statistics of AST


def fbank_frame_count(samples: int) -> int:
    """Windows that lie wholly inside a snippet."""
    return 1 + (samples - WINDOW_LENGTH) // HOP_LENGTH


def kaldi_mel_filters(bands: int) -> Float[Tensor, "bins {bands}"]:
    """Triangles that are straight on the mel axis m = 1127 ln(1 + f / 700)."""

    hz = torch.arange(FFT_LENGTH // 2 + 1, dtype=torch.float64) * SAMPLE_RATE / FFT_LENGTH
    bins = 1127.0 * torch.log1p(hz / 700.0)
    lowest, highest = (1127.0 * math.log1p(hz / 700.0) for hz in (LOWEST_HZ, SAMPLE_RATE / 2))
    corners = torch.linspace(lowest, highest, bands + 2, dtype=torch.float64)
    left, centre, right = corners[:-2], corners[1:-1], corners[2:]
    rising = (bins[:, None] - left) / (centre - left)
    falling = (right - bins[:, None]) / (right - centre)
    return torch.minimum(rising, falling).clamp_min(0).float()


class Fbank(nn.Module):
    """Mono samples at 16 kHz in -1..1 -> normalised log-mel of `fbank_frame_count` frames."""

    window: Float[Tensor, " window"]
    filters: Float[Tensor, "bins bands"]

    def __init__(self, bands: int) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(WINDOW_LENGTH, periodic=False), persistent=False)
        self.register_buffer("filters", kaldi_mel_filters(bands), persistent=False)

    def forward(self, samples: Float[Tensor, "batch samples"]) -> Float[Tensor, "batch frames bands"]:
        with torch.autocast(samples.device.type, enabled=False):  # 16-bit floats lose the quiet bands
            frames = samples.float().unfold(-1, WINDOW_LENGTH, HOP_LENGTH)
            frames = frames - frames.mean(-1, keepdim=True)
            before = F.pad(frames[..., :-1], (1, 0))
            before[..., 0] = frames[..., 0]  # the first sample is its own predecessor
            frames = (frames - PRE_EMPHASIS * before) * self.window
            power = torch.fft.rfft(frames, n=FFT_LENGTH).abs().square()
            energies = torch.log((power @ self.filters).clamp_min(LOG_FLOOR))
            return (energies - MEAN) / HALF_RANGE
