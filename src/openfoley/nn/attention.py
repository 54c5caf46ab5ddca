"""Queries, keys and values with RMS-normed queries and keys and rotary positions, and attention over them."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.nn.rope import rotate

NORM_EPSILON = 1e-6


class Projected(NamedTuple):
    """Queries, keys and values of one stream."""

    query: Float[Tensor, "batch heads tokens head_width"]
    key: Float[Tensor, "batch heads tokens head_width"]
    value: Float[Tensor, "batch heads tokens head_width"]


class HeadProjection(nn.Module):
    """Tokens to queries, keys and values per head.

    RMS norm on queries and keys keeps the logits bounded as in Stable Diffusion 3 (arXiv 2403.03206, section 5.3.2).
    """

    def __init__(self, width: int, heads: int, epsilon: float = NORM_EPSILON) -> None:
        super().__init__()
        self.heads, self.epsilon = heads, epsilon
        self.project = nn.Linear(width, 3 * width)
        self.query_scale = nn.Parameter(torch.ones(width // heads))
        self.key_scale = nn.Parameter(torch.ones(width // heads))

    def forward(
        self,
        x: Float[Tensor, "batch tokens width"],
        cosine: Float[Tensor, "#batch 1 #tokens head_width"],
        sine: Float[Tensor, "#batch 1 #tokens head_width"],
    ) -> Projected:
        stacked = rearrange(self.project(x), "b n (which h d) -> which b h n d", which=3, h=self.heads)
        scale = torch.stack((self.query_scale, self.key_scale)).to(stacked.dtype)[:, None, None, None]
        pair = F.rms_norm(stacked[:2], stacked.shape[-1:], eps=self.epsilon) * scale
        query, key = rotate(pair, cosine, sine).unbind(0)
        return Projected(query, key, stacked[2])


def attend(projected: Projected) -> Float[Tensor, "batch tokens width"]:
    """Full attention, heads merged."""
    query, key, value = projected
    if query.requires_grad and query.device.type == "cpu":
        # the fused kernel's backward pass on a CPU takes 2 (300 tokens) to 10 (86) times as long as these three lines
        weights = ((query * query.shape[-1] ** -0.5) @ key.mT).softmax(-1)
        mixed = weights.to(value.dtype) @ value
    else:
        mixed = F.scaled_dot_product_attention(query, key, value)
    return rearrange(mixed, "b h n d -> b n (h d)")


def join(first: Projected, second: Projected) -> Projected:
    """The sequence-wise concatenation over which two streams attend together (arXiv 2510.02916, section 3)."""
    return Projected(*(torch.cat(pair, dim=2) for pair in zip(first, second, strict=True)))
