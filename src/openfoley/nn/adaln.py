"""Layer norm whose shift, scale and gate come from a condition (adaLN-zero, Peebles & Xie, arXiv 2212.09748).

The condition may differ per token (sequence-level adaLN, arXiv 2510.02916, section 3). A full projection then costs
6 width^2 multiply-adds per token and block, half as much as the block itself, so small models factor it through `rank`
channels. That is beyond the paper; the full projection (rank None) is what LARGE and SMALL use.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

NORM_EPSILON = 1e-6


class Modulation(nn.Module):
    """The condition [..., width], already through SiLU, to `pieces` tensors of the same shape.

    The last projection starts at zero, so that every block starts as the identity.
    """

    def __init__(self, width: int, pieces: int, rank: int | None) -> None:
        super().__init__()
        self.pieces = pieces
        self.reduce = nn.Identity() if rank is None else nn.Linear(width, rank, bias=False)
        self.project = nn.Linear(rank or width, pieces * width)
        nn.init.zeros_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, condition: Float[Tensor, "*axes width"]) -> tuple[Float[Tensor, "*axes width"], ...]:
        return self.project(self.reduce(condition)).chunk(self.pieces, dim=-1)


def normalise(x: Float[Tensor, "*axes width"], epsilon: float = NORM_EPSILON) -> Float[Tensor, "*axes width"]:
    """Layer norm over the last axis without learned scale (the modulation brings it)."""
    return F.layer_norm(x, (x.shape[-1],), eps=epsilon)


def modulate(
    x: Float[Tensor, "batch tokens width"],
    shift: Float[Tensor, "#batch #tokens width"],
    scale: Float[Tensor, "#batch #tokens width"],
) -> Float[Tensor, "batch tokens width"]:
    """x (1 + scale) + shift."""
    return torch.addcmul(shift, x, 1 + scale) if shift.shape == x.shape else x * (1 + scale) + shift
