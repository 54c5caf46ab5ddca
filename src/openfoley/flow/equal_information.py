"""Which timesteps of two models belong together, from how well each one denoises.

At timestep t a model predicts the noise with the mean squared error L(t). The error of the data that this implies is
(1 - a) / a L, so L = 0 where x_t is all noise (nothing is left to confuse it with) and L = 1 where x_t is all data:

    known(t) = share of the data's variance that x_t determines.    For Gaussian data of variance s^2,
    L = a s^2 / (a s^2 + 1 - a) = known(t) exactly: the error of the data is s^2 (1 - L).

Two timesteps belong together where both modalities are equally known: L_video(t_video) = L_audio(t_audio). That defines
a monotone map, and gamma is its best single exponent, t_video / T = (t_audio / T)^gamma (arXiv 2409.17550, Eq. 9; there
gamma is found by a sweep, and finding it is left open).

`known_by_snr` gives the same curves without data, for white data of a given variance: what schedules alone say.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import isotonic_regression
from torch import Tensor

from openfoley.flow.ddim import TRAINED_STEPS, NoiseSchedule

Curve = Float[Tensor, " trained_steps"]

TRUSTED = (0.05, 0.95)
"""Range of t / T within which the exponent is fitted: at the ends log(t / T) or the losses say little."""


def known_by_snr(schedule: NoiseSchedule, variance: float) -> Curve:
    """known(t) of white Gaussian data, from the signal-to-noise ratio alone."""
    power = schedule.signal_power()
    return power * variance / (power * variance + 1 - power)


def known_by_loss(timesteps: Float[Tensor, " points"], losses: Float[Tensor, " points"]) -> Curve:
    """known(t) from measured losses of predicted noise (mean per element): made descending by pooling neighbours that
    are out of order (isotonic regression), then interpolated. timesteps ascend."""
    fitted = torch.from_numpy(-isotonic_regression(-losses.double().clamp(0, 1).numpy()).x)
    return _interpolated(torch.arange(TRAINED_STEPS, dtype=torch.float64), timesteps.double(), fitted).float()


def timestep_map(audio: Curve, video: Curve) -> Curve:
    """t_video for every t_audio at which both are equally known; constant where the other model never knows as much or
    as little."""
    rising, ids = video.double().flip(0), torch.arange(TRAINED_STEPS, dtype=torch.float64).flip(0)
    return _interpolated(audio.double(), rising, ids).float().clamp(0, TRAINED_STEPS - 1)


def gamma_of(video_of_audio: Curve) -> float:
    """The exponent nearest to a map: least squares of log(t_video / T) = gamma log(t_audio / T), weighted so that an
    equal step of t_audio counts equally in t_video."""
    low, high = (round(share * TRAINED_STEPS) for share in TRUSTED)
    audio = torch.arange(low, high, dtype=torch.float64) / TRAINED_STEPS
    video = (video_of_audio[low:high].double() / TRAINED_STEPS).clamp(min=1 / TRAINED_STEPS)
    weight = video.square()  # d t = t d log t
    return float((weight * audio.log() * video.log()).sum() / (weight * audio.log().square()).sum())


def _interpolated(
    at: Float[Tensor, " values"], x: Float[Tensor, " points"], y: Float[Tensor, " points"]
) -> Float[Tensor, " values"]:
    """Linear between points, constant outside; of points with one x the last counts. x never falls."""
    return torch.from_numpy(np.interp(at.numpy(), x.numpy(), y.numpy()))
