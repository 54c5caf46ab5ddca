"""Rotary positions on one time axis in seconds, shared by token streams of different rates.

A query at time s and a key at time r meet as R(s)q . R(r)k, which depends on s - r alone (Su et al., arXiv 2104.09864).
SALSA-V uses rotary positions in every block (arXiv 2510.02916, section 3); that audio latents (43.07 Hz) and semantic
tokens (8 Hz) sit on the same clock is what lets them meet at the same instants.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

SHORTEST_PERIOD_S = 2 * math.pi * 1024 / 44100  # one radian per latent, as rotary positions count tokens
LONGEST_PERIOD_S = 120.0  # far above any window, so the slowest pair orders tokens without wrapping


class Positions(NamedTuple):
    """Cosines and signed sines of one stream's tokens."""

    cosine: Float[Tensor, "*axes tokens head_width"]
    signed_sine: Float[Tensor, "*axes tokens head_width"]


def rotary(time_s: Float[Tensor, "batch tokens"], head_width: int, dtype: torch.dtype = torch.float32) -> Positions:
    """For tokens at `time_s`: each [batch, 1, tokens, head_width]."""
    pairs = head_width // 2
    exponent = torch.arange(pairs, device=time_s.device, dtype=torch.float32) / max(1, pairs - 1)
    period_s = SHORTEST_PERIOD_S * (LONGEST_PERIOD_S / SHORTEST_PERIOD_S) ** exponent
    return turned(time_s.float()[:, None, :, None] * (2 * math.pi / period_s), dtype)


def turned(angle: Float[Tensor, "*axes pairs"], dtype: torch.dtype = torch.float32) -> Positions:
    """For angles; each [*axes, 2 * pairs]."""
    cosine, sine = angle.cos(), angle.sin()
    return Positions(torch.cat((cosine, cosine), dim=-1).to(dtype), torch.cat((-sine, sine), dim=-1).to(dtype))


def rotate(
    x: Float[Tensor, "*axes batch heads tokens head_width"],
    cosine: Float[Tensor, "#batch 1 #tokens head_width"],
    signed_sine: Float[Tensor, "#batch 1 #tokens head_width"],
) -> Float[Tensor, "*axes batch heads tokens head_width"]:
    """Turns the pairs (x[i], x[i + head_width / 2]) by their angles.

    (a, b) -> (a cos - b sin, b cos + a sin): x cos plus the halves swapped times (-sin, sin).
    """
    swapped = x.roll(x.shape[-1] // 2, dims=-1)
    return torch.addcmul(x * cosine, swapped, signed_sine)
