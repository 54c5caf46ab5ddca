"""Drawing latents from a generator that was trained without clean latents in its input (MMAudio and its kin).

Plain guidance: v = w v(picture, text) + (1 - w) v(nothing or the negative text); of several negative texts, the mean.
Guidance per condition gives each its own direction (as Brooks et al., arXiv 2211.09800, Eq. 3), the negative text one
of its own:

    v = v(0) + w_p (v(p) - v(0)) + w_t (v(p, t) - v(p)) - w_n (v(p, n) - v(p))

so that a negative text acts without a prompt and without a picture, and does not weaken the picture. Either way it is a
weighted sum of velocities with weights that add up to one: `weighted_branches`; all are computed in one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.flow.exchange import Shared
from openfoley.flow.guidance import rescaled
from openfoley.flow.masking import Known
from openfoley.flow.path import Velocity
from openfoley.flow.replacement import Start, fresh_noise, pull_towards, sample_together_with_replacement
from openfoley.flow.settings import DEFAULT_REPLACEMENT, Replacement
from openfoley.generators.base import Branches, Generator
from openfoley.request import Sampling
from openfoley.types import TEXT, Conditions


def sample_unmasked(
    generator: Generator,
    branches: Branches,
    noise: Float[Tensor, "batch latents dim"],
    seeds: Sequence[int],
    sampling: Sampling,
    known: Known,
    on_step: Callable[[int], None] | None = None,
) -> Float[Tensor, "batch latents dim"]:
    """float32 latents; known ones are returned bit for bit. seeds: of the fresh noise of replacement."""
    (latents,) = sample_unmasked_together(generator, [(branches, noise, known)], [seeds], sampling, None, on_step)
    return latents


def sample_unmasked_together(
    generator: Generator,
    sequences: Sequence[tuple[Branches, Float[Tensor, "batch _ dim"], Known]],
    seeds: Sequence[Sequence[int]],
    sampling: Sampling,
    shared: Shared | None,
    on_step: Callable[[int], None] | None = None,
) -> list[Float[Tensor, "batch _ dim"]]:
    """As `sample_unmasked`, of several sequences step by step. shared: latents that the first two exchange."""
    assert sampling.steps is not None
    replacement = sampling.replacement or DEFAULT_REPLACEMENT
    starts = [
        _start(generator, *one, of_seeds, sampling, replacement) for one, of_seeds in zip(sequences, seeds, strict=True)
    ]
    return sample_together_with_replacement(
        starts, steps=sampling.steps, rounds=replacement.rounds, shared=shared, on_step=on_step
    )


def _start(
    generator: Generator,
    branches: Branches,
    noise: Float[Tensor, "batch latents dim"],
    known: Known,
    seeds: Sequence[int],
    sampling: Sampling,
    replacement: Replacement,
) -> Start:
    assert sampling.steps is not None
    latents, step = noise.shape[1], generator.trained_step(sampling.steps)
    weighted = weighted_branches(branches, sampling)
    velocity = combined_velocity(generator, weighted, latents, step, sampling.rescale or 0.0)
    pull = None
    if replacement.pull and bool(known.is_known.any()):
        with torch.inference_mode(False), torch.no_grad():
            # Copies outside inference mode: gradients pass the network that they condition.
            ordinary = branches.conditions.map(lambda sequence: sequence.each(torch.clone))
            alone = combined_velocity(generator, [(ordinary, 1.0)], latents)
        pull = pull_towards(alone, known, replacement.pull)
    return Start(velocity, noise, known, fresh_noise(seeds, noise), pull)


def weighted_branches(branches: Branches, sampling: Sampling) -> list[tuple[Conditions, float]]:
    """The conditions of each branch and its weight; the first has everything, the weights add up to one."""
    conditions, against, overall = branches.conditions, branches.against, sampling.guidance
    assert overall is not None
    own = (sampling.picture_guidance, sampling.text_guidance, sampling.negative_guidance)
    if all(weight is None for weight in own):
        pairs = [(conditions, overall), *((one, (1 - overall) / len(against)) for one in against)]
        return [pairs[0], *(pair for pair in pairs[1:] if pair[1])]
    to_picture, to_text = (overall if weight is None else weight for weight in own[:2])
    from_negative = (to_text if own[2] is None else own[2]) if branches.negatives else 0.0
    pictures = [name for name in conditions.features if name != TEXT]
    has_text, has_picture = bool(conditions.has(TEXT).any()), bool(conditions.has(*pictures).any())
    weight = to_picture - to_text + from_negative  # of the picture alone; where it is also another branch, of that
    pairs = [
        (conditions, to_text + (0.0 if has_text else weight)),
        (conditions.without(TEXT), weight if has_text and has_picture else 0.0),
        (conditions.null(), 1 - to_picture + (weight if has_text and not has_picture else 0.0)),
    ]
    for negative in branches.negatives:  # the picture, and what this text says (of the picture too, if it selects)
        present = {name: one for name, one in negative.features.items() if bool(one.present.any())}
        pairs.append((conditions.replaced(**present), -from_negative / len(branches.negatives)))
    return [pairs[0], *(pair for pair in pairs[1:] if pair[1])]


def combined_velocity(
    generator: Generator,
    branches: Sequence[tuple[Conditions, float]],
    latents: int,
    step_size: float = 0.0,
    rescale: float = 0.0,
) -> Velocity:
    """The weighted sum of the branches' velocities for steps of `step_size`, from one pass; rescaled to the spread of
    the first if asked."""
    prepared = generator.prepare(Conditions.joined([conditions for conditions, _ in branches]), latents)
    # Copied to the device once: a copy from the CPU in every step would wait until the device is idle.
    weights = torch.tensor([weight for _, weight in branches], device=branches[0][0].device)
    strength = weights.new_tensor(rescale)

    def velocity(x_t: Tensor, t: Tensor, step: Tensor, known: Tensor) -> Tensor:
        each = generator.velocity(x_t, t, step + step_size, known, prepared).float()
        each = each.unflatten(0, (len(weights), len(x_t)))
        if len(weights) == 1:
            return each[0]
        total = torch.einsum("k,kbnc->bnc", weights, each)
        return rescaled(total, each[0], x_t, t, known, strength.expand(len(x_t))) if rescale else total

    return velocity
