"""Layers along time of the video's encoder: attention with relative positions, a gated layer, delayed channels.

A third (or half, or an eighth) of the channels is delayed by a frame (or several), so that plain convolutions see the
past (arXiv 2409.17550's encoder, from MM-Diffusion-like blocks; sizes from the published configuration).
"""

import math

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.generators.joint.layers import Recomputable, zeroed

HEADS = 8
VARIANCE_FLOOR = 1e-5
SHIFT_GROUPS = 8
LONGEST_PERIOD = 10_000.0

Video = Float[Tensor, "batch channels frames height width"]
PixelTracks = Float[Tensor, "pixels frames channels"]


class TemporalBlock(Recomputable):
    """fps: of the frames, Hz; positions are seconds."""

    def __init__(self, channels: int, groups: int, fps: float) -> None:
        super().__init__()
        self.fps = fps
        self.attention = TemporalAttention(channels)
        self.bias = RelativeBias(channels // 2)
        self.gated = ShiftedGated(channels)
        self.shifted = nn.Sequential(
            nn.GroupNorm(groups, channels), nn.SiLU(), zeroed(nn.Conv2d(channels, channels, 3, padding=1))
        )

    def forward(self, x: Video) -> Video:
        batch, _, frames, height, _ = x.shape
        seconds = torch.arange(frames, device=x.device) / self.fps
        tracks = rearrange(x, "b c f h w -> (b h w) f c")
        tracks = self.attention(tracks, seconds, self.bias(frames, x.device))
        x = rearrange(tracks, "(b h w) f c -> b c f h w", b=batch, h=height)
        x = x + self.gated(x)
        y = self.shifted(rearrange(x, "b c f h w -> (b f) c h w"))
        return x + delayed_groups(rearrange(y, "(b f) c h w -> b c f h w", b=batch), SHIFT_GROUPS)


class TemporalAttention(nn.Module):
    """x + out(attention(norm(x + position))), heads of a quarter of the width; no biases."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = 2 * channels
        self.gain = nn.Parameter(torch.ones(channels))
        self.query = nn.Linear(channels, inner, bias=False)
        self.key_value = nn.Linear(channels, 2 * inner, bias=False)
        self.out = zeroed(nn.Linear(inner, channels, bias=False))

    def forward(
        self, x: PixelTracks, seconds: Float[Tensor, " frames"], bias: Float[Tensor, "heads frames frames"]
    ) -> PixelTracks:
        y = x + sinusoids(seconds, x.shape[-1])
        y = _normed(y, dim=1) * self.gain  # over time, each channel for itself
        y = y.to(self.query.weight.dtype)
        query, key, value = (
            rearrange(z, "b f (h d) -> b h f d", h=HEADS) for z in (self.query(y), *self.key_value(y).chunk(2, dim=-1))
        )
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        return x + self.out(rearrange(mixed, "b h f d -> b f (h d)"))


class RelativeBias(nn.Module):
    """A bias for each head and distance d in frames, from sign(d) log(|d| + 1)."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(1, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, HEADS)
        )

    def forward(self, frames: int, device: torch.device) -> Float[Tensor, "heads frames frames"]:
        index = torch.arange(frames, device=device, dtype=torch.float32)
        distance = index[:, None] - index
        scaled = distance.sign() * (distance.abs() + 1).log()
        weight = next(self.layers.parameters())
        return self.layers(scaled[..., None].to(weight.dtype)).permute(2, 0, 1)


class ShiftedGated(nn.Module):
    """value * GELU(gate), the later half of the channels one frame late, normed over channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = int(8 * channels / 3)
        self.expand = nn.Conv3d(channels, 2 * hidden, 1, bias=False)
        self.gain = nn.Parameter(torch.ones(hidden, 1, 1, 1))
        self.contract = nn.Conv3d(hidden, channels, 1, bias=False)

    def forward(self, x: Video) -> Video:
        value, gate = self.expand(x).chunk(2, dim=1)
        y = value * F.gelu(gate)
        y = delayed_groups(y, 2)
        return self.contract(_normed(y, dim=1) * self.gain)


def delayed_groups(x: Video, groups: int) -> Video:
    """The i-th of `groups` equal parts of the channels is i frames late; zeros come first. An odd channel belongs to an
    earlier part."""
    return torch.cat(
        [F.pad(part, (0, 0, 0, 0, late, 0))[:, :, : x.shape[2]] for late, part in enumerate(x.tensor_split(groups, 1))],
        dim=1,
    )


def sinusoids(seconds: Float[Tensor, " frames"], channels: int) -> Float[Tensor, "frames channels"]:
    """Sines, then cosines; the slowest has LONGEST_PERIOD radians' length, reached by the last of them."""
    half = channels // 2
    rate = torch.exp(-math.log(LONGEST_PERIOD) / (half - 1) * torch.arange(half, device=seconds.device))
    angle = seconds.float()[:, None] * rate
    return torch.cat((angle.sin(), angle.cos()), dim=-1)


def _normed(x: Float[Tensor, "*axes"], dim: int) -> Float[Tensor, "*axes"]:
    mean, variance = x.mean(dim, keepdim=True), x.var(dim, unbiased=False, keepdim=True)
    return (x - mean) * variance.clamp(min=VARIANCE_FLOOR).rsqrt()
