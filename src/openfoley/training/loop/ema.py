"""Exponential moving average of a model's weights: theta' <- decay theta' + (1 - decay) theta.

SALSA-V averages with decay 0.999 and takes its shortcut targets from the average (arXiv 2510.02916, section 3.3, A.4).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged(model: nn.Module, decay: float) -> AveragedModel:
    """A copy (`.module`: evaluation mode, no gradients) that `update_parameters(model)` moves after each step; buffers
    are copied. Update n weighs with min(decay, (1 + n) / (10 + n)), so that short trainings do not average in the
    random start."""

    @torch.no_grad()
    def update(averages: Sequence[Tensor], weights: Sequence[Tensor], _: Tensor | int) -> None:
        n = int(average.n_averaged) - 1
        torch._foreach_lerp_(list(averages), list(weights), 1.0 - min(decay, (1 + n) / (10 + n)))

    average = AveragedModel(model, multi_avg_fn=update).eval().requires_grad_(False)
    average.n_averaged.fill_(1)  # the start counts as the first: at 0 the update would be a plain copy
    return average
