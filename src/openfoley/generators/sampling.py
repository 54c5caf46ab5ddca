"""The one way to sample latents from a generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.flow.exchange import Shared
from openfoley.flow.masking import Known
from openfoley.flow.noise import NoiseSource
from openfoley.generators.base import Branches, Generator
from openfoley.generators.masked import sample_masked, sample_masked_together
from openfoley.generators.unmasked import sample_unmasked, sample_unmasked_together
from openfoley.request import Sampling
from openfoley.types import Conditions

SAMPLING = 3
"""Raised with every change of what `sample_latents` makes of the same weights, conditions and seeds, so that what was
begun before is not resumed."""


@torch.no_grad()
def sample_latents(
    generator: Generator,
    conditions: Conditions,
    source: NoiseSource,
    sampling: Sampling,
    *,
    negatives: Sequence[Conditions] = (),
    known: Known | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Float[Tensor, "batch latents dim"]:
    """float32 latents, one row per seed of `source` and row of `conditions`.

    sampling: the options that the generator supports; None is its own default (`generators.masked`,
    `generators.unmasked`). negatives: the conditions of the unconditional branches of guidance, what the result moves
    away from; none: one branch, in which nothing is present. on_step: called with the number of steps done.
    A row's noise depends on its seed and the latents' place alone. Rows are independent, but matrix products may round
    differently in another batch size: for the same bytes whatever the batch, call with one row at a time.
    """
    sampling = sampling.resolved(generator.defaults)
    noise = source.draw(generator.latent_dim, conditions.device)
    if known is None:
        known = Known(noise, torch.zeros(noise.shape[:2], dtype=torch.bool, device=noise.device))
    branches = Branches(conditions, negatives)
    if generator.accepts_known:
        return sample_masked(generator, branches, noise, sampling, known, on_step)
    return sample_unmasked(generator, branches, noise, source.window_seeds, sampling, known, on_step)


@dataclass(frozen=True)
class WindowInput:
    """What one window is sampled from, as for `sample_latents`."""

    conditions: Conditions
    source: NoiseSource
    known: Known
    negatives: Sequence[Conditions] = ()


@torch.no_grad()
def sample_beside_next(
    generator: Generator,
    window: WindowInput,
    following: WindowInput,
    shared: Shared,
    sampling: Sampling,
    on_step: Callable[[int], None] | None = None,
) -> Float[Tensor, "batch latents dim"]:
    """The window's latents, denoised together with the window that follows."""
    sampling = sampling.resolved(generator.defaults)
    both = [
        (
            Branches(one.conditions, one.negatives),
            one.source.draw(generator.latent_dim, one.conditions.device),
            one.known,
        )
        for one in (window, following)
    ]
    if generator.accepts_known:
        return sample_masked_together(generator, both, sampling, shared, on_step)[0]
    seeds = [window.source.window_seeds, following.source.window_seeds]
    return sample_unmasked_together(generator, both, seeds, sampling, shared, on_step)[0]
