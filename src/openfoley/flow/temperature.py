"""Noise that cools on the way from noise (t = 0) to data (t = 1).

A sampler makes what has a chance of 0.3 three times in ten, and a false event is heard at once; so, beyond the paper,
noise smaller than in training, as temperatures below 1 are used with other flows (Kingma and Dhariwal, arXiv
1807.03039, section 6): what is likely is made, what is merely possible is not. But noise that is too small from the
start is, for the model, a sign of silence: a scene that it gave a chance of one third to be silent was silent in nearly
all samples at 0.7. Whether a thing sounds is settled in the first tenths of the path. So the noise has its full
deviation there, and what is left of it at COOLED_FROM is made smaller, all at once:

    x_t = t D + (1 - t) n   ->   t D + (1 - t) T n,       D and n on the straight line that the step before walked

256 validation scenes, 8 steps, guidance 4: see docs/log.md, 2026-11-26, evening.
"""

from torch import Tensor

DEFAULT_TEMPERATURE = 0.6  # 1 is the paper
COOLED_FROM = 0.15


def deviation(t: Tensor, temperature: float) -> Tensor:
    """Standard deviation of the noise in x_t when a velocity at t [batch] is asked for, [batch]."""
    return 1.0 - (1.0 - temperature) * (t >= COOLED_FROM).to(t.dtype)


def cooled(x: Tensor, velocity: Tensor, t: float, temperature: float) -> Tensor:
    """x at t, come there by `velocity`, with its noise `temperature` times as large."""
    noise = x - t * velocity
    return x - (1.0 - temperature) * (1.0 - t) * noise
