"""Random absence of conditions while training, so that each works alone and guidance has its unconditional branch."""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.flow.path import IsKnown
from openfoley.types import TEXT, Conditions, FeatureSequence


@dataclass(frozen=True)
class ConditionDropout:
    """Probabilities per sequence.

    drop: all conditions, and each of the three alone (arXiv 2510.02916, A.4: "all conditioning signals are dropped out
    with a probability of 0.1"). Beyond the paper, for a model that works without a prompt and follows a contradicting
    one: text_given, of a prompt; swapped, of semantic features of another sequence beside a prompt (and sync features
    of other things); picture_absent, of samples without pictures (the paper has 8.5 thousand hours of them);
    reference_unseen, of a masked sequence without pictures over its clean latents.
    """

    drop: float
    text_given: float
    swapped: float
    picture_absent: float
    reference_unseen: float


def drop_conditions(
    conditions: Conditions,
    known: IsKnown,
    latent_time: Float[Tensor, " latents"],
    chances: ConditionDropout,
    generator: torch.Generator,
    other_sync: Float[Tensor, "batch n dim"] | None = None,
) -> Conditions:
    """The conditions with parts marked absent. latent_time in s. other_sync: the sync features of the same events made
    by other things, for the swapped sequences."""
    batch = known.shape[0]

    def chance(probability: float) -> Tensor:
        return torch.rand(batch, generator=generator, device=generator.device) < probability

    sound_only = chance(chances.picture_absent)
    semantic_gone, sync_gone, text_gone, all_gone = (chance(chances.drop) for _ in range(4))
    text, sync, semantic = conditions[TEXT], conditions["sync"], conditions.features.get("semantic")
    text_kept = (chance(chances.text_given) | sound_only) & ~(text_gone | all_gone)
    text = replace(text, present=text.present & text_kept[:, None])
    swapped = (text.present.any(1) & chance(chances.swapped))[:, None, None]
    moved = sync.values if other_sync is None else torch.where(swapped, other_sync, sync.values)
    unseen = known & chance(chances.reference_unseen)[:, None]

    def kept(sequence: FeatureSequence, values: Tensor, gone: Tensor) -> FeatureSequence:
        hidden = _within(sequence.time_s, unseen, latent_time)
        present = sequence.present & ~(gone | all_gone | sound_only)[:, None] & ~hidden
        return FeatureSequence(values, sequence.time_s, present)

    conditions = conditions.replaced(text=text, sync=kept(sync, moved, sync_gone))
    if semantic is None:  # a generator that sees no whole pictures
        return conditions
    exchanged = torch.where(swapped, semantic.values.roll(1, 0), semantic.values)
    return conditions.replaced(semantic=kept(semantic, exchanged, semantic_gone))


def _within(token_time: Tensor, flags: Tensor, latent_time: Tensor) -> Tensor:
    """flags [batch, latents] read at the latent nearest to each token_time [batch, tokens]."""
    middle = (latent_time[1:] + latent_time[:-1]) / 2
    nearest = torch.searchsorted(middle.contiguous(), token_time.contiguous())
    return flags.gather(1, nearest)
