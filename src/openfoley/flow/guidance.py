"""Classifier-free guidance with a reference (arXiv 2510.02916, Eq. 3):

    v = v(x_t, t) + w (v(x^_t, c, t) - v(x_t, t))

x^_t holds the clean reference x_1 in its place; the unconditional branch sees x_t, without it and without mask.
"""

import torch
from torch import Tensor

from openfoley.flow.path import on_path
from openfoley.flow.shortcut import Velocity

DEFAULT_GUIDANCE = 4.0  # A.4


def guided(conditional: Velocity, unconditional: Velocity, guidance: float, noise: Tensor) -> Velocity:
    """The guided velocity. `unconditional` may carry a negative text.

    For the unconditional branch the reference is taken back to its place on the path from `noise`: a sequence all at
    noise level t, as in training.
    """
    if guidance == 1.0:
        return conditional

    def velocity(x_t: Tensor, t: Tensor, step: Tensor, known: Tensor) -> Tensor:
        unmasked = torch.where(known[..., None], on_path(noise, x_t, t), x_t)
        without = unconditional(unmasked, t, step, torch.zeros_like(known))
        return without + guidance * (conditional(x_t, t, step, known) - without)

    return velocity
