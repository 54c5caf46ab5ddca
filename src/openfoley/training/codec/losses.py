"""How far a decoded sound is from the true one: spectra at many resolutions, and a little of the waveform.

For each window length w, with magnitudes scaled so that a full-scale sine has 1 and the floor lies at -100 dBFS:

    log-mel     mean |ln mel(x) - ln mel(y)|           (Kumar et al., arXiv 2306.06546, section 3.4: short windows
                                                        keep onsets sharp, long ones keep pitch)
    log-linear  mean |ln |X| - ln |Y||                 (Yamamoto et al., arXiv 1910.11480)
    linear      sum ||X| - |Y|| / sum (|X| + |Y|)      (the loud parts, which the logarithm levels)
    colour      log-linear of magnitudes averaged over 8 frames: two noises of one colour differ by 0.7 in each bin of
                a frame and by a third of that in the average, so resonances count through the noise

each on left, right, mid and side (Stable Audio, arXiv 2407.14358, section 3.1), so that the stereo image counts too.
The logarithm over a low floor is what makes silence decode to silence.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from openfoley.media.spectrogram import mel_filterbank

FLOOR = 2e-5  # of full scale, -94 dBFS: lower levels count as equal
WINDOWS = ((2048, 512, 128), (1024, 256, 64))  # samples; steps alternate between the two sets, at half the cost
MELS_PER_WINDOW = {2048: 160, 1024: 120, 512: 80, 256: 40, 128: 20, 64: 10}
QUIET_WEIGHT = 0.05  # of a bin at the floor, beside one AUDIBLE_RANGE above it
AUDIBLE_RANGE = 4.0  # nepers, 35 dB
TINY = 1e-14  # power; keeps the root's gradient finite at 0
OVERLAP = 4  # hop = window / 4
COLOUR_FRAMES = 8  # averaged, two windows long


@dataclass(frozen=True)
class SpectralWeights:
    """log_linear, linear, colour and waveform (sum |x - y| / sum (|x| + |y|)) relative to log-mel, which has 1."""

    log_linear: float
    linear: float
    colour: float
    waveform: float


def reconstruction_loss(
    decoded: Float[Tensor, "batch 2 time"],
    true: Float[Tensor, "batch 2 time"],
    weights: SpectralWeights,
    *,
    step: int,
    rate: int,
) -> Float[Tensor, ""]:
    """Both at `rate` Hz."""
    windows = WINDOWS[step % len(WINDOWS)]
    total = weights.waveform * _relative(decoded, true)
    for window in windows:
        one, other = magnitudes(decoded, window), magnitudes(true, window)
        mel_one, mel_other = (_mel(magnitude, window, rate) for magnitude in (one, other))
        loss = _log_distance(mel_one, mel_other)
        loss = loss + weights.log_linear * _log_distance(one, other)
        if weights.colour:
            loss = loss + weights.colour * _log_distance(_average(one), _average(other))
        total = total + (loss + weights.linear * _relative(one, other)) / len(windows)
    return total


def magnitudes(samples: Float[Tensor, "batch 2 time"], window: int) -> Float[Tensor, "batch 4 bins frames"]:
    """|STFT| of left, right, mid and side, in window / 2 + 1 bins.

    The floor is added outside, log(|X| + FLOOR): under the root it would take the gradient from whatever lies below it,
    and a decoder that has fallen silent could never come back (seen: training collapsed to silence).
    """
    shape = torch.hann_window(window, device=samples.device)
    spectrum = torch.stft(
        samples.flatten(0, 1), window, window // OVERLAP, window=shape * (2 / shape.sum()), return_complex=True
    ).unflatten(0, samples.shape[:2])
    left, right = spectrum.unbind(1)
    all_four = torch.view_as_real(torch.stack([left, right, (left + right) / 2, (left - right) / 2], 1))
    return (all_four.square().sum(-1) + TINY).sqrt()


def _average(magnitude: Float[Tensor, "batch 4 bins frames"]) -> Float[Tensor, "_ bins means"]:
    """Means over COLOUR_FRAMES frames, half of them in common with the next."""
    frames = min(COLOUR_FRAMES, magnitude.shape[-1])
    return functional.avg_pool1d(magnitude.flatten(0, -3), frames, max(1, frames // 2))


def kl_to_normal(
    mean: Float[Tensor, "batch latent_dim latents"], std: Float[Tensor, "batch latent_dim latents"]
) -> Float[Tensor, ""]:
    """KL from the standard normal in nats per latent number."""
    return 0.5 * (mean.square() + std.square() - 1).mean() - std.log().mean()


def _log_distance(one: Float[Tensor, "*shape"], other: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    return level_distance((one + FLOOR).log(), (other + FLOOR).log())


def level_distance(one: Float[Tensor, "*shape"], other: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Mean |difference| of log-magnitudes in nepers, where bins count the more the further above the floor they lie.

    Of the Gym's sound 4 % of all bins lie above -74 dBFS: in a plain mean silence is all that is learned well.
    """
    above = torch.maximum(one.detach(), other) - math.log(FLOOR)
    weight = QUIET_WEIGHT + (above / AUDIBLE_RANGE).clamp(0.0, 1.0)
    return (weight * (one - other).abs()).sum() / weight.sum()


def _relative(one: Float[Tensor, "*shape"], other: Float[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """sum |one - other| / sum (|one| + |other|), over the whole batch: at most 1, however much too loud an untrained
    decoder is and however silent a clip."""
    scale = one.detach().abs().sum() + other.abs().sum() + FLOOR * other.numel()
    return (one - other).abs().sum() / scale


def _mel(
    magnitude: Float[Tensor, "batch 4 bins frames"], window: int, rate: int
) -> Float[Tensor, "batch 4 mels frames"]:
    """Mean magnitude under each triangle (the triangles sum to 1)."""
    return torch.einsum("mf,bcft->bcmt", mel_triangles(window, rate).to(magnitude.device), magnitude)


@lru_cache
def mel_triangles(window: int, rate: int) -> Float[Tensor, "mels bins"]:
    """Triangles on the mel scale, each of sum 1; those without a bin are left out."""
    triangles = mel_filterbank(rate, window, MELS_PER_WINDOW[window])
    total = triangles.sum(1, keepdim=True)
    filled = total[:, 0] > 0
    return triangles[filled] / total[filled]
