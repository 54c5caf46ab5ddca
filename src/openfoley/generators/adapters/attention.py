"""Learned queries that gather what a variable number of tokens hold, each token at its distance from the window."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from openfoley.nn.embeddings import ScalarEmbedding

WINDOW_S = 8.0  # distances are counted in windows of the training
DISTANCE_SCALE = 32.0  # brings asinh(distance), within 5 for 5 minutes, to the range that the sinusoids resolve
QUERY_STD = 0.5  # of the queries at the start: they must differ, or they learn the same


class Distance(nn.Module):
    """A token's signed distance from the middle of the window, in windows, on a scale fine nearby and coarse far away:
    any length can be read."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.embedding = ScalarEmbedding(width, DISTANCE_SCALE)

    def forward(
        self, time_s: Float[Tensor, "batch tokens"], middle_s: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch tokens width"]:
        return self.embedding(((time_s - middle_s[:, None]) / WINDOW_S).asinh())


class Gathering(nn.Module):
    """`queries` learned queries attend to tokens."""

    def __init__(self, width: int, queries: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.queries = nn.Parameter(QUERY_STD * torch.randn(queries, width))
        self.norm = nn.LayerNorm(width)
        self.keys_values = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def forward(
        self, tokens: Float[Tensor, "batch tokens width"], present: Bool[Tensor, "batch tokens"]
    ) -> Float[Tensor, "batch queries width"]:
        """What is not present is not read; zeros where nothing is."""
        keys, values = self.keys_values(self.norm(tokens)).chunk(2, -1)
        queries = self.queries.to(keys.dtype).expand(len(tokens), -1, -1)
        return self.out(attended(queries, keys, values, present, self.heads)) * present.any(1)[:, None, None]


def attended(
    queries: Float[Tensor, "batch queries width"],
    keys: Float[Tensor, "batch tokens width"],
    values: Float[Tensor, "batch tokens width"],
    present: Bool[Tensor, "batch tokens"],
    heads: int,
) -> Float[Tensor, "batch queries width"]:
    """Attention with RMS-normed queries and keys; of no token that is present, something finite."""

    def split(x: Tensor) -> Tensor:
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    query, key, value = split(queries), split(keys), split(values)
    query, key = (F.rms_norm(part, part.shape[-1:]) for part in (query, key))
    hidden = (~present)[:, None, None]
    scores = (query @ key.mT * query.shape[-1] ** -0.5).float()
    weights = scores.masked_fill(hidden, torch.finfo(torch.float32).min).softmax(-1)
    return (weights.to(value.dtype) @ value).transpose(1, 2).flatten(-2)
