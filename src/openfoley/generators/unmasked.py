"""Drawing latents from a generator that was trained without clean latents in its input (MMAudio and its kin).

Plain guidance: v = w v(picture, text) + (1 - w) v(nothing or the negative text). Guidance per condition gives each its
own direction (as Brooks et al., arXiv 2211.09800, Eq. 3), the negative text one of its own:

    v = v(0) + w_p (v(p) - v(0)) + w_t (v(p, t) - v(p)) - w_n (v(p, n) - v(p))

so that a negative text acts without a prompt and without a picture, and does not weaken the picture. Either way it is a
weighted sum of velocities with weights that add up to one: `weighted_branches`; all are computed in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from openfoley.flow.guidance import rescaled
from openfoley.flow.replacement import (
    DEFAULT_REPLACEMENT,
    Replacement,
    fresh_noise,
    pull_towards,
    sample_with_replacement,
)
from openfoley.flow.shortcut import Velocity
from openfoley.generators.guidance_weights import Guidance
from openfoley.types import Conditions


def sample_unmasked(
    generator: Any,
    conditions: Conditions,
    noise: Tensor,
    *,
    seeds: Sequence[int],
    steps: int,
    guidance: Guidance,
    known_latent: Tensor,
    known: Tensor,
    negative_text: Tensor | None = None,
    replacement: Replacement = DEFAULT_REPLACEMENT,
    on_step: Callable[[int], None] | None = None,
) -> Tensor:
    """float32 latents like `noise` [batch, latents, latent_dim]; known ones are returned bit for bit."""
    latents = noise.shape[1]
    branches = weighted_branches(conditions, negative_text, guidance)
    velocity = combined_velocity(generator, branches, latents, guidance.rescale or 0.0)
    pull = None
    if replacement.pull and bool(known.any()):
        with torch.inference_mode(False), torch.no_grad():
            alone = combined_velocity(generator, [(_ordinary(conditions), 1.0)], latents)
        pull = pull_towards(alone, known_latent, known, replacement.pull)
    return sample_with_replacement(
        velocity,
        noise,
        known_latent,
        known,
        fresh_noise(seeds, noise),
        steps=steps,
        step_size=generator.trained_step(steps),
        rounds=replacement.rounds,
        pull=pull,
        on_step=on_step,
    )


def weighted_branches(
    conditions: Conditions, negative_text: Tensor | None, guidance: Guidance
) -> list[tuple[Conditions, float]]:
    """What is heard in each branch and its weight; the first hears everything, the weights add up to one."""
    nothing = conditions.null()
    against = None
    if negative_text is not None:
        against = replace(nothing, text=negative_text, text_present=torch.ones_like(nothing.text_present))
    if not guidance.is_apart:
        branches = [(conditions, guidance.overall), (against or nothing, 1 - guidance.overall)]
        return [branches[0], *(pair for pair in branches[1:] if pair[1])]
    to_picture = guidance.overall if guidance.picture is None else guidance.picture
    to_text = guidance.overall if guidance.text is None else guidance.text
    from_negative = to_text if guidance.negative is None else guidance.negative
    from_negative = from_negative if against is not None else 0.0
    has_text = bool(conditions.text_present.any())
    has_picture = bool(conditions.semantic_present.any() or conditions.sync_present.any())
    only_picture = replace(conditions, text_present=torch.zeros_like(conditions.text_present))
    weight = to_picture - to_text + from_negative  # of the picture alone; where it is also another branch, of that
    branches = [
        (conditions, to_text + (0.0 if has_text else weight)),
        (only_picture, weight if has_text and has_picture else 0.0),
        (nothing, 1 - to_picture + (weight if has_text and not has_picture else 0.0)),
    ]
    if against is not None:
        unwanted = replace(conditions, text=against.text, text_present=against.text_present)
        branches.append((unwanted, -from_negative))
    return [branches[0], *(pair for pair in branches[1:] if pair[1])]


def combined_velocity(
    generator: Any, branches: Sequence[tuple[Conditions, float]], latents: int, rescale: float = 0.0
) -> Velocity:
    """The weighted sum of the branches' velocities, from one pass; rescaled to the spread of the first if asked."""
    heard = generator.hear([conditions for conditions, _ in branches], latents)
    # Copied to the device once: a copy from the CPU in every step would wait until the device is idle.
    weights = torch.tensor([weight for _, weight in branches], device=branches[0][0].text.device)

    def velocity(x_t: Tensor, t: Tensor, step: Tensor, known: Tensor) -> Tensor:
        each = generator(x_t, t, heard).float().unflatten(0, (len(weights), len(x_t)))
        if len(weights) == 1:
            return each[0]
        total = torch.einsum("k,kbnc->bnc", weights, each)
        return rescaled(total, each[0], x_t, t, known, rescale) if rescale else total

    return velocity


def _ordinary(conditions: Conditions) -> Conditions:
    """Copies outside inference mode, so that gradients may pass the network that hears them."""
    return Conditions(**{f.name: getattr(conditions, f.name).clone() for f in fields(Conditions)})
