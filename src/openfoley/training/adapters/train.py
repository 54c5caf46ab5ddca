"""Trains h_syn and h_global (arXiv 2508.11074) on windows of long clips; the generator is frozen.

The loss is the base's own: conditional flow matching, for SALSA-V with latents that are known, since most windows of a
long video begin with the last ones of the window before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from openfoley.data.feature_cache import Batch
from openfoley.flow.path import on_path, path_velocity, velocity_error
from openfoley.generators.adapters.config import AdapterConfig
from openfoley.generators.adapters.model import AdaptedGenerator, Adapters
from openfoley.hub.save import save_weights
from openfoley.training.adapters.draws import Drawn, LongWindows, WholeDraws, to_device
from openfoley.training.loop.ema import averaged
from openfoley.training.loop.optimizer import OptimizerName, make_optimizer
from openfoley.training.loop.run import Run
from openfoley.training.salsa_v.objective import Objective, TrainedGenerator, losses
from openfoley.training.salsa_v.report import TIMES
from openfoley.types import TEXT

BETAS = (0.9, 0.99)
STREAM = 1  # of random numbers: what is drawn from the clips; another than the losses'


@dataclass(frozen=True)
class AdapterTraining:
    """A recipe. base, data: fingerprints of the model and of the clips."""

    adapters: AdapterConfig
    base: str
    data: str
    objective: Objective
    draws: WholeDraws
    steps: int
    crop_latents: tuple[int, ...]  # one is drawn per step
    batch_latents: int  # per step
    optimizer: OptimizerName
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    gradient_norm: float
    ema_decay: float
    validate_every: int
    validation_windows: int
    device: str
    seed: int = 1
    time_limit_s: float | None = None


def train_adapters(
    preset: AdapterTraining, base: nn.Module, training: LongWindows, validation: LongWindows, out: Path, *, resume: bool
) -> Path:
    """Writes out/{model.safetensors (averaged weights), log.csv}; returns the weights' path."""
    device = torch.device(preset.device)
    run = Run.of(preset, out, resume=resume)
    adapters = new_adapters(preset.adapters, preset.seed).to(device)
    model = AdaptedGenerator(base.eval().requires_grad_(False), adapters)
    average = averaged(adapters, preset.ema_decay)
    optimizer = make_optimizer(
        preset.optimizer, [adapters], preset.learning_rate, betas=BETAS, weight_decay=preset.weight_decay
    )
    run.attach(adapters=adapters, average=average, optimizer=optimizer)
    held_out = _held_out(preset, validation)
    averages = AdaptedGenerator(base, cast(Adapters, average.module))
    learner, teacher = cast(TrainedGenerator, model), cast(TrainedGenerator, averages)
    base_errors = flow_errors(cast(TrainedGenerator, base), held_out, device)

    for step in run.steps():
        random = run.generator(step, device)
        batch = draw_batch(training, preset, random.initial_seed())
        with torch.autocast(device.type, dtype=torch.bfloat16):
            parts = losses(learner, learner, to_device(batch, device), preset.objective, random)
        factor = run.rate_factor(step, preset.warmup_steps)
        norm = optimizer.descend(parts["loss"], adapters.parameters(), factor=factor, limit=preset.gradient_norm)
        average.update_parameters(adapters)
        run.log(step, always=False, **parts, gradient_norm=norm)
        if (step + 1) % preset.validate_every == 0 or run.ends_with(step):
            run.log(step, always=True, **validation_figures(flow_errors(teacher, held_out, device), base_errors))
    save_weights(average.module.state_dict(), out / "model.safetensors", exact=True)
    return out / "model.safetensors"


def new_adapters(config: AdapterConfig, seed: int) -> Adapters:
    """Random weights but for the last layers, which are zero."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Adapters(config)


def draw_batch(windows: LongWindows, preset: AdapterTraining, seed: int) -> Batch:
    """Windows of one random length; everything depends on the step's seed alone."""
    random = torch.Generator().manual_seed(seed + STREAM)
    latents = preset.crop_latents[int(torch.randint(len(preset.crop_latents), (), generator=random))]
    size = max(1, preset.batch_latents // latents)
    return windows.batch([windows.draw(random, latents) for _ in range(size)], random)


def _held_out(preset: AdapterTraining, validation: LongWindows) -> Batch:
    """Fixed windows, each with its whole clip."""
    random, latents = torch.Generator().manual_seed(0), preset.crop_latents[-1]
    drawn = [validation.draw(random, latents) for _ in range(preset.validation_windows)]
    whole = [Drawn(d.clip, d.shot, d.first_latent, d.latents, _all_of(validation, d.clip), 0) for d in drawn]
    return validation.batch(whole)


def _all_of(windows: LongWindows, clip: int) -> tuple[float, float]:
    return 0.0, float(windows.clips[clip].duration)


@torch.no_grad()
def flow_errors(model: TrainedGenerator, batch: Batch, device: torch.device) -> dict[float, float]:
    """Flow-matching error at fixed times and noise, without a prompt and without known latents; of two batches of
    windows, so that few are in memory at once."""
    errors: dict[float, list[Tensor]] = {time: [] for time in TIMES}
    for number, rows in enumerate(torch.arange(len(batch.latents)).chunk(2)):
        half = to_device(_part(batch, rows), device)
        data, conditions = half.latents, half.conditions.without(TEXT)
        noise = torch.randn(data.shape, generator=torch.Generator().manual_seed(number)).to(device)
        known = torch.zeros(data.shape[:2], dtype=torch.bool, device=device)
        zero = torch.zeros(len(data), device=device)
        for time in TIMES:
            t = torch.full_like(zero, time)
            with torch.autocast(device.type, dtype=torch.bfloat16):
                predicted = model(on_path(noise, data, t), t, zero, known, conditions)
            error = velocity_error(predicted, path_velocity(noise, data), known)
            errors[time].append(error.float().cpu())
    return {time: float(torch.cat(each).mean()) for time, each in errors.items()}


def validation_figures(adapted: Mapping[float, float], base: Mapping[float, float]) -> dict[str, float]:
    """The errors with the adapters, and by how much the base's own are larger."""
    gains = {time: base[time] - error for time, error in adapted.items()}
    return {
        **{f"validation_t{time}": error for time, error in adapted.items()},
        **{f"gain_t{time}": gain for time, gain in gains.items()},
        "validation_gain": sum(gains.values()) / len(gains),
    }


def _part(batch: Batch, rows: Tensor) -> Batch:
    return Batch(batch.latents[rows], batch.conditions.select(rows), None)
