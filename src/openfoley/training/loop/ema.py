"""Exponential moving average of a model's weights: theta' <- decay theta' + (1 - decay) theta.

SALSA-V averages with decay 0.999 and takes its shortcut targets from the average (arXiv 2510.02916, section 3.3, A.4).
"""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import nn


class Ema:
    """`ema.model` is the averaged copy (evaluation mode, no gradients), ready to be called or saved.

    decay: per step. warm_up: start with min(decay, (1 + n) / (10 + n)) at update n, so that short trainings do not
    average in the random start.
    """

    def __init__(self, model: nn.Module, decay: float, *, warm_up: bool = True) -> None:
        self.decay = decay
        self.warm_up = warm_up
        self.updates = 0
        self.model = deepcopy(model).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Call after each optimiser step. Buffers and integers are copied, parameters averaged."""
        decay = self.decay
        if self.warm_up:
            decay = min(decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(list(self.model.parameters()), list(model.parameters()), 1.0 - decay)
        for buffer, source in zip(self.model.buffers(), model.buffers(), strict=True):
            buffer.copy_(source)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates, "model": self.model.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        self.updates = int(state_dict["updates"])
        self.model.load_state_dict(state_dict["model"])
