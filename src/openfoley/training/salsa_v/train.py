"""Trains a generator from cached features, as SALSA-V is trained (arXiv 2510.02916, sections 3.2, 3.3 and A.4).

Every step takes crops of one length, drawn from `crop_latents`, at any latent of any clip, as many as `batch_latents`
holds: the sync features thus come with every offset against the latents. What only a data set with truth can teach
besides is passed in as `extra` (training.gym_losses).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol, cast

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from openfoley.data.disk import write_json
from openfoley.data.feature_cache import Batch, FeatureCache
from openfoley.hub.load import load_weights
from openfoley.hub.parts import classes, kind_of, section
from openfoley.hub.save import save_weights
from openfoley.training.loop.ema import averaged
from openfoley.training.loop.optimizer import make_optimizer
from openfoley.training.loop.run import Run
from openfoley.training.salsa_v.objective import Architecture, TrainedGenerator, losses
from openfoley.training.salsa_v.presets import GeneratorTraining
from openfoley.training.salsa_v.report import sample_picture, validate

BETAS = (0.9, 0.99)


class ExtraLosses(Protocol):
    """What is learned beside the velocity, with weights of its own; for one training."""

    @property
    def module(self) -> nn.Module: ...

    def other_sync(self, batch: Batch, random: torch.Generator) -> Float[Tensor, "batch frames sync_dim"] | None:
        """Sync features that contradict the prompt (`flow.dropout.drop_conditions`)."""
        ...

    def losses(self, batch: Batch) -> tuple[Float[Tensor, ""] | float, dict[str, Float[Tensor, ""]]]:
        """What the model's last pass, on this batch, adds to its loss, and what to log."""
        ...

    def validate(self, model: TrainedGenerator, validation: FeatureCache) -> dict[str, float]: ...


MakesExtraLosses = Callable[[nn.Module, FeatureCache, GeneratorTraining], ExtraLosses]
"""A dataclass of settings; called with the model and the features of a training."""


def train_generator(
    preset: GeneratorTraining, out: Path, *, resume: bool, extra: MakesExtraLosses | None = None
) -> Path:
    """Writes out/{config.json, model.safetensors (averaged weights), log.csv, pictures/}; returns the weights' path."""
    device = torch.device(preset.device)
    training, wide, validation = open_features(preset)
    run = Run.of(preset, out, resume=resume, beside=extra)
    model = build_generator(preset).to(device)
    average = averaged(model, preset.ema_decay)
    beside = extra(model, training, preset) if extra is not None else None
    modules = [model] if beside is None else [model, beside.module.to(device)]
    optimizer = make_optimizer(
        preset.optimizer, modules, preset.learning_rate, betas=BETAS, weight_decay=preset.weight_decay
    )
    run.attach(model=model, average=average, optimizer=optimizer)
    if beside is not None:
        run.attach(extra=beside.module)
    learner, teacher = cast(TrainedGenerator, model), cast(TrainedGenerator, average.module)

    for step in run.steps():
        random = run.generator(step, device)
        batch = draw_batch(wide if run.progress(step) < preset.seen_share else training, preset, random)
        other_sync = None if beside is None else beside.other_sync(batch, random)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            parts = losses(learner, teacher, batch, preset.objective, random, other_sync)
            added, named = (0.0, {}) if beside is None else beside.losses(batch)
        factor = run.rate_factor(step, preset.warmup_steps)
        norm = optimizer.descend(parts["loss"] + added, model.parameters(), factor=factor, limit=preset.gradient_norm)
        average.update_parameters(model)
        run.log(step, always=False, **parts, **named, gradient_norm=norm)
        if (step + 1) % preset.validate_every == 0 or run.ends_with(step):
            run.log(step, always=True, **validate(teacher, validation))
            if beside is not None:
                run.log(step, always=True, **beside.validate(learner, validation))
            run.picture(step, "samples", lambda: sample_picture(teacher, validation))
    return save_averaged(preset.architecture, average.module.state_dict(), out)


def open_features(preset: GeneratorTraining) -> tuple[FeatureCache, FeatureCache, FeatureCache]:
    """Clips that no encoder was trained on, these and others (for `seen_share`), and validation clips.

    Clips that the encoders were trained on teach what sounds are like as well as others do, but their sync features are
    surer than those of new clips, and the generator would learn to trust them too much: the last steps go without.
    """
    splits = ("train", "validation", *(["seen"] if preset.seen_share else []))
    absent = () if preset.use_sync else ("sync",)
    training, validation, *seen = (replace(FeatureCache.open(preset.features / s), absent=absent) for s in splits)
    wide = FeatureCache.joined([training, *seen]) if seen else training
    if torch.device(preset.device).type == "cpu":
        return training, wide, validation
    return training.to(preset.device), wide.to(preset.device), validation.to(preset.device)


def build_generator(preset: GeneratorTraining) -> nn.Module:
    """Random weights from the seed, or those of `preset.start` (WeightsError where they do not match)."""
    config = preset.architecture
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(preset.seed)
        model = classes("generator", kind_of("generator", config))[1](config)
    if preset.start is not None:
        load_weights(model, preset.start)
    for name, weight in model.named_parameters():
        weight.requires_grad_(not preset.trained or any(fnmatch(name, pattern) for pattern in preset.trained))
    return model


def draw_batch(cache: FeatureCache, preset: GeneratorTraining, random: torch.Generator) -> Batch:
    """Crops of one random length; which clips, where and which caption depends on `random` alone, the length on its
    seed."""

    def integers(high: int) -> Tensor:
        return torch.randint(high, (size,), generator=random, device=random.device)

    lengths = [length for length in preset.crop_latents if length <= cache.latents.shape[1]]
    latents = lengths[random.initial_seed() % len(lengths)]  # a GPU would be waited for, were it drawn there
    size = max(1, preset.batch_latents // latents)
    clip, start = integers(len(cache)), integers(cache.latents.shape[1] - latents + 1)
    return cache.crop(clip, start, latents, integers(cache.text.shape[1]))


def save_averaged(architecture: Architecture, weights: Mapping[str, Shaped[Tensor, "..."]], out: Path) -> Path:
    """Writes out/{config.json, model.safetensors}; returns the weights' path."""
    write_json(out / "config.json", section("generator", architecture), indent=1)
    save_weights(weights, out / "model.safetensors", exact=True)
    return out / "model.safetensors"
