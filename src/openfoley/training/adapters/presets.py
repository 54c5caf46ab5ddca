"""Settings of the adapters' training, for a generator of the Gym's size on a CPU and for a published one on a GPU.

The paper gives none: the objective is the base's own, with more windows that begin with known latents, as those of a
long video do. Nobody has trained the full size with these yet.
"""

from __future__ import annotations

from dataclasses import replace

from openfoley.flow.dropout import ConditionDropout
from openfoley.generators.adapters.config import AdapterConfig
from openfoley.training.adapters.draws import WholeDraws
from openfoley.training.adapters.train import AdapterTraining
from openfoley.training.salsa_v.objective import Objective

DROPOUT = ConditionDropout(drop=0.05, text_given=0.5, swapped=0.0, picture_absent=0.0, reference_unseen=0.25)
MASKED = Objective(  # the times as in the base's training at Gym size
    time_logits=(-0.6, 1.2),
    consistency_fraction=0.0,
    mask_probability=0.6,
    mask_kinds=("prefix", "span", "ends"),
    dropout=DROPOUT,
)
UNMASKED = replace(MASKED, time_logits=(0.0, 1.0), mask_probability=0.0)


def gym_size(config: AdapterConfig, base: str, data: str, *, accepts_known: bool) -> AdapterTraining:
    """Some 1.5 hours of one CPU core with the clips: about 0.3 s a step."""
    return AdapterTraining(
        adapters=config,
        base=base,
        data=data,
        objective=MASKED if accepts_known else replace(MASKED, mask_probability=0.0),
        draws=WholeDraws(),
        steps=8000,
        crop_latents=(86, 129, 172, 258),
        batch_latents=2064,
        optimizer="adamw",
        learning_rate=1e-3,
        warmup_steps=200,
        weight_decay=0.01,
        gradient_norm=1.0,
        ema_decay=0.999,
        validate_every=500,
        validation_windows=24,
        device="cpu",
    )


def full_size(config: AdapterConfig, base: str, data: str, window_latents: int) -> AdapterTraining:
    """MMAudio: whole windows of 8 s, its optimiser's rate, on one GPU."""
    return replace(
        gym_size(config, base, data, accepts_known=False),
        objective=UNMASKED,
        steps=20_000,
        crop_latents=(window_latents,),
        batch_latents=16 * window_latents,
        learning_rate=1e-4,
        warmup_steps=1000,
        weight_decay=1e-6,
        validate_every=1000,
        validation_windows=32,
        device="cuda",
    )
