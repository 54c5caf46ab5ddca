"""Presets of the Gym: SALSA-V's recipe at Gym size, what goes beyond the paper, and the generators compared with it."""

from dataclasses import replace

from openfoley.errors import UsageError
from openfoley.flow.dropout import ConditionDropout
from openfoley.generators.salsa_v import config as salsa_v
from openfoley.training.gym_losses.losses import GymLosses
from openfoley.training.mmaudio.presets import as_mmaudio
from openfoley.training.salsa_v.presets import LARGE, GeneratorTraining

LOSSES = GymLosses(material_weight=0.3)

CPU = replace(
    LARGE,
    architecture=salsa_v.GYM,
    objective=replace(  # beyond the paper
        LARGE.objective,
        time_logits=(-0.6, 1.2),
        mask_kinds=("span", "prefix", "suffix", "ends"),
        dropout=ConditionDropout(drop=0.1, text_given=0.5, swapped=0.3, picture_absent=0.05, reference_unseen=0.5),
    ),
    steps=1500,
    seen_share=0.6,
    crop_latents=(86, 129, 172, 258),
    batch_latents=2752,
    optimizer="muon",
    learning_rate=3e-3,
    warmup_steps=100,
    weight_decay=0.01,
    validate_every=300,
    device="cpu",
)

CPU_LONG = replace(CPU, steps=8000)

GPU = replace(
    CPU, steps=8000, crop_latents=(86, 172, 258, 345), batch_latents=44_160, validate_every=1000, device="cuda",
)  # fmt: skip

PRESETS = {"cpu": CPU, "cpu-long": CPU_LONG, "gpu": GPU}

GENERATORS = ("salsa-v", "mmaudio", "ablation-shortcut", "ablation-flow", "ablation-without-sync")
ABLATION_SHARE = 0.72
"""Of the preset's steps: 1,080 of the CPU preset, 10 minutes on one core."""
CONSISTENCY_COST = 7 / 6
"""A shortcut step against one of flow matching: two more forward passes of a quarter of the batch, beside three."""


def variant(preset: GeneratorTraining, name: str) -> GeneratorTraining:
    """The preset for another of GENERATORS on the same data; ablation-*: short runs of equal compute."""
    if name not in GENERATORS:
        raise UsageError(f"unknown generator {name!r}; use one of {', '.join(GENERATORS)}")
    short = round(preset.steps * ABLATION_SHARE)
    if name == "mmaudio":
        return as_mmaudio(preset)
    if name == "ablation-shortcut":
        return replace(preset, steps=short)
    if name == "ablation-flow":
        plain = replace(preset.objective, consistency_fraction=0.0)
        architecture = replace(salsa_v.GYM, smallest_step=None)
        return replace(preset, architecture=architecture, objective=plain, steps=round(short * CONSISTENCY_COST))
    if name == "ablation-without-sync":
        return replace(preset, use_sync=False, steps=short)
    return preset
