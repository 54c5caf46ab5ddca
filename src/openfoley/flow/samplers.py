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
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from openfoley.flow.exchange import Shared
from openfoley.flow.masking import Known
from openfoley.flow.noise_scale import UNSCALED, NoiseScale
from openfoley.flow.path import Latents, Velocity
from openfoley.flow.settings import Solver

LARGEST_STEP_COUNT = 128


@dataclass(frozen=True)
class Start:
    """A sequence before the first step."""

    velocity: Velocity
    noise: Latents
    known: Known


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
    starts = [Start(velocity, noise, known)]
    (latents,) = sample_together(starts, steps=steps, step_size=step_size, solver=solver, scale=scale, on_step=on_step)
    return latents


@torch.no_grad()
def sample_together(
    starts: Sequence[Start],
    *,
    steps: int,
    step_size: float,
    solver: Solver,
    scale: NoiseScale = UNSCALED,
    shared: Shared | None = None,
    on_step: Callable[[int], None] | None = None,
) -> list[Latents]:
    """As `sample`, of several sequences step by step. shared: latents of the first two that are exchanged after each
    step, and with them what the solver keeps of the step."""
    if not 1 <= steps <= LARGEST_STEP_COUNT:
        raise ValueError(f"steps must be 1 to {LARGEST_STEP_COUNT}, got {steps}")
    times = [(number / steps) ** solver.time_exponent for number in range(steps + 1)]
    walks = [_Walk(start, times, step_size if solver.receives_step_size else 0.0, solver, scale) for start in starts]
    for number in range(steps):
        for walk in walks:
            walk.step(number)
        if shared is not None:
            first, second = walks[0], walks[1]
            first.x, second.x = shared.exchanged(first.x, second.x)
            if first.end_before is not None and second.end_before is not None:
                first.end_before, second.end_before = shared.exchanged(first.end_before, second.end_before)
        if on_step is not None:
            on_step(number + 1)
    return [walk.x for walk in walks]


class _Walk:
    """One sequence on its way. end_before: the end that the step before pointed to, for solvers that use it."""

    def __init__(self, start: Start, times: Sequence[float], step_size: float, solver: Solver, scale: NoiseScale):
        self.velocity, self.known, self.times = start.velocity, start.known, times
        self.solver, self.scale = solver, scale
        self.inside = start.known.is_known[..., None]
        self.size = torch.full((len(start.noise),), step_size, device=start.noise.device)
        self.x = torch.where(self.inside, start.known.latent, start.noise)
        self.end_before: Latents | None = None

    def step(self, number: int) -> None:
        x, times, end_before = self.x, self.times, self.end_before
        now, after = times[number], times[number + 1]
        t = torch.full((len(x),), now, device=x.device)
        change = self.velocity(x, t, self.size, self.known.is_known).to(x.dtype)
        if self.solver.multistep and number + 2 < len(times):
            end = x + (1 - now) * change
            if end_before is not None and number > 1:  # l(0) is infinite
                share = (_level(after) - _level(now)) / (_level(now) - _level(times[number - 1]))
                change = change + (end - end_before) * (share / (2 * (1 - now)))
            self.end_before = end
        x = self.scale.after_step(x + change * (after - now), change, now, after)
        self.x = torch.where(self.inside, self.known.latent, x)


def _level(t: float) -> float:
    """Half the logarithm of the path's signal-to-noise ratio at 0 < t < 1."""
    return math.log(t / (1 - t))
