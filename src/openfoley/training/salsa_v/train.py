"""Trains a generator from cached features: SALSA-V (arXiv 2510.02916, sections 3.2, 3.3, A.4) or MMAudio (2412.15322).

Every step takes crops of one length, drawn from `crop_latents`, at any latent of any clip, as many as `batch_latents`
holds: the sync features thus come with every offset against the latents.

Scenes that the encoders were trained on teach what sounds are like as well as others do, but their sync features are
surer than those of new scenes, and the generator would learn to trust them too much: the last steps go without.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch
from torch import Tensor

from openfoley.config import to_dict
from openfoley.data.disk import write_json
from openfoley.data.feature_cache import FeatureCache
from openfoley.flow.dropout import ConditionDropout
from openfoley.flow.masking import MASK_PROBABILITY
from openfoley.flow.path import on_path, path_velocity, velocity_error
from openfoley.generators.base import sample_latents
from openfoley.generators.mmaudio import GYM as MMAUDIO_GYM
from openfoley.generators.mmaudio import MMAudioConfig, MMAudioGenerator
from openfoley.generators.salsa_v import GYM, SalsaVConfig, SalsaVGenerator
from openfoley.hub.load import load_weights
from openfoley.hub.parts import kind_of
from openfoley.hub.save import save_weights
from openfoley.training.gym_losses.contradiction import MaterialLooks
from openfoley.training.gym_losses.naming import NamingHead
from openfoley.training.loop.ema import Ema
from openfoley.training.loop.identity import identity_of
from openfoley.training.loop.muon import OptimizerName, make_optimizer
from openfoley.training.loop.run import Run
from openfoley.training.loop.schedule import set_learning_rate, warmup_cosine
from openfoley.training.salsa_v.objective import Objective, losses
from openfoley.types import Conditions

Generator = SalsaVGenerator | MMAudioGenerator
BETAS = (0.9, 0.99)
VALIDATION_CLIPS = 8
VALIDATION_TIMES = (0.1, 0.3, 0.5, 0.7, 0.9)
NAMED_CLIPS = 32
PICTURE_CLIPS = 2
PICTURE_STEPS = 8


@dataclass(frozen=True)
class GeneratorTraining:
    """A recipe. `features` holds the caches `train`, `validation` and, for `seen_share` > 0, `seen`."""

    architecture: SalsaVConfig | MMAudioConfig
    features: Path
    objective: Literal["shortcut", "flow"]
    use_sync: bool  # False: an ablation that never sees sync features
    consistency: Objective
    naming_weight: float  # of the loss that asks what begins to sound (gym_losses.naming); 0: it does not count
    steps: int
    start: Path | None  # weights (safetensors) of a generator of this architecture to begin with; None: random ones
    seen_share: float  # of the steps, from the first on, that draw from `seen` too: what the encoders were trained on
    crop_latents: tuple[int, ...]  # one is drawn per step
    batch_latents: int  # latents per step
    optimizer: OptimizerName
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    gradient_norm: float  # gradients are clipped to this norm
    ema_decay: float
    validate_every: int
    device: str
    seed: int
    time_limit_s: float | None


BEYOND_PAPER = Objective(
    time_logits=(-0.6, 1.2),
    consistency_fraction=0.25,
    mask_probability=MASK_PROBABILITY,
    mask_kinds=("span", "prefix", "suffix", "ends"),
    dropout=ConditionDropout(drop=0.1, text_given=0.5, swapped=0.3, picture_absent=0.05, reference_unseen=0.5),
)

CPU = GeneratorTraining(
    architecture=GYM,
    features=Path("out/features"),
    objective="shortcut",
    use_sync=True,
    consistency=BEYOND_PAPER,
    naming_weight=0.3,
    steps=1500,
    start=None,
    seen_share=0.6,
    crop_latents=(86, 129, 172, 258),
    batch_latents=2752,
    optimizer="muon",
    learning_rate=3e-3,
    warmup_steps=100,
    weight_decay=0.01,
    gradient_norm=1.0,
    ema_decay=0.999,
    validate_every=300,
    device="cpu",
    seed=1,
    time_limit_s=None,
)

CPU_LONG = replace(CPU, steps=8000)

GPU = replace(
    CPU, steps=8000, crop_latents=(86, 172, 258, 345), batch_latents=44_160, validate_every=1000, device="cuda",
)  # fmt: skip


GeneratorName = Literal["salsa-v", "mmaudio", "ablation-shortcut", "ablation-flow", "ablation-without-sync"]
GENERATORS: tuple[GeneratorName, ...] = get_args(GeneratorName)
ABLATION_SHARE = 0.72
"""Of the preset's steps: 1,080 of the CPU preset, 10 minutes on one core."""
CONSISTENCY_COST = 7 / 6
"""A shortcut step against one of flow matching: two more forward passes of a quarter of the batch, beside three."""


def variant(preset: GeneratorTraining, name: GeneratorName) -> GeneratorTraining:
    """The preset for another generator on the same data. mmaudio: same steps and optimiser, plain flow matching, and
    nothing is ever known or skipped. ablation-*: short runs of equal compute."""
    short = round(preset.steps * ABLATION_SHARE)
    if name == "mmaudio":
        never_known = replace(preset.consistency, consistency_fraction=0.0, mask_probability=0.0)
        return replace(preset, architecture=MMAUDIO_GYM, objective="flow", consistency=never_known)
    if name == "ablation-shortcut":
        return replace(preset, steps=short)
    if name == "ablation-flow":
        plain = replace(preset.consistency, consistency_fraction=0.0)
        return replace(preset, objective="flow", consistency=plain, steps=round(short * CONSISTENCY_COST))
    if name == "ablation-without-sync":
        return replace(preset, use_sync=False, steps=short)
    return preset


def train_generator(preset: GeneratorTraining, out: Path, *, resume: bool) -> Path:
    """Writes out/{config.json, model.safetensors (averaged weights), log.csv, pictures/}; returns the weights' path."""
    device = torch.device(preset.device)
    training, validation = (FeatureCache.open(preset.features / split) for split in ("train", "validation"))
    wide = training
    if preset.seen_share:
        wide = FeatureCache.joined([training, FeatureCache.open(preset.features / "seen")])
    if device.type != "cpu":
        training, wide, validation = (cache.to(device) for cache in (training, wide, validation))
    run = Run(
        out, total_steps=preset.steps, seed=preset.seed, resume=resume, identity=identity_of(preset),
        time_limit_s=preset.time_limit_s,
    )  # fmt: skip
    model = build_generator(preset).to(device)
    ema = Ema(model, preset.ema_decay)
    naming = build_naming(preset, model).to(device)  # after the copy for the average, which is not asked
    optimizer = make_optimizer(
        preset.optimizer, [model, naming], preset.learning_rate, betas=BETAS, weight_decay=preset.weight_decay
    )
    average = cast(Generator, ema.model)
    is_exchanged = preset.use_sync and preset.consistency.dropout.swapped > 0
    looks = MaterialLooks.of(training) if is_exchanged else None
    run.attach(model=model, ema=ema, naming=naming, optimizer=optimizer)
    for step in run.steps():
        random = run.generator(step, device)
        progress = run.progress(step)
        data, conditions, sounding = draw_batch(wide if progress < preset.seen_share else training, preset, random)
        other_sync = None if looks is None else looks.exchanged(conditions, sounding, random)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            parts = losses(model, average, data, conditions, preset.consistency, random, other_sync)
            if preset.naming_weight:
                parts["naming"] = naming.loss(sounding)
        (parts["loss"] + preset.naming_weight * parts.get("naming", 0.0)).backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), preset.gradient_norm)
        factor = warmup_cosine(step, warmup_steps=preset.warmup_steps, total_steps=preset.steps, progress=progress)
        set_learning_rate(optimizer, factor)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        ema.update(model)
        run.log(step, always=False, **parts, gradient_norm=norm)
        if (step + 1) % preset.validate_every == 0 or run.ends_with(step):
            run.log(step, always=True, **validate(average, validation, preset.use_sync))
            if preset.naming_weight:
                run.log(step, always=True, validation_named=named_right(model, naming, validation, preset.use_sync))
            run.picture(step, "samples", sample_picture(average, validation, preset.use_sync))
    return save_averaged(model.config, ema.model.state_dict(), out)


def save_averaged(config: SalsaVConfig | MMAudioConfig, averaged: Mapping[str, Tensor], out: Path) -> Path:
    """Writes out/{config.json, model.safetensors} of averaged weights; returns the weights' path."""
    write_json(out / "config.json", {"kind": kind_of("generator", config), **to_dict(config)}, indent=1)
    weights = out / "model.safetensors"
    save_weights(averaged, weights, exact=True)
    return weights


def build_generator(preset: GeneratorTraining) -> Generator:
    """Random weights from the seed, or those of `preset.start` (WeightsError where they do not match); the plain
    flow-matching objective has no trained steps."""
    config = preset.architecture
    if isinstance(config, SalsaVConfig) and preset.objective == "flow":
        config = replace(config, smallest_step=None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(preset.seed)
        model = SalsaVGenerator(config) if isinstance(config, SalsaVConfig) else MMAudioGenerator(config)
    if preset.start is not None:
        load_weights(model, preset.start)
    return model


def build_naming(preset: GeneratorTraining, model: Generator) -> NamingHead:
    """Random weights from the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(preset.seed)
        return NamingHead(model, preset.architecture.width)


def draw_batch(
    cache: FeatureCache, preset: GeneratorTraining, random: torch.Generator
) -> tuple[Tensor, Conditions, Tensor]:
    """Crops of one random length, their conditions and what begins to sound in them; which clips, where and which
    caption depends on `random` alone, the length on its seed."""
    device = random.device

    def integers(high: int, count: int) -> Tensor:
        return torch.randint(high, (count,), generator=random, device=device)

    lengths = [length for length in preset.crop_latents if length <= cache.latents.shape[1]]
    latents = lengths[random.initial_seed() % len(lengths)]  # a GPU would be waited for, were it drawn there
    batch = max(1, preset.batch_latents // latents)
    clip = integers(len(cache), batch)
    start = integers(cache.latents.shape[1] - latents + 1, batch)
    caption = integers(cache.text.shape[1], batch)
    data, conditions = cache.crop(clip, start, latents, caption)
    sounding = cache.sounding_in(clip, start, latents)
    return data, without_sync(conditions) if not preset.use_sync else conditions, sounding


def without_sync(conditions: Conditions) -> Conditions:
    return replace(conditions, sync_present=torch.zeros_like(conditions.sync_present))


def whole_clips(cache: FeatureCache, count: int, use_sync: bool) -> tuple[Tensor, Conditions]:
    """The first clips, whole and without prompt."""
    clip = torch.arange(min(count, len(cache)), device=cache.latents.device)
    data, conditions = cache.crop(clip, torch.zeros_like(clip), cache.latents.shape[1], torch.zeros_like(clip))
    conditions = replace(conditions, text_present=torch.zeros_like(conditions.text_present))
    return data, conditions if use_sync else without_sync(conditions)


@torch.no_grad()
def validate(model: Generator, cache: FeatureCache, use_sync: bool) -> dict[str, float]:
    """Flow-matching error of whole validation clips at fixed times and noise, and, at t = 0.3, how much larger it is
    with the sync features of another clip (what the model has learned to take from them)."""
    data, conditions = whole_clips(cache, VALIDATION_CLIPS, use_sync)
    noise = torch.randn(data.shape, generator=torch.Generator().manual_seed(0)).to(data.device)
    known = torch.zeros(data.shape[:2], dtype=torch.bool, device=data.device)
    zero = torch.zeros(len(data), device=data.device)

    def error(time: float, conditions: Conditions) -> float:
        t = torch.full_like(zero, time)
        with torch.autocast(data.device.type, dtype=torch.bfloat16):
            predicted = model.velocity(on_path(noise, data, t), t, zero, known, conditions)
        return float(velocity_error(predicted, path_velocity(noise, data), known).mean())

    figures = {f"validation_t{time}": error(time, conditions) for time in VALIDATION_TIMES}
    other = replace(conditions, sync=conditions.sync.roll(1, 0))
    figures["validation_other_sync"] = error(0.3, other) - figures["validation_t0.3"]
    return figures


@torch.no_grad()
def named_right(model: Generator, naming: NamingHead, cache: FeatureCache, use_sync: bool) -> float:
    """Share of the latents of visible events whose material is named right from the picture, the sound being noise."""
    data, conditions = whole_clips(cache, NAMED_CLIPS, use_sync)
    clip = torch.arange(len(data), device=data.device)
    sounding = cache.sounding_in(clip, torch.zeros_like(clip), data.shape[1])
    noise = torch.randn(data.shape, generator=torch.Generator().manual_seed(0)).to(data.device)
    zero = torch.zeros(len(data), device=data.device)
    with torch.autocast(data.device.type, dtype=torch.bfloat16):
        model.velocity(noise, zero, zero, torch.zeros_like(sounding, dtype=torch.bool), conditions)
        named = naming.logits().argmax(-1)
    return float((named == sounding)[sounding > 0].float().mean().nan_to_num())


def sample_picture(model: Generator, cache: FeatureCache, use_sync: bool) -> Any:
    """True and generated latents of some validation clips under each other, as a figure."""
    from matplotlib.figure import Figure

    data, conditions = whole_clips(cache, PICTURE_CLIPS, use_sync)
    made = sample_latents(model, conditions, seeds=range(len(data)), latents=data.shape[1], steps=PICTURE_STEPS)
    figure = Figure(figsize=(12, 2.2 * 2 * len(data)), layout="constrained")
    axes = figure.subplots(2 * len(data), 1, squeeze=False)[:, 0]
    for row, (true, generated) in enumerate(zip(data, made, strict=True)):
        for axis, values, name in ((axes[2 * row], true, "true"), (axes[2 * row + 1], generated, "generated")):
            axis.imshow(values.float().cpu().T, aspect="auto", vmin=-3, vmax=3, cmap="RdBu", interpolation="nearest")
            axis.set_ylabel(f"clip {row}, {name}")
    axes[-1].set_xlabel(f"latent (guidance default, {PICTURE_STEPS} steps)")
    return figure
