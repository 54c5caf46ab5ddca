"""`openfoley train pair --preset full`: connectors between published base models (arXiv 2409.17550, section 3.4).

Latents and texts come from the frozen VAEs and encoders, without gradient. What is trained is kept in float32, the rest
in bfloat16; passes run under bfloat16 autocast and with gradient checkpointing, one clip at a time, and their gradients
are added up. OUT/connectors holds checkpoint and log, OUT/model what `generate-pair --model` takes together with the
same base weights.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from openfoley.data.pairs.pair import PairForm, Pairs
from openfoley.errors import UsageError
from openfoley.generators.joint.layers import Recomputable
from openfoley.generators.joint.model import Connectors, JointGenerator, PairText
from openfoley.hub.cards.svg import ANIMATEDIFF_AUDIOLDM
from openfoley.hub.live_bytes import peak_bytes
from openfoley.hub.load import checked_device
from openfoley.hub.memory import available_bytes, check_fits
from openfoley.hub.pair_bases import Bases, load_bases
from openfoley.hub.pair_connectors import ConnectorsConfig, save_connectors
from openfoley.hub.pair_memory import PairMemory, helper_bytes, meta_latents, on_meta, parameter_bytes
from openfoley.hub.pair_parts import PairCodec, PairTexts
from openfoley.training.joint import presets
from openfoley.training.joint.curves import held_curves
from openfoley.training.joint.objective import all_powers, joint_losses
from openfoley.training.joint.pair_recipe import PairRecipe, with_kind
from openfoley.training.joint.presets import FullTraining, Trained
from openfoley.training.joint.train import Trained as TrainedWeights
from openfoley.training.joint.train import optimise
from openfoley.training.loop.run import Run

logger = logging.getLogger(__name__)

FRAME_MULTIPLE = 8
"""As `generate-pair` makes them (`joint.DIVISOR`)."""
TRAINED_BYTES = 4 + 8 + 4 + 2
"""For each element that is trained, beside its weight: gradient, AdamW's two moments, average, autocast's copy."""
MOTION = "motion_modules"


class FullNetworks:
    """`PairNetworks` of published base models and new connectors."""

    def __init__(self, generator: JointGenerator, codec: PairCodec, texts: PairTexts) -> None:
        self.generator, self.codec, self.texts = generator, codec, texts

    def text(self, captions: Sequence[str]) -> PairText:
        return self.texts(captions)


def train_full(recipe: PairRecipe, *, resume: bool) -> Path:
    """The model's folder. UsageError, WeightsError before any work for what is missing or does not fit."""
    training, validation = recipe.pairs()
    preset, device = settings(recipe, training), checked_device(recipe.device)
    announce(training_memory(preset, training.form.count), recipe, device)
    card = ANIMATEDIFF_AUDIOLDM
    bases = load_bases(card, device, recipe.weights_dir, size=preset.size)
    bases.check_sizes(preset.architecture, card.name)
    preset = replace(preset, bases=bases.identities)
    run = Run.of(preset, recipe.place, resume=resume)
    networks = FullNetworks(generator_of(bases, preset, device), bases.codec, bases.texts)
    weights = chosen_weights(networks.generator, preset.trained)
    del bases
    optimise(run, preset, networks, TrainedWeights(weights), training, validation)
    networks.generator.eval()
    with torch.autocast(device.type, dtype=torch.bfloat16):
        curves = held_curves(networks, preset, validation)
    config = ConnectorsConfig.of(
        recipe.out.name, preset.architecture, preset.size, training.form.count, preset.bases, curves
    )
    unets = {name: value for name, value in weights.items() if not name.startswith("connectors.")}
    connectors = networks.generator.connectors.state_dict()
    return save_connectors(recipe.model, config, connectors, unets)


def settings(recipe: PairRecipe, training: Pairs) -> FullTraining:
    """The preset with this recipe's changes. UsageError for clips that the base models cannot take."""
    base, form = presets.FULL, training.form
    check_form(form, base)
    architecture = with_kind(base.architecture, recipe.kind)
    connectors = replace(architecture.connectors, fps=float(form.rate))
    return replace(
        base, architecture=replace(architecture, connectors=connectors), data=training.digest, trained=recipe.trains,
        steps=recipe.steps or base.steps, accumulation=recipe.accumulation or base.accumulation, device=recipe.device,
        time_limit_s=recipe.time_limit_s,
    )  # fmt: skip


def check_form(form: PairForm, preset: FullTraining) -> None:
    most = preset.architecture.motion_frames
    is_whole = form.rate.denominator == 1 and form.count % FRAME_MULTIPLE == 0
    if form.size != preset.size or form.count > most or not is_whole:
        raise UsageError(
            f"the pairs have {form.count} frames of {form.size} pixels at {float(form.rate):g} Hz, preset full takes "
            f"at most {most}, a multiple of {FRAME_MULTIPLE}, of {preset.size} at a whole rate; make them with "
            f"openfoley data pairs KIND SOURCE --size {preset.size} --duration 4 --out DIR"
        )


def generator_of(bases: Bases, preset: FullTraining, device: torch.device) -> JointGenerator:
    """In training mode: new connectors and what else is trained in float32, the rest in bfloat16."""
    generator = bases.generator(preset.architecture, torch.bfloat16)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(preset.seed)
        generator.connectors = Connectors(preset.architecture)
    for name, value in chosen_weights(generator, preset.trained).items():
        unet, _, rest = name.partition(".")
        if unet in bases.states:
            value.data = bases.states[unet][rest].float()
    with_checkpoints(generator)
    return generator.to(device).train()


def with_checkpoints(generator: JointGenerator) -> None:
    """Activations inside the blocks of U-Nets and connectors are computed anew on the way back."""
    generator.video.enable_gradient_checkpointing()
    generator.audio.enable_gradient_checkpointing()
    for block in generator.connectors.modules():
        if isinstance(block, Recomputable):
            block.recomputes = True


def chosen_weights(generator: JointGenerator, trained: Trained) -> dict[str, nn.Parameter]:
    """By their names in the generator."""
    return {
        name: value
        for name, value in generator.named_parameters()
        if name.startswith("connectors.") or trained == "everything" or (trained == "motion" and MOTION in name)
    }


def training_memory(preset: FullTraining, frames: int) -> PairMemory:
    """Of one pass, with the optimiser's states. The passes are counted with all weights in bfloat16, as under autocast;
    on a GPU, where autocast computes norms in float32, it is a little more."""
    generator = on_meta(preset.architecture, torch.bfloat16).requires_grad_(False)
    chosen = chosen_weights(generator, preset.trained)
    for value in chosen.values():
        value.requires_grad_(True)
        value.register_post_accumulate_grad_hook(_forget)  # gradients are counted in float32 below
    with_checkpoints(generator.train())
    latents, text = meta_latents(preset.architecture, preset.batch, frames)
    powers, random = all_powers(preset.architecture, "meta"), torch.Generator().manual_seed(0)

    def step() -> None:
        joint_losses(generator, text, latents, powers, preset.self_condition, random)["loss"].backward()

    elements = sum(value.numel() for value in chosen.values())
    return PairMemory(
        parameter_bytes(generator) + 2 * elements, helper_bytes(), peak_bytes(step), TRAINED_BYTES * elements
    )


def _forget(parameter: torch.Tensor) -> None:
    parameter.grad = None


def announce(needed: PairMemory, recipe: PairRecipe, device: torch.device) -> None:
    """WeightsError where it does not fit."""
    free = available_bytes(device)
    is_free = "unknown how much is free" if free is None else f"{free / 1e9:.1f} GB are free"
    logger.info("training %s needs about %s on %s; %s", recipe.trains, needed, device, is_free)
    advice = "train fewer weights, or use another device"
    check_fits(f"training {recipe.trains} at full size", needed.total, device, advice)
