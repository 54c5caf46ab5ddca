"""Muon: momentum whose direction is made orthogonal before it is taken (Jordan et al. 2024; arXiv 2502.16982).

A weight's averaged gradient G = U S V^T moves the weight by about U V^T: every direction that the data asks for learns
at the same pace, where Adam follows the few loudest (docs/log.md has what it is worth here). Scaled by
0.2 sqrt(max(rows, columns)) the update has Adam's size (arXiv 2502.16982, section 2.2). Matrices and convolutions
(their kernels laid flat) go by Muon; vectors, tables and the first and last layers by AdamW.
"""

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
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["momentum"] = torch.zeros_like(weight)
                average = state["momentum"].lerp_(weight.grad, 1 - group["momentum"])
                direction = weight.grad.lerp(average, group["momentum"]).flatten(1)
                rows, columns = direction.shape
                size = ADAM_SIZE * max(rows, columns) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(orthogonal(direction).view_as(weight), alpha=-group["lr"] * size)


def orthogonal(matrix: Tensor) -> Tensor:
    """About U V^T of `matrix` [rows, columns] = U S V^T (singular values end between 0.7 and 1.2), in bfloat16."""
    first, third, fifth = NEWTON_SCHULZ
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    x = (wide / (wide.norm() + 1e-12)).bfloat16()
    for _ in range(ITERATIONS):
        gram = x @ x.T
        x = first * x + (third * gram + fifth * gram @ gram) @ x
    return (x if wide is matrix else x.T).to(matrix.dtype)


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
) -> Both:
    """AdamW for all weights of the modules, or Muon for their hidden matrices and convolutions and AdamW for the rest.

    adam_only: weights that are no hidden layer (first, last, tables), which stay with AdamW (Jordan et al. 2024).
    """
    apart = {id(weight) for weight in adam_only}
    every = [weight for module in modules for weight in module.parameters() if weight.requires_grad]
    hidden = [weight for weight in every if name == "muon" and _is_matrix(weight) and id(weight) not in apart]
    chosen = {id(weight) for weight in hidden}
    others = [weight for weight in every if id(weight) not in chosen]
    adam = torch.optim.AdamW(others, learning_rate, betas, weight_decay=weight_decay, fused=True)
    return Both(Muon(hidden, learning_rate, weight_decay=weight_decay), adam) if hidden else Both(adam)


def _is_matrix(weight: Tensor) -> bool:
    return weight.ndim >= 2 and min(weight.shape[0], weight[0].numel()) > 1
