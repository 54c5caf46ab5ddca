"""Gated units over single tokens or over time (SwiGLU, arXiv 2002.05202), channels last.

    out = W2 (silu(W1 x) * W3 x)

W1 and W3 are one projection with twice the outputs. With kernel > 1 each product is a convolution over time with zero
padding, MMAudio's "ConvMLP" (arXiv 2412.15322, section 3.3).
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.nn.toom_cook import OUTPUTS, transforms

FAST_KERNEL = 3  # taps that the fast form is for
FAST_TOKENS = 64  # below, its transforms cost more than they save


class TimeConv(nn.Conv1d):
    """A convolution over the tokens; as many come out.

    With `remember_kernels` it takes half the multiplications where nothing is learnt (nn.toom_cook; float32 on the
    CPU), for twice the memory of its weight.
    """

    kernels: Float[Tensor, "points inputs outputs"] | None

    def __init__(self, inputs: int, outputs: int, kernel: int, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
        self.register_buffer("kernels", None, persistent=False)

    def forward(self, input: Float[Tensor, "batch tokens inputs"]) -> Float[Tensor, "batch tokens outputs"]:
        is_plain_cpu = input.dtype == torch.float32 and input.device.type == "cpu" and not torch.is_grad_enabled()
        if self.kernels is not None and is_plain_cpu and input.shape[1] >= FAST_TOKENS:
            return self._fast(input)
        return super().forward(input.transpose(1, 2)).transpose(1, 2)

    def remember_kernels(self) -> None:
        """Transform the weight once; a later change of the weight is not seen."""
        _, to_weight, _ = transforms(FAST_KERNEL)
        flat = self.weight.detach().flatten(0, 1).mT  # [taps, outputs * inputs]
        self.kernels = (to_weight @ flat).view(-1, *self.weight.shape[:2]).mT.contiguous()

    def _fast(self, x: Tensor) -> Tensor:
        """Tiles of OUTPUTS tokens of all sequences as one batch of matrix products."""
        assert self.kernels is not None
        to_output, _, to_input = transforms(FAST_KERNEL)
        batch, tokens, channels = x.shape
        points, tiles = len(to_input), -(-tokens // OUTPUTS)
        padded = F.pad(x, (0, 0, 1, tiles * OUTPUTS + points - OUTPUTS - 1 - tokens))
        row = padded.shape[1] * channels
        windows = padded.as_strided(
            (points, batch, tiles, channels), (channels, row, OUTPUTS * channels, 1)
        )  # [p, b, i, c] = padded[b, OUTPUTS i + p, c]
        seen = (to_input @ windows.reshape(points, -1)).view(points, batch * tiles, channels)
        total = torch.bmm(seen, self.kernels)
        y = (to_output @ total.view(points, -1)).view(OUTPUTS, batch, tiles, -1)
        y = y.permute(1, 2, 0, 3).reshape(batch, tiles * OUTPUTS, -1)[:, :tokens]
        return y if self.bias is None else y + self.bias


def projection(inputs: int, outputs: int, kernel: int, bias: bool = True) -> nn.Module:
    """A linear layer, over `kernel` tokens if that is more than one."""
    return nn.Linear(inputs, outputs, bias) if kernel == 1 else TimeConv(inputs, outputs, kernel, bias)


class GatedUnit(nn.Module):
    def __init__(self, width: int, hidden: int, kernel: int) -> None:
        super().__init__()
        self.expand = projection(width, 2 * hidden, kernel, bias=False)
        self.contract = projection(hidden, width, kernel, bias=False)

    def forward(self, x: Float[Tensor, "*axes tokens width"]) -> Float[Tensor, "*axes tokens width"]:
        gate, value = self.expand(x).chunk(2, dim=-1)
        return self.contract(F.silu(gate) * value)
