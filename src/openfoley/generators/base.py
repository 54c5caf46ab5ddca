"""What a generator is, and the one way to draw latents from one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from openfoley.flow.guidance import DEFAULT_GUIDANCE
from openfoley.flow.noise import seeded_noise, spread_seed
from openfoley.flow.replacement import DEFAULT_REPLACEMENT, Replacement
from openfoley.flow.samplers import MULTISTEP, Solver
from openfoley.generators.guidance_weights import Guidance
from openfoley.generators.masked import sample_masked
from openfoley.generators.unmasked import sample_unmasked
from openfoley.request import DEFAULT_TEMPERATURE
from openfoley.types import Conditions

SAMPLING = 3
"""Raised with every change of what `sample_latents` makes of the same weights, conditions and seeds, so that what was
begun before is not gone on with."""


class Generator(Protocol):
    """Predicts the velocity dx/dt of latents on their way from noise (t = 0) to data (t = 1).

    It never sees a file, a device choice or a codec.
    """

    latent_dim: int
    window_latents: int  # the longest sequence of its training
    accepts_known: bool  # trained with clean latents in the sequence; False: `known` is always all False in velocity

    def velocity(self, x_t: Tensor, t: Tensor, step: Tensor, known: Tensor, conditions: Conditions) -> Tensor:
        """x_t [batch, latents, latent_dim]; t [batch] or [batch, latents]; step [batch], 0 for the instantaneous
        velocity; known bool [batch, latents], latents that are clean already. Returns like x_t."""
        ...

    def trained_step(self, steps: int) -> float:
        """The step size to tell the model when `steps` steps are taken."""
        ...


def sample_latents(
    generator: Generator,
    conditions: Conditions,
    *,
    seeds: Sequence[int],
    latents: int,
    first: int = 0,
    steps: int,
    guidance: float = DEFAULT_GUIDANCE,
    reference_guidance: float | None = None,
    rescale: float | None = None,
    temperature: float | None = None,
    solver: Solver = MULTISTEP,
    known_latent: Tensor | None = None,
    known: Tensor | None = None,
    negative_text: Tensor | None = None,
    on_step: Callable[[int], None] | None = None,
    picture_guidance: float | None = None,
    text_guidance: float | None = None,
    negative_guidance: float | None = None,
    replacement: Replacement = DEFAULT_REPLACEMENT,
) -> Tensor:
    """float32 [batch, latents, latent_dim], one row per seed and row of `conditions`.

    known_latent [batch, latents, latent_dim] and known bool [batch, latents] (both or none): kept bit for bit.
    reference_guidance: the weight of the known latents apart from that of picture and text; None: `guidance`.
    rescale: 0 is Eq. 3 as it stands, 1 gives the guided end point the spread of the conditional one (flow.guidance);
    None: DEFAULT_RESCALE, in rows with a text PROMPTED_RESCALE, for a generator that accepts known latents, else 0, as
    its published figures were made.
    temperature (None: DEFAULT_TEMPERATURE), solver: how a generator that accepts known latents walks from noise to data
    (flow.temperature, flow.samplers); the others take equal Euler steps at a temperature of 1, as published.
    text_guidance: the weight of the text apart from that of the picture; None: TEXT_WEIGHT times the guidance for a
    generator that accepts known latents, which passes once more in a step for it; for others `guidance`.
    picture_guidance: that of the picture; None: `guidance`, but for a generator that accepts known latents
    PICTURE_WEIGHT times it in rows with a text, if there is no negative text, whose weight is 1 minus this.
    negative_guidance: of the negative text, for generators that do not accept known latents (None: `guidance`).
    replacement: how those treat known latents (flow.replacement).
    negative_text [batch, ..., text_dim]: what the unconditional branch of guidance listens to, and so moves away from.
    first: the first latent's number, counted from the beginning of the picture: a latent has the same noise in every
    window (flow.noise).
    A row's noise depends on its seed and `first` alone. Rows are independent, but matrix products may round differently
    in another batch size: for the same bytes whatever the batch, call with one row at a time.
    """
    noise = seeded_noise(seeds, latents, generator.latent_dim, conditions.text.device, first)
    if known is None or known_latent is None:
        known, known_latent = torch.zeros(noise.shape[:2], dtype=torch.bool, device=noise.device), noise
    weights = Guidance(guidance, picture_guidance, text_guidance, negative_guidance, reference_guidance, rescale)
    if generator.accepts_known:
        temperature = DEFAULT_TEMPERATURE if temperature is None else temperature
        return sample_masked(
            generator, conditions, noise, steps=steps, guidance=weights, temperature=temperature, solver=solver,
            known_latent=known_latent, known=known, negative_text=negative_text, on_step=on_step,
        )  # fmt: skip
    return sample_unmasked(
        generator, conditions, noise, seeds=[spread_seed(seed, first) for seed in seeds], steps=steps, guidance=weights,
        known_latent=known_latent, known=known, negative_text=negative_text, replacement=replacement, on_step=on_step,
    )  # fmt: skip
