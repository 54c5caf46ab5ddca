"""Classifier-free guidance with a reference (arXiv 2510.02916, Eq. 3):

    v = v(x_t, t) + w (v(x^_t, c, t) - v(x_t, t))

x^_t holds the clean reference x_1 in its place; the unconditional branch has x_t, without it and without mask.

Conditions of several kinds can have a weight each (as in Brooks et al., arXiv 2211.09800, Eq. 3): each branch has one
kind more than the branch before (nothing, the reference, the picture, the text), and the step to it its own weight,

    v = v_0 + w_1 (v_1 - v_0) + w_2 (v_2 - v_1) + ...

Steps of equal weight are one step, so that equal weights give the equation above.

Beyond the paper the end point x_t + (1 - t) v of the guided velocity is rescaled towards the standard deviation of the
conditional one (Lin et al., arXiv 2305.08891, section 3.4); without, w = 4 overshoots (docs/log.md, S1).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.flow.noise_scale import UNSCALED, NoiseScale
from openfoley.flow.path import IsKnown, Latents, Rows, Velocity, on_path

DEFAULT_RESCALE, PROMPTED_RESCALE = 0.7, 1.0
"""Without and with a prompt; 0 is Eq. 3 as it stands, 0.7 the advice of Lin et al. (docs/log.md, S5)."""
TEXT_WEIGHT, PICTURE_WEIGHT = 2.0, 0.5
"""Of the guidance, for a prompt and for the picture beside a prompt; 1 and 1 are Eq. 3 (docs/log.md, R1, R2)."""


@dataclass(frozen=True)
class Branch:
    """A velocity with some of the conditions; weight: of the step to it from the branch before (the first: 1)."""

    velocity: Velocity
    weight: float | Rows = 1.0
    sees_known: bool = True


def guided(
    branches: Sequence[Branch], noise: Latents, rescale: float | Rows = 0.0, scale: NoiseScale = UNSCALED
) -> Velocity:
    """The guided velocity of branches with one kind of condition more each; the last has everything.

    For a branch without the known latents these are taken back to their place on the path from `noise`, scaled as the
    sampler's is (`scale`): the whole sequence at one noise level, as in training.
    """
    steps, strength = _needed([(branch, rows(branch.weight, noise)) for branch in branches]), rows(rescale, noise)
    is_plain = len(steps) == 1 or not bool(strength.any())

    def seen_by(branch: Branch, x_t: Latents, t: Rows, step: Rows, known: IsKnown) -> Latents:
        if branch.sees_known:
            return branch.velocity(x_t, t, step, known)
        smaller = scale.deviation(t)[:, None, None] * noise
        unmasked = torch.where(known[..., None], on_path(smaller, x_t, t), x_t)
        return branch.velocity(unmasked, t, step, torch.zeros_like(known))

    def velocity(x_t: Latents, t: Rows, step: Rows, known: IsKnown) -> Latents:
        combined = before = seen_by(steps[0][0], x_t, t, step, known)
        for branch, weight in steps[1:]:
            seen = seen_by(branch, x_t, t, step, known)
            combined, before = combined + weight[:, None, None] * (seen - before), seen
        return combined if is_plain else rescaled(combined, before, x_t, t, known, strength)

    return velocity


def rows(value: float | Rows, like: Latents) -> Rows:
    """A number for each sequence of `like`, on its device."""
    return torch.as_tensor(value, dtype=torch.float32, device=like.device).expand(len(like))


def _needed(branches: Sequence[tuple[Branch, Rows]]) -> list[tuple[Branch, Rows]]:
    """The first branch, then the last of every run of equal weights; leading weights of 1 move the start."""
    steps = [branches[0]]
    for branch, weight in branches[1:]:
        if torch.equal(weight, steps[-1][1]):
            steps.pop()
        steps.append((branch, weight))
    return steps


def rescaled(combined: Latents, conditional: Latents, x_t: Latents, t: Rows, known: IsKnown, strength: Rows) -> Latents:
    """The velocity to an end point whose spread is `strength` of the way from the guided to the conditional one's."""
    left, share = (1 - t)[:, None, None], strength[:, None, None]
    end = x_t + left * combined
    ratio = _spread(x_t + left * conditional, known) / _spread(end, known).clamp(min=torch.finfo(end.dtype).tiny)
    return (end * (1 + share * (ratio - 1)) - x_t) / left


def _spread(x: Latents, known: IsKnown) -> Float[Tensor, "batch 1 1"]:
    """Standard deviation over the unknown latents and the channels."""
    weight = (~known).to(x.dtype)[..., None]
    count = (weight.sum((1, 2), keepdim=True) * x.shape[2]).clamp(min=1)
    mean = (x * weight).sum((1, 2), keepdim=True) / count
    return (((x - mean) * weight).square().sum((1, 2), keepdim=True) / count).sqrt()
