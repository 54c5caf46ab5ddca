"""The self-consistency target: one step of 2d must equal two steps of d (arXiv 2510.02916, Eq. 2; 2410.12557, Eq. 5).

    v_target = (v(x_t, t, d) + v(x_t + d v(x_t, t, d), t + d, d)) / 2

with the averaged (EMA) weights and no gradient. The paper does not say whether the targets are guided; these are not
(guidance is applied when sampling, at every step).
"""

from collections.abc import Callable
from fractions import Fraction

import torch
from torch import Tensor

Velocity = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""velocity(x_t [batch, latent_time, channels], t [batch], step [batch], known [batch, latent_time]) -> like x_t."""


@torch.no_grad()
def shortcut_target(
    velocity: Velocity, x_t: Tensor, t: Tensor, step: Tensor, known: Tensor, smallest: Fraction
) -> Tensor:
    """Target for a step of size `step` (2d) [batch] taken at t. Known latents do not move.

    Half of the smallest trained step is not a trained step: there the instantaneous velocity (step 0) is followed.
    """
    half = step / 2
    told = torch.where(half < float(smallest), torch.zeros_like(half), half)
    first = velocity(x_t, t, told, known).float()
    moved = torch.where(known[..., None], x_t, x_t + half[:, None, None] * first)
    second = velocity(moved, t + half, told, known).float()
    return (first + second) / 2
