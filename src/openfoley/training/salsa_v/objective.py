"""The generator's objective on a batch: masked flow matching and shortcut consistency (arXiv 2510.02916, Eq. 2).

The first `consistency_fraction` of the batch learns steps (targets from the averaged weights), the rest the
instantaneous velocity; one forward pass serves both.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from openfoley.flow.dropout import ConditionDropout, drop_conditions
from openfoley.flow.masking import MaskKind, random_known
from openfoley.flow.path import on_path, path_velocity, velocity_error
from openfoley.flow.shortcut import shortcut_target
from openfoley.flow.times import logit_normal_times, shortcut_times
from openfoley.generators.mmaudio import MMAudioGenerator
from openfoley.generators.salsa_v import SalsaVGenerator
from openfoley.types import Conditions


@dataclass(frozen=True)
class Objective:
    """What is asked of a batch; the values are justified in flow/."""

    time_logits: tuple[float, float]  # mean and standard deviation of logit t (flow.times), (0, 1) in A.4
    consistency_fraction: float  # of the batch, 0.25 in A.4; 0 with the plain flow-matching objective
    mask_probability: float
    mask_kinds: tuple[MaskKind, ...]
    dropout: ConditionDropout


def losses(
    model: SalsaVGenerator | MMAudioGenerator,
    average: SalsaVGenerator | MMAudioGenerator,
    data: Tensor,
    conditions: Conditions,
    objective: Objective,
    generator: torch.Generator,
    other_sync: Tensor | None = None,
) -> dict[str, Tensor]:
    """Scalars: `loss` to minimise (mean over the batch), `flow` and `consistency` its two parts. other_sync: for
    `drop_conditions`."""
    batch, latents, _ = data.shape
    known = random_known(batch, latents, generator, probability=objective.mask_probability, kinds=objective.mask_kinds)
    conditions = drop_conditions(
        conditions, known, model.latent_time(latents, data.device), objective.dropout, generator, other_sync
    )
    noise = torch.randn(data.shape, generator=generator, device=data.device)
    t = logit_normal_times(batch, generator, *objective.time_logits)
    step = torch.zeros_like(t)
    target = path_velocity(noise, data)
    smallest = model.config.smallest_step
    count = round(objective.consistency_fraction * batch) if smallest is not None else 0
    if count and smallest is not None:
        t[:count], step[:count] = shortcut_times(count, smallest, generator)
    x_t = torch.where(known[..., None], data, on_path(noise, data, t))
    if count and smallest is not None:
        rows = slice(0, count)
        some = conditions.select(rows)

        def averaged(x: Tensor, t: Tensor, step: Tensor, known: Tensor) -> Tensor:
            return average.velocity(x, t, step, known, some)

        target[rows] = shortcut_target(averaged, x_t[rows], t[rows], step[rows], known[rows], smallest)
    error = velocity_error(model.velocity(x_t, t, step, known, conditions), target, known)
    parts = {"loss": error.mean(), "flow": error[count:].mean()}
    if count:
        parts["consistency"] = error[:count].mean()
    return parts
