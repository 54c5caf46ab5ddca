"""Classifier-free guidance with a reference (arXiv 2510.02916, Eq. 3):

    v = v(x_t, t) + w (v(x^_t, c, t) - v(x_t, t))

x^_t holds the clean reference x_1 in its place; the unconditional branch sees x_t, without it and without mask.

Beyond the paper the result can be rescaled (Lin et al., arXiv 2305.08891, section 3.4): the end point x_t + (1 - t) v
that the guided velocity heads for gets the standard deviation of the conditional one. Without it w = 4 overshoots, most
when the steps are few: on impulse trains with 8 steps, event F1 0.887 without, 0.983 with 0.7 and 0.990 with 1.0 (0.979
without guidance), and squared error 0.117, 0.062 and 0.045 (0.045).
"""

import torch
from torch import Tensor

from openfoley.flow.path import on_path
from openfoley.flow.shortcut import Velocity

DEFAULT_GUIDANCE = 4.0  # A.4
DEFAULT_RESCALE = 1.0  # measured above; 0 is Eq. 3 as it stands


def guided(
    conditional: Velocity, unconditional: Velocity, guidance: float, noise: Tensor, rescale: float = 0.0
) -> Velocity:
    """The guided velocity. `unconditional` may carry a negative text.

    For the unconditional branch the reference is taken back to its place on the path from `noise`: a sequence all at
    noise level t, as in training.
    """
    if guidance == 1.0:
        return conditional

    def velocity(x_t: Tensor, t: Tensor, step: Tensor, known: Tensor) -> Tensor:
        unmasked = torch.where(known[..., None], on_path(noise, x_t, t), x_t)
        without = unconditional(unmasked, t, step, torch.zeros_like(known))
        with_conditions = conditional(x_t, t, step, known)
        combined = without + guidance * (with_conditions - without)
        return rescaled(combined, with_conditions, x_t, t, known, rescale) if rescale else combined

    return velocity


def rescaled(combined: Tensor, conditional: Tensor, x_t: Tensor, t: Tensor, known: Tensor, strength: float) -> Tensor:
    """The velocity to an end point whose spread is `strength` of the way from the guided to the conditional one's."""
    left = (1 - t)[:, None, None]
    end = x_t + left * combined
    ratio = _spread(x_t + left * conditional, known) / _spread(end, known).clamp(min=torch.finfo(end.dtype).tiny)
    return (end * (1 + strength * (ratio - 1)) - x_t) / left


def _spread(x: Tensor, known: Tensor) -> Tensor:
    """Standard deviation over the unknown latents and the channels, [batch, 1, 1]."""
    weight = (~known).to(x.dtype)[..., None]
    count = (weight.sum((1, 2), keepdim=True) * x.shape[2]).clamp(min=1)
    mean = (x * weight).sum((1, 2), keepdim=True) / count
    return (((x - mean) * weight).square().sum((1, 2), keepdim=True) / count).sqrt()
