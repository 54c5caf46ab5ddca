"""From noise to a latent in N steps.

The paper's way (`SHORTCUT`): equal Euler steps, x <- x + v(x, i / N, d) / N, and the model receives their size d.

Beyond the paper (`MULTISTEP`): the instantaneous velocity (d = 0) at times (i / N) ^ 1.75, dense near the noise, and
each step but the first two and the last uses the one before (DPM-Solver++ 2M, arXiv 2211.01095, Algorithm 2, for the
straight path). With the end D_a = x_a + (1 - a) v_a of the velocity at time a, and l(t) = log(t / (1 - t)), half the
logarithm of the signal-to-noise ratio:

    x_b = x_a + (b - a) v_a + (b - a) / (1 - a) (D_a - D_p) / (2 r),    r = (l(a) - l(p)) / (l(b) - l(a))

p being the time before a. 8 such steps are nearer to 64 than 32 equal ones are, at no cost (docs/log.md, S4).
"""

import math
from collections.abc import Callable

import torch

from openfoley.flow.masking import Known
from openfoley.flow.noise_scale import UNSCALED, NoiseScale
from openfoley.flow.path import Latents, Velocity
from openfoley.flow.settings import Solver

LARGEST_STEP_COUNT = 128


@torch.no_grad()
def sample(
    velocity: Velocity,
    noise: Latents,
    known: Known,
    *,
    steps: int,
    step_size: float,
    solver: Solver,
    scale: NoiseScale = UNSCALED,
    on_step: Callable[[int], None] | None = None,
) -> Latents:
    """The latents at t = 1; known ones leave bit for bit as they entered.

    step_size: what the model receives of a solver that passes it on (`shortcut.trained_step`). on_step: receives the
    number of steps done.
    """
    if not 1 <= steps <= LARGEST_STEP_COUNT:
        raise ValueError(f"steps must be 1 to {LARGEST_STEP_COUNT}, got {steps}")
    inside = known.is_known[..., None]
    batch = noise.shape[0]
    size = torch.full((batch,), step_size if solver.receives_step_size else 0.0, device=noise.device)
    x = torch.where(inside, known.latent, noise)
    times = [(number / steps) ** solver.time_exponent for number in range(steps + 1)]
    end_before = None
    for number in range(steps):
        now, after = times[number], times[number + 1]
        change = velocity(x, torch.full((batch,), now, device=noise.device), size, known.is_known).to(x.dtype)
        if solver.multistep and number + 1 < steps:
            end = x + (1 - now) * change
            if end_before is not None and number > 1:  # l(0) is infinite
                share = (_level(after) - _level(now)) / (_level(now) - _level(times[number - 1]))
                change = change + (end - end_before) * (share / (2 * (1 - now)))
            end_before = end
        x = scale.after_step(x + change * (after - now), change, now, after)
        x = torch.where(inside, known.latent, x)
        if on_step is not None:
            on_step(number + 1)
    return x


def _level(t: float) -> float:
    """Half the logarithm of the path's signal-to-noise ratio at 0 < t < 1."""
    return math.log(t / (1 - t))
