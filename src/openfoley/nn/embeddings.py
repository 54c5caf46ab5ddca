"""Sinusoidal embeddings of a scalar, followed by two layers (as for the time step of a DiT, arXiv 2212.09748)."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Num
from torch import Tensor, nn

SINUSOID_WIDTH = 256  # channels before the two layers, DiT's choice
LONGEST_PERIOD = 10_000.0  # in units of the scaled scalar


class ScalarEmbedding(nn.Module):
    """`scale` brings the values' range to some hundreds (times in 0..1: 1000)."""

    def __init__(self, width: int, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.first = nn.Linear(SINUSOID_WIDTH, width)
        self.second = nn.Linear(width, width)

    def forward(self, value: Float[Tensor, "*axes"]) -> Float[Tensor, "*axes width"]:
        return self.second(F.silu(self.first(sinusoids(value * self.scale))))


def sinusoids(value: Num[Tensor, "*axes"]) -> Float[Tensor, "*axes channels"]:
    """Cosines and sines of geometric frequencies 1 ... 1 / LONGEST_PERIOD, float32."""
    half = SINUSOID_WIDTH // 2
    exponent = torch.arange(half, device=value.device, dtype=torch.float32) / half
    angle = value.float()[..., None] * torch.exp(-math.log(LONGEST_PERIOD) * exponent)
    return torch.cat((angle.cos(), angle.sin()), dim=-1)
