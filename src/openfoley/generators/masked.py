"""Drawing latents from a generator that was trained with clean latents in its input (SALSA-V).

Guidance is Eq. 3 of arXiv 2510.02916 with a weight for each kind of condition (flow.guidance): unless it is said, known
latents and picture weigh `overall`; a prompt weighs TEXT_WEIGHT times as much, and the picture beside it PICTURE_WEIGHT
times. The unconditional branch hears the negative text, if there is one, instead of nothing; the picture then weighs
`overall` beside a prompt too. A prompt costs one more pass in a step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from openfoley.flow.guidance import DEFAULT_RESCALE, PICTURE_WEIGHT, PROMPTED_RESCALE, TEXT_WEIGHT, guided
from openfoley.flow.samplers import Solver, sample
from openfoley.flow.shortcut import Velocity
from openfoley.generators.guidance_weights import Guidance
from openfoley.types import Conditions


def sample_masked(
    generator: Any,
    conditions: Conditions,
    noise: Tensor,
    *,
    steps: int,
    guidance: Guidance,
    temperature: float,
    solver: Solver,
    known_latent: Tensor,
    known: Tensor,
    negative_text: Tensor | None = None,
    on_step: Callable[[int], None] | None = None,
) -> Tensor:
    """float32 latents like `noise` [batch, latents, latent_dim]; known ones are returned bit for bit."""
    velocity = _guided_velocity(generator, conditions, noise, guidance, temperature, bool(known.any()), negative_text)
    return sample(
        velocity, noise, known_latent, known, steps=steps, step_size=generator.trained_step(steps), solver=solver,
        temperature=temperature, on_step=on_step,
    )  # fmt: skip


def _guided_velocity(
    generator: Any,
    conditions: Conditions,
    noise: Tensor,
    weights: Guidance,
    temperature: float,
    is_anything_known: bool,
    negative_text: Tensor | None,
) -> Velocity:
    def hearing(heard: Conditions) -> Velocity:
        return lambda x_t, t, step, known: generator.velocity(x_t, t, step, known, heard)

    has_text = conditions.text_present
    without = conditions.null()
    if negative_text is not None:
        without = replace(without, text=negative_text, text_present=torch.ones_like(has_text))
    picture = weights.picture
    if picture is None:
        picture = weights.overall if negative_text is not None else _picture_weight(has_text, weights.overall)
    by_row = torch.where(has_text, PROMPTED_RESCALE, DEFAULT_RESCALE)
    reference = weights.overall if weights.reference is None else weights.reference
    textless = replace(conditions, text_present=torch.zeros_like(has_text))
    return guided(
        hearing(conditions),
        hearing(without),
        picture,
        noise,
        by_row if weights.rescale is None else weights.rescale,
        reference_guidance=reference if is_anything_known else None,
        without_text=hearing(textless) if bool(has_text.any()) else None,
        text_guidance=TEXT_WEIGHT * weights.overall if weights.text is None else weights.text,
        temperature=temperature,
    )


def _picture_weight(has_text: Tensor, guidance: float) -> float | Tensor:
    """Of the picture: one number, or [batch] where only some rows have a text."""
    if not bool(has_text.any()):
        return guidance
    beside = PICTURE_WEIGHT * guidance
    return beside if bool(has_text.all()) else torch.where(has_text, beside, guidance)
