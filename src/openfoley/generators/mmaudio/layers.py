"""Gated units over single tokens or over time (SwiGLU, arXiv 2002.05202), channels last.

    out = W2 (silu(W1 x) * W3 x)

W1 and W3 are one projection with twice the outputs. With kernel > 1 each product is a convolution over time with zero
padding, MMAudio's "ConvMLP" (arXiv 2412.15322, section 3.3).
"""

import torch.nn.functional as F
from torch import Tensor, nn


class TimeConv(nn.Conv1d):
    """A convolution over the tokens of [batch, tokens, channels]; as many tokens come out."""

    def __init__(self, inputs: int, outputs: int, kernel: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


def projection(inputs: int, outputs: int, kernel: int, bias: bool = True) -> nn.Module:
    """A linear layer, over `kernel` tokens if that is more than one."""
    return nn.Linear(inputs, outputs, bias) if kernel == 1 else TimeConv(inputs, outputs, kernel, bias)


class GatedUnit(nn.Module):
    def __init__(self, width: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.expand = projection(width, 2 * hidden, kernel, bias=False)
        self.contract = projection(hidden, width, kernel, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.expand(x).chunk(2, dim=-1)
        return self.contract(F.silu(gate) * value)
