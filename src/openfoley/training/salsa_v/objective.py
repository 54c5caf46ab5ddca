"""The generator's objective on a batch: masked flow matching and shortcut consistency (arXiv 2510.02916, Eq. 2).

The first `consistency_fraction` of the batch learns steps (targets from the averaged weights), the rest the
instantaneous velocity; one forward pass serves both.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from openfoley.data.feature_cache import Batch
from openfoley.flow.dropout import ConditionDropout, drop_conditions
from openfoley.flow.masking import MaskKind, random_known
from openfoley.flow.path import logit_normal_times, on_path, path_velocity, velocity_error
from openfoley.flow.shortcut import shortcut_target, shortcut_times
from openfoley.generators.base import Generator, latent_times
from openfoley.types import Conditions


class Architecture(Protocol):
    """What a training asks of a generator's configuration."""

    @property
    def width(self) -> int: ...

    @property
    def smallest_step(self) -> Fraction | None: ...

    @property
    def hop_length(self) -> int: ...

    @property
    def sample_rate(self) -> int: ...


class TrainedGenerator(Generator, Protocol):
    """What a training asks of a generator beside its velocity."""

    @property
    def config(self) -> Architecture: ...

    def __call__(self, x_t: Tensor, t: Tensor, step: Tensor, known: Tensor, conditions: Conditions) -> Tensor:
        """The velocity for conditions that are used once."""
        ...


@dataclass(frozen=True)
class Objective:
    """How a batch is noised, masked and conditioned; the values are justified in flow/."""

    time_logits: tuple[float, float]  # mean and standard deviation of logit t (flow.path)
    consistency_fraction: float  # of the batch; 0 where the architecture has no trained steps
    mask_probability: float
    mask_kinds: tuple[MaskKind, ...]
    dropout: ConditionDropout


def losses(
    model: TrainedGenerator,
    average: TrainedGenerator,
    batch: Batch,
    objective: Objective,
    generator: torch.Generator,
    other_sync: Float[Tensor, "batch frames sync_dim"] | None = None,
) -> dict[str, Float[Tensor, ""]]:
    """Scalars: `loss` to minimise (mean over the batch), `flow` and `consistency` its two parts. other_sync: for
    `drop_conditions`."""
    data, (size, latents, _) = batch.latents, batch.latents.shape
    known = random_known(size, latents, generator, probability=objective.mask_probability, kinds=objective.mask_kinds)
    latent_time = latent_times(latents, model.config.hop_length, model.config.sample_rate, data.device)
    conditions = drop_conditions(batch.conditions, known, latent_time, objective.dropout, generator, other_sync)
    noise = torch.randn(data.shape, generator=generator, device=data.device)
    t = logit_normal_times(size, generator, *objective.time_logits)
    step = torch.zeros_like(t)
    target = path_velocity(noise, data)
    smallest = model.config.smallest_step
    count = 0 if smallest is None else round(objective.consistency_fraction * size)
    if count and smallest is not None:
        t[:count], step[:count] = shortcut_times(count, smallest, generator)
    x_t = torch.where(known[..., None], data, on_path(noise, data, t))
    if count and smallest is not None:
        some = conditions.select(slice(0, count))

        def averaged(
            x: Float[Tensor, "b latents dim"], t: Tensor, step: Tensor, known: Bool[Tensor, "b latents"]
        ) -> Float[Tensor, "b latents dim"]:
            return average(x, t, step, known, some)

        target[:count] = shortcut_target(averaged, x_t[:count], t[:count], step[:count], known[:count], smallest)
    error = velocity_error(model(x_t, t, step, known, conditions), target, known)
    parts = {"loss": error.mean(), "flow": error[count:].mean()}
    if count:
        parts["consistency"] = error[:count].mean()
    return parts
