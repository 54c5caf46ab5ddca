"""What a generator's training reports of validation clips: errors of the velocity, and a picture of samples."""

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from openfoley.data.feature_cache import Batch, FeatureCache
from openfoley.flow.noise import NoiseSource
from openfoley.flow.path import on_path, path_velocity, velocity_error
from openfoley.generators.sampling import sample_latents
from openfoley.request import Sampling
from openfoley.training.salsa_v.objective import TrainedGenerator
from openfoley.types import TEXT, Conditions

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLIPS = 8
TIMES = (0.1, 0.3, 0.5, 0.7, 0.9)
PICTURE_CLIPS, PICTURE_STEPS = 2, 8


def whole_clips(cache: FeatureCache, count: int) -> Batch:
    """The first clips, whole and without prompt."""
    batch = cache.whole(count)
    return replace(batch, conditions=batch.conditions.without(TEXT))


@torch.no_grad()
def validate(model: TrainedGenerator, cache: FeatureCache) -> dict[str, float]:
    """Flow-matching error of whole validation clips at fixed times and noise, and, at t = 0.3, how much larger it is
    with the sync features of another clip (what the model has learned to take from them)."""
    batch = whole_clips(cache, CLIPS)
    data, conditions = batch.latents, batch.conditions
    noise = torch.randn(data.shape, generator=torch.Generator().manual_seed(0)).to(data.device)
    known = torch.zeros(data.shape[:2], dtype=torch.bool, device=data.device)
    zero = torch.zeros(len(data), device=data.device)

    def error(time: float, conditions: Conditions) -> float:
        t = torch.full_like(zero, time)
        with torch.autocast(data.device.type, dtype=torch.bfloat16):
            predicted = model(on_path(noise, data, t), t, zero, known, conditions)
        return float(velocity_error(predicted, path_velocity(noise, data), known).mean())

    figures = {f"validation_t{time}": error(time, conditions) for time in TIMES}
    sync = conditions["sync"]
    other = conditions.replaced(sync=replace(sync, values=sync.values.roll(1, 0)))
    figures["validation_other_sync"] = error(0.3, other) - figures["validation_t0.3"]
    return figures


def sample_picture(model: TrainedGenerator, cache: FeatureCache) -> "Figure":
    """True and generated latents of some validation clips under each other."""
    from matplotlib.figure import Figure

    batch = whole_clips(cache, PICTURE_CLIPS)
    data = batch.latents
    noise = NoiseSource(range(len(data)), data.shape[1])
    made = sample_latents(model, batch.conditions, noise, Sampling(steps=PICTURE_STEPS))
    figure = Figure(figsize=(12, 2.2 * 2 * len(data)), layout="constrained")
    axes = figure.subplots(2 * len(data), 1, squeeze=False)[:, 0]
    for row, (true, generated) in enumerate(zip(data, made, strict=True)):
        for axis, values, name in ((axes[2 * row], true, "true"), (axes[2 * row + 1], generated, "generated")):
            axis.imshow(values.float().cpu().T, aspect="auto", vmin=-3, vmax=3, cmap="RdBu", interpolation="nearest")
            axis.set_ylabel(f"clip {row}, {name}")
    axes[-1].set_xlabel(f"latent (guidance default, {PICTURE_STEPS} steps)")
    return figure
