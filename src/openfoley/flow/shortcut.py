"""Shortcut steps and their self-consistency: one step of 2d must equal two steps of d (arXiv 2510.02916, Eq. 2).

    v_target = (v(x_t, t, d) + v(x_t + d v(x_t, t, d), t + d, d)) / 2

with the averaged (EMA) weights and no gradient, t a multiple of the step (Frans et al., arXiv 2410.12557, section 3 and
Eq. 5). The paper does not say whether the targets are guided; these are not (guidance is applied in sampling).
"""

from fractions import Fraction

import torch

from openfoley.flow.path import IsKnown, Latents, Rows, Velocity


def shortcut_steps(smallest: Fraction) -> list[Fraction]:
    """The trained step sizes smallest, 2 smallest, ..., 1; smallest must be 1 / a power of two."""
    steps = [smallest]
    while steps[-1] < 1:
        steps.append(2 * steps[-1])
    if steps[-1] != 1:
        raise ValueError(f"the smallest shortcut step must be 1 / a power of two, got {smallest}")
    return steps


def shortcut_times(count: int, smallest: Fraction, generator: torch.Generator) -> tuple[Rows, Rows]:
    """Times and steps: any trained step, and any of its multiples below 1, equally likely."""
    sizes = torch.tensor([float(step) for step in shortcut_steps(smallest)], device=generator.device)
    step = sizes[torch.randint(len(sizes), (count,), generator=generator, device=generator.device)]
    position = torch.rand(count, generator=generator, device=generator.device)
    return (position / step).floor() * step, step


def trained_step(steps: int, smallest: Fraction | None) -> float:
    """The step size that the model receives when `steps` are taken: the largest trained one not above 1 / steps, else
    0. smallest None: trained by flow matching alone, always 0 (the instantaneous velocity)."""
    sizes = [] if smallest is None else shortcut_steps(smallest)
    return float(max((size for size in sizes if size <= Fraction(1, steps)), default=Fraction(0)))


@torch.no_grad()
def shortcut_target(
    velocity: Velocity, x_t: Latents, t: Rows, step: Rows, known: IsKnown, smallest: Fraction
) -> Latents:
    """Target for a step of size `step` (2d) taken at t. Known latents do not move.

    Half of the smallest trained step is not a trained step: there the instantaneous velocity (step 0) is followed.
    """
    half = step / 2
    trained = torch.where(half < float(smallest), 0.0, half)
    first = velocity(x_t, t, trained, known).float()
    moved = torch.where(known[..., None], x_t, x_t + half[:, None, None] * first)
    return (first + velocity(moved, t + half, trained, known).float()) / 2
