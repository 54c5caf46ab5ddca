"""Muon: momentum whose direction is made orthogonal before it is taken (Jordan et al. 2024; arXiv 2502.16982).

A weight's averaged gradient G = U S V^T moves the weight by about U V^T: every direction that the data asks for learns
at the same pace, where Adam follows the few loudest (docs/log.md has what it is worth here). Scaled by
0.2 sqrt(max(rows, columns)) the update has Adam's size (arXiv 2502.16982, section 2.2). Matrices and convolutions
(their kernels laid flat) go by Muon; vectors, tables and the first and last layers by AdamW.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # coefficients of the quintic iteration (Jordan et al. 2024)
ITERATIONS = 5
ADAM_SIZE = 0.2  # root mean square of AdamW's updates (arXiv 2502.16982, section 2.2)
MOMENTUM = 0.95


class Muon(Optimizer):
    """params: weights of two or more axes; a convolution [out, in, *kernel] counts as the matrix [out, in * kernel]."""

    def __init__(self, params: Iterable[Any], lr: float, *, momentum: float = MOMENTUM, weight_decay: float = 0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One update from the gradients that are there (Nesterov momentum)."""
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight]["momentum"] = torch.zeros_like(weight)
            gradients = [weight.grad for weight in weights]
            averages = [self.state[weight]["momentum"] for weight in weights]
            torch._foreach_lerp_(averages, gradients, 1 - group["momentum"])
            directions = torch._foreach_lerp(gradients, averages, group["momentum"])
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])
            alike = defaultdict(list)  # of one shape: made orthogonal together, a GPU waits for launches otherwise
            for weight, direction in zip(weights, directions, strict=True):
                alike[direction.flatten(1).shape].append((weight, direction.flatten(1)))
            for shape, pairs in alike.items():
                scale = group["lr"] * ADAM_SIZE * max(shape) ** 0.5
                updates = orthogonal(torch.stack([direction for _, direction in pairs]))
                for (weight, _), update in zip(pairs, updates, strict=True):
                    weight.add_(update.view_as(weight), alpha=-scale)


def orthogonal(matrices: Tensor) -> Tensor:
    """About U V^T of each matrix [..., rows, columns] = U S V^T (singular values end between 0.7 and 1.2), computed in
    bfloat16."""
    first, third, fifth = NEWTON_SCHULZ
    is_wide = matrices.shape[-2] <= matrices.shape[-1]
    wide = matrices if is_wide else matrices.mT
    x = (wide / (wide.norm(dim=(-2, -1), keepdim=True) + 1e-12)).bfloat16()
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = first * x + (third * gram + fifth * gram @ gram) @ x
    return (x if is_wide else x.mT).to(matrices.dtype)


class Both:
    """Several optimisers as one: `param_groups`, `zero_grad`, `step`, and one state for checkpoints."""

    def __init__(self, *optimizers: Optimizer) -> None:
        self.optimizers = optimizers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def zero_grad(self, set_to_none: bool = True) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none)

    def step(self) -> None:
        for optimizer in self.optimizers:
            optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        return {str(index): optimizer.state_dict() for index, optimizer in enumerate(self.optimizers)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for index, optimizer in enumerate(self.optimizers):
            optimizer.load_state_dict(state_dict[str(index)])


OptimizerName = Literal["adamw", "muon"]


def make_optimizer(
    name: OptimizerName,
    modules: Iterable[nn.Module],
    learning_rate: float,
    *,
    betas: tuple[float, float],
    weight_decay: float,
    adam_only: Iterable[Tensor] = (),
    left_out: Iterable[Tensor] = (),
) -> Both:
    """AdamW for all weights of the modules, or Muon for their hidden matrices and convolutions and AdamW for the rest.

    adam_only: weights that are no hidden layer (first, last, tables), which stay with AdamW (Jordan et al. 2024).
    left_out: weights that another optimiser has.
    """
    apart, others_have = {id(weight) for weight in adam_only}, {id(weight) for weight in left_out}
    every = [weight for module in modules for weight in module.parameters() if weight.requires_grad]
    every = [weight for weight in every if id(weight) not in others_have]
    hidden = [weight for weight in every if name == "muon" and _is_matrix(weight) and id(weight) not in apart]
    chosen = {id(weight) for weight in hidden}
    others = [weight for weight in every if id(weight) not in chosen]
    adam = torch.optim.AdamW(others, learning_rate, betas, weight_decay=weight_decay, fused=True)
    return Both(Muon(hidden, learning_rate, weight_decay=weight_decay), adam) if hidden else Both(adam)


def _is_matrix(weight: Tensor) -> bool:
    return weight.ndim >= 2 and min(weight.shape[0], weight[0].numel()) > 1
