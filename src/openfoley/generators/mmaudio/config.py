"""Sizes of the MMAudio generators (arXiv 2412.15322, section 3 and the released variants).

A whole window is 8 s: 64 pictures, 192 sync features, and 250 latents at 16 kHz or 345 at 44.1 kHz. The networks were
trained at that length only, with positions stretched so that the streams end together.
"""

from dataclasses import dataclass, replace
from typing import Literal

from openfoley.request import Defaults

WINDOW_S = 8  # length of the training clips


DEFAULTS = Defaults(steps=25, guidance=4.5)  # section 4
SUPPORTED_OPTIONS = frozenset(
    {"steps", "guidance", "picture_guidance", "text_guidance", "negative_guidance", "rescale", "replacement"}
)


@dataclass(frozen=True)
class MMAudioConfig:
    """Architecture; no defaults."""

    latent_dim: int  # channels of a latent
    sample_rate: int  # Hz, of the codec
    hop_length: int  # samples per latent
    window_latents: int  # of a training window
    semantic_dim: int
    semantic_tokens: int  # of a training window
    sync_dim: int
    sync_tokens: int  # of a training window
    sync_segment: int  # sync features from one look of the encoder; each has a learned place in it
    text_dim: int
    text_tokens: int
    width: int
    heads: int
    mlp_width: int  # inner width of the gated units
    joint_blocks: int  # over latents, pictures and text
    audio_blocks: int  # over latents only
    version: Literal[1, 2]  # 2: SiLU in every projection, and a clock that resolves time 10,000 times as finely
    clock: Literal["stretched", "timed"]  # how tokens meet latents, see conditioning.py

    @property
    def smallest_step(self) -> None:
        """Plain flow matching: no shortcut steps are trained."""
        return None


SMALL_16K = MMAudioConfig(
    latent_dim=20,
    sample_rate=16000,
    hop_length=512,
    window_latents=250,
    semantic_dim=1024,
    semantic_tokens=64,
    sync_dim=768,
    sync_tokens=192,
    sync_segment=8,
    text_dim=1024,
    text_tokens=77,
    width=448,
    heads=7,
    mlp_width=1280,
    joint_blocks=4,
    audio_blocks=8,
    version=1,
    clock="stretched",
)
SMALL_44K = replace(SMALL_16K, latent_dim=40, sample_rate=44100, hop_length=1024, window_latents=345)
MEDIUM_44K = replace(SMALL_44K, width=896, heads=14, mlp_width=2560)
LARGE_44K = replace(MEDIUM_44K, joint_blocks=7, audio_blocks=14)
LARGE_44K_V2 = replace(LARGE_44K, version=2)

VARIANTS = {
    "small-16k": SMALL_16K,
    "small-44k": SMALL_44K,
    "medium-44k": MEDIUM_44K,
    "large-44k": LARGE_44K,
    "large-44k-v2": LARGE_44K_V2,
}

# The Gym's encoders give one feature per frame and one vector per prompt. 4.06 M parameters, SALSA-V's Gym size 4.09 M;
# blocks joint to audio 1 : 3, near the published 1 : 2.
GYM = MMAudioConfig(
    latent_dim=64,
    sample_rate=44100,
    hop_length=1024,
    window_latents=345,
    semantic_dim=128,
    semantic_tokens=64,
    sync_dim=128,
    sync_tokens=192,
    sync_segment=1,
    text_dim=128,
    text_tokens=1,
    width=128,
    heads=2,
    mlp_width=264,
    joint_blocks=1,
    audio_blocks=3,
    version=2,
    clock="timed",
)
