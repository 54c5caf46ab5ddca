"""Sampling from a generator that was trained with clean latents in its input (SALSA-V).

Guidance is Eq. 3 of arXiv 2510.02916 with a weight for each kind of condition (flow.guidance): by default known latents
and picture weigh `guidance`; a prompt weighs TEXT_WEIGHT times as much, and the picture beside it PICTURE_WEIGHT times.
With a negative prompt the picture weighs `guidance` beside a prompt too. A prompt costs one more pass in a step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.flow.exchange import Shared
from openfoley.flow.guidance import DEFAULT_RESCALE, PICTURE_WEIGHT, PROMPTED_RESCALE, TEXT_WEIGHT, Branch, guided
from openfoley.flow.masking import Known
from openfoley.flow.noise_scale import NoiseScale
from openfoley.flow.path import Rows, Velocity
from openfoley.flow.samplers import Start, sample_together
from openfoley.flow.settings import MULTISTEP
from openfoley.generators.base import Branches, Generator
from openfoley.request import Sampling
from openfoley.types import TEXT, Conditions


def sample_masked(
    generator: Generator,
    branches: Branches,
    noise: Float[Tensor, "batch latents dim"],
    sampling: Sampling,
    known: Known,
    on_step: Callable[[int], None] | None = None,
) -> Float[Tensor, "batch latents dim"]:
    """float32 latents; known ones are returned bit for bit. sampling: with steps and guidance."""
    (latents,) = sample_masked_together(generator, [(branches, noise, known)], sampling, None, on_step)
    return latents


def sample_masked_together(
    generator: Generator,
    sequences: Sequence[tuple[Branches, Float[Tensor, "batch _ dim"], Known]],
    sampling: Sampling,
    shared: Shared | None,
    on_step: Callable[[int], None] | None = None,
) -> list[Float[Tensor, "batch _ dim"]]:
    """As `sample_masked`, of several sequences step by step. shared: latents that the first two exchange."""
    assert sampling.steps is not None and generator.defaults.temperature is not None
    scale = NoiseScale(generator.defaults.temperature if sampling.temperature is None else sampling.temperature)
    starts = [Start(_velocity(generator, *one, sampling, scale), *one[1:]) for one in sequences]
    return sample_together(
        starts, steps=sampling.steps, step_size=generator.trained_step(sampling.steps),
        solver=sampling.solver or MULTISTEP, scale=scale, shared=shared, on_step=on_step,
    )  # fmt: skip


def _velocity(
    generator: Generator,
    branches: Branches,
    noise: Float[Tensor, "batch latents dim"],
    known: Known,
    sampling: Sampling,
    scale: NoiseScale,
) -> Velocity:
    has_text = branches.conditions.has(TEXT)
    rescale = torch.where(has_text, PROMPTED_RESCALE, DEFAULT_RESCALE) if sampling.rescale is None else sampling.rescale
    steps = _branches(generator, branches, sampling, noise.shape[1], bool(known.is_known.any()))
    return guided(steps, noise, rescale, scale)


def _branches(
    generator: Generator, branches: Branches, sampling: Sampling, latents: int, is_anything_known: bool
) -> list[Branch]:
    """Nothing, then known latents, then the picture, then the text, each with the weight of the step to it."""
    conditions, overall = branches.conditions, sampling.guidance
    assert overall is not None

    def prepared(seen: Conditions) -> Velocity:
        ready = generator.prepare(seen, latents)
        return lambda x_t, t, step, known: generator.velocity(x_t, t, step, known, ready)

    has_text = conditions.has(TEXT)
    picture: float | Rows | None = sampling.picture_guidance
    if picture is None:
        beside_text = overall if branches.negatives else PICTURE_WEIGHT * overall
        picture = torch.where(has_text, beside_text, overall)
    reference = overall if sampling.reference_guidance is None else sampling.reference_guidance
    against = _mean([prepared(one) for one in branches.against])
    steps = [Branch(against, sees_known=False), Branch(against, reference if is_anything_known else picture)]
    if not bool(has_text.any()):
        return [*steps, Branch(prepared(conditions), picture)]
    text = TEXT_WEIGHT * overall if sampling.text_guidance is None else sampling.text_guidance
    return [*steps, Branch(prepared(conditions.without(TEXT)), picture), Branch(prepared(conditions), text)]


def _mean(velocities: Sequence[Velocity]) -> Velocity:
    """The mean of the velocities; of one, that one."""
    first, *others = velocities
    if not others:
        return first
    return lambda *at: torch.stack([one(*at) for one in velocities]).mean(0)
