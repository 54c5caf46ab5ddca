"""AdamW, or Muon for hidden matrices and AdamW for the rest (Jordan et al. 2024; arXiv 2502.16982).

Muon makes the averaged gradient G = U S V^T of a matrix nearly orthogonal, U V^T, before it is taken: every direction
learns at the same pace, where Adam follows the few largest (docs/log.md has the comparison). Scaled by
0.2 sqrt(max(rows, columns)) an update has the size of Adam's (arXiv 2502.16982, section 2.2), so one rate serves both.
"""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.optim import Optimizer

OptimizerName = Literal["adamw", "muon"]


class FlatMuon(torch.optim.Muon):
    """torch's Muon for convolutions too: the weights [out, in, *kernel] are the matrix [out, in * kernel].

    (A version of our own, which orthogonalised matrices of one shape together, took 76 ms a step for the 57 matrices of
    the Gym generator on one CPU core; this takes 63.)
    """

    def __init__(self, weights: Iterable[nn.Parameter], lr: float, weight_decay: float) -> None:
        self.weights = list(weights)
        flat = [nn.Parameter(weight.detach().view(len(weight), -1)) for weight in self.weights]  # the same memory
        super().__init__(flat, lr, weight_decay, adjust_lr_fn="match_rms_adamw")

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for flat, weight in zip(self.param_groups[0]["params"], self.weights, strict=True):
            flat.grad = None if weight.grad is None else weight.grad.reshape(flat.shape)
        super().step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        super().zero_grad(set_to_none)
        for weight in self.weights:
            weight.grad = None


class Both:
    """Several optimisers as one: `param_groups`, `descend`, and one state for checkpoints."""

    def __init__(self, *optimizers: Optimizer) -> None:
        self.optimizers = optimizers

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        return [group for optimizer in self.optimizers for group in optimizer.param_groups]

    def descend(
        self, loss: Float[Tensor, ""], weights: Iterable[nn.Parameter], *, factor: float, limit: float
    ) -> Float[Tensor, ""]:
        """One update against the gradient of `loss`: `zero_grad`, `backward`, `update`."""
        self.zero_grad()
        loss.backward()
        return self.update(weights, factor=factor, limit=limit)

    def zero_grad(self) -> None:
        for optimizer in self.optimizers:
            optimizer.zero_grad(set_to_none=True)

    def update(self, weights: Iterable[nn.Parameter], *, factor: float, limit: float) -> Float[Tensor, ""]:
        """Against the gradients that `weights` have, whose norm is clipped to `limit`. Returns the norm before that.
        factor: of the rates that the optimisers were made with (`loop.schedule`)."""
        norm = nn.utils.clip_grad_norm_(weights, limit)
        for group in self.param_groups:
            group["lr"] = factor * group.setdefault("peak_lr", group["lr"])
        for optimizer in self.optimizers:
            optimizer.step()
        return norm

    def state_dict(self) -> dict[str, Any]:
        return {str(index): optimizer.state_dict() for index, optimizer in enumerate(self.optimizers)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for index, optimizer in enumerate(self.optimizers):
            optimizer.load_state_dict(state_dict[str(index)])


def make_optimizer(
    name: OptimizerName,
    modules: Iterable[nn.Module],
    learning_rate: float,
    *,
    betas: tuple[float, float],
    weight_decay: float,
    adam_only: Iterable[Shaped[Tensor, "..."]] = (),
    left_out: Iterable[Shaped[Tensor, "..."]] = (),
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
    return Both(FlatMuon(hidden, learning_rate, weight_decay), adam) if hidden else Both(adam)


def _is_matrix(weight: Tensor) -> bool:
    rows = weight.shape[0] if weight.ndim >= 2 else 0
    return rows > 1 and weight.numel() > rows
