"""Attention and gated layers of the connectors, with the arithmetic of diffusers' transformer blocks."""

from typing import Any

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

GATED_FACTOR = 4
"""Hidden channels of a gated layer for each channel that enters."""

Tokens = Float[Tensor, "batch tokens width"]


class Recomputable(nn.Module):
    """A block whose activations may be computed anew on the way back instead of being kept, as diffusers' blocks.
    recomputes: off, until a training asks for it."""

    recomputes = False

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        call = super().__call__
        return checkpoint(call, *inputs, use_reentrant=False, **named) if self.recomputes else call(*inputs, **named)


class Attention(nn.Module):
    """Queries of x; keys and values of `context`, or of x. No biases but the last one."""

    def __init__(self, width: int, head_width: int, context_width: int | None = None) -> None:
        super().__init__()
        self.heads = width // head_width
        self.query = nn.Linear(width, width, bias=False)
        self.key = nn.Linear(context_width or width, width, bias=False)
        self.value = nn.Linear(context_width or width, width, bias=False)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tokens, context: Float[Tensor, "batch keys context_width"] | None = None) -> Tokens:
        source = x if context is None else context
        query, key, value = (
            rearrange(layer(of), "b n (h d) -> b h n d", h=self.heads)
            for layer, of in ((self.query, x), (self.key, source), (self.value, source))
        )
        return self.out(rearrange(F.scaled_dot_product_attention(query, key, value), "b h n d -> b n (h d)"))


class Gated(nn.Module):
    """value * GELU(gate), then a linear layer (GEGLU, arXiv 2002.05202)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.expand = nn.Linear(inputs, 2 * GATED_FACTOR * inputs)
        self.contract = nn.Linear(GATED_FACTOR * inputs, outputs)

    def forward(self, x: Float[Tensor, "*axes inputs"]) -> Float[Tensor, "*axes outputs"]:
        value, gate = self.expand(x).chunk(2, dim=-1)
        return self.contract(value * F.gelu(gate))


def zeroed(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    """A layer that adds nothing until it is trained."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
