"""DDIM over an explicit list of timesteps (Song et al., arXiv 2010.02502, Eq. 12 with eta 0), and its noise schedules.

    x0  = (x_t - sqrt(1 - a_t) eps) / sqrt(a_t)
    x_s = sqrt(a_s) x0 + sqrt(1 - a_s) eps

s is the next entry of the list. diffusers' scheduler computes it as t - T // n instead (0.42.1), which is another
timestep on a grid that is not even, as warped ones are (arXiv 2409.17550, Eq. 9). Here t counts noise: T - 1 is noise,
0 nearly data.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

TRAINED_STEPS = 1000
"""T, of every model here."""

Prediction = Literal["noise", "velocity"]
"""What a network gives for x_t: the noise in it, or v = sqrt(a_t) eps - sqrt(1 - a_t) x0 (arXiv 2202.00512)."""

Steps = Int64[Tensor, " steps"]
Sample = Float[Tensor, "*axes"]


@dataclass(frozen=True)
class NoiseSchedule:
    """betas: `linear`, or `scaled_linear` (its square root is), from first to last. spacing: of the timesteps at
    sampling. `linspace` goes from T - 1 to 0, `leading` takes every T // n-th, from 1 on."""

    betas: Literal["linear", "scaled_linear"]
    first_beta: float
    last_beta: float
    spacing: Literal["linspace", "leading"]

    def signal_power(self) -> Float[Tensor, " trained_steps"]:
        """a_t, "alphas_cumprod": the share of data in the variance of x_t."""
        if self.betas == "linear":
            betas = torch.linspace(self.first_beta, self.last_beta, TRAINED_STEPS)
        else:
            betas = torch.linspace(self.first_beta**0.5, self.last_beta**0.5, TRAINED_STEPS).square()
        return torch.cumprod(1.0 - betas, dim=0)

    def timesteps(self, steps: int) -> Steps:
        """Descending, `steps` of them."""
        if self.spacing == "linspace":
            grid = np.linspace(0, TRAINED_STEPS - 1, steps).round()
        else:
            grid = np.arange(steps) * (TRAINED_STEPS // steps) + 1
        return torch.from_numpy(grid[::-1].astype(np.int64))


VIDEO = NoiseSchedule("linear", 0.00085, 0.012, "linspace")
AUDIO = NoiseSchedule("scaled_linear", 0.0015, 0.0195, "leading")
"""Of AnimateDiff as the paper uses it, and of AudioLDM (arXiv 2409.17550; the published configurations)."""


class Step(NamedTuple):
    """The next sample, and the data as predicted from this one."""

    x: Float[Tensor, "*axes"]
    x0: Float[Tensor, "*axes"]


def ddim_step(
    x: Float[Tensor, "*axes"], eps: Float[Tensor, "*axes"], power: Float[Tensor, ""], next_power: Float[Tensor, ""]
) -> Step:
    """power, next_power: a_t of this entry of the list and of the next one (`next_powers`)."""
    x0 = data_from_noise(x, eps, power)
    return Step(next_power.sqrt() * x0 + (1 - next_power).sqrt() * eps, x0)


def data_from_noise(
    x: Float[Tensor, "*axes"], eps: Float[Tensor, "*axes"], power: Float[Tensor, "*#axes"]
) -> Float[Tensor, "*axes"]:
    """x0 for the noise in x_t."""
    return (x - (1 - power).sqrt() * eps) / power.sqrt()


def noise_from_velocity(
    x: Float[Tensor, "*axes"], velocity: Float[Tensor, "*axes"], power: Float[Tensor, "*#axes"]
) -> Float[Tensor, "*axes"]:
    """The noise in x_t."""
    return power.sqrt() * velocity + (1 - power).sqrt() * x


def noised(
    x0: Float[Tensor, "*axes"], noise: Float[Tensor, "*axes"], power: Float[Tensor, "*#axes"]
) -> Float[Tensor, "*axes"]:
    """x_t of data and noise."""
    return power.sqrt() * x0 + (1 - power).sqrt() * noise


def powers(schedule: NoiseSchedule, timesteps: Steps) -> tuple[Float[Tensor, " steps"], Float[Tensor, " steps"]]:
    """a_t of every entry, and of the one after it. After the last comes a_0: the end of the schedule, whose little
    noise stays ("set_alpha_to_one" is off in both base models)."""
    trained = schedule.signal_power()
    now = trained[timesteps]
    return now, torch.cat((now[1:], trained[:1]))
