"""The self-consistency target: one step of 2d must equal two steps of d (arXiv 2510.02916, Eq. 2; 2410.12557, Eq. 5).

    v_target = (v(x_t, t, d) + v(x_t + d v(x_t, t, d), t + d, d)) / 2

with the averaged (EMA) weights and no gradient. The paper does not say whether the targets are guided; these are not
(guidance is applied when sampling, at every step).
"""

from collections.abc import Callable
from fractions import Fraction

import torch
from torch import Tensor

from openfoley.flow.path import IsKnown, Latents, Rows

Velocity = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""velocity(x_t [batch, latents, dim], t [batch], step [batch], known [batch, latents]) -> like x_t."""


@torch.no_grad()
def shortcut_target(
    velocity: Velocity, x_t: Latents, t: Rows, step: Rows, known: IsKnown, smallest: Fraction
) -> Latents:
    """Target for a step of size `step` (2d) taken at t. Known latents do not move.

    Half of the smallest trained step is not a trained step: there the instantaneous velocity (step 0) is followed.
    """
    half = step / 2
    trained = torch.where(half < float(smallest), torch.zeros_like(half), half)
    first = velocity(x_t, t, trained, known).float()
    moved = torch.where(known[..., None], x_t, x_t + half[:, None, None] * first)
    second = velocity(moved, t + half, trained, known).float()
    return (first + second) / 2
