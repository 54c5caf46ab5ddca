"""Seeded weights and inputs for checks against the published implementations: a function of (key, shape, seed) alone.

noise(key) = standard normal from a torch generator seeded with crc32(key) xor seed. A weight is its noise, scaled and
shifted by the first rule that matches the last part of its key. No trained value is involved anywhere.
"""

import math
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor

FOLDER = Path(__file__).parent
SEED = 1

TINY_SIZES = {  # of the tiny networks that the goldens hold
    "latent_dim": 8,
    "window_latents": 50,
    "semantic_dim": 32,
    "semantic_tokens": 16,
    "sync_dim": 24,
    "sync_tokens": 40,
    "text_dim": 40,
    "text_tokens": 11,
    "width": 128,
    "heads": 2,
    "mlp_width": 512,
    "joint_blocks": 2,
    "audio_blocks": 3,
}
SMALL = (
    "sync_pos_emb",
    "cls_token",
    "pos_embed",
    "temp_embed",
    "class_embedding",
    "positional_embedding",
    "alpha",
    "beta",
)
NORM_MAGNITUDE = {"resblocks.": 0.5, "conv_pre.": 0.3, "conv_post.": 0.1}  # of vocoder weights, 1.2 for the others


def noise(key: str, shape: Iterable[int], seed: int = SEED) -> Tensor:
    generator = torch.Generator().manual_seed(zlib.crc32(key.encode()) ^ seed)
    return torch.randn(tuple(shape), generator=generator)


def low_pass(taps: int = 12, cutoff: float = 0.25, half_width: float = 0.3) -> Tensor:
    """The vocoders' Kaiser-windowed sinc, unit sum: [1, 1, taps]."""
    attenuation = 2.285 * (taps // 2 - 1) * math.pi * 4 * half_width + 7.95
    below_50 = 0.5842 * (attenuation - 21.0) ** 0.4 + 0.07886 * (attenuation - 21.0)
    beta = 0.1102 * (attenuation - 8.7) if attenuation > 50.0 else below_50
    time = torch.arange(taps) - taps / 2 + 0.5
    taps_ = 2 * cutoff * torch.kaiser_window(taps, beta=beta, periodic=False) * torch.sinc(2 * cutoff * time)
    return (taps_ / taps_.sum()).view(1, 1, taps)


def weight(key: str, shape: Iterable[int], seed: int = SEED) -> Tensor:
    shape, last = tuple(shape), key.rpartition(".")[2]
    if last == "filter":
        return low_pass(shape[-1])
    if last == "attn_mask":
        return torch.full(shape, -math.inf).triu(1)
    x = noise(key, shape, seed)
    if last in ("latent_std", "data_std"):
        return (0.1 * x).exp()
    if last == "weight_g":
        magnitude = next((value for prefix, value in NORM_MAGNITUDE.items() if key.startswith(prefix)), 1.2)
        return magnitude * (0.1 * x).exp()
    scaled = {
        "weight_v": x,
        "latent_mean": 0.1 * x,
        "data_mean": -2.0 + 0.5 * x,
        "learnable_gain": 0.1 * x,
        "empty_string_feat": x / 32,
        "empty_clip_feat": x / 32,
        "empty_sync_feat": x,
        "logit_scale": torch.full_like(x, 4.6),
        **dict.fromkeys(SMALL, 0.3 * x),
    }
    if last in scaled:
        return scaled[last]
    if last.endswith("bias"):
        return 0.05 * x
    if len(shape) <= 1:
        return 1.0 + 0.1 * x
    if key.endswith("token_embedding.weight"):
        return 0.3 * x
    return x / math.sqrt(x.numel() // shape[0])


def state(shapes: Mapping[str, Iterable[int]], seed: int = SEED) -> dict[str, Tensor]:
    """All weights of a manifest."""
    return {key: weight(key, shapes[key], seed) for key in sorted(shapes)}
