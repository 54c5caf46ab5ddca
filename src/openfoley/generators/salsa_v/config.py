"""Sizes of the SALSA-V generator.

The paper gives block counts (A.4), feature widths (section 3) and parameter totals (Table 2: 643 M and 347 M), but no
width, head count or MLP width. With full adaLN, MLPs of 4 widths and separate weights per stream, a joint block holds
about 36 width^2 parameters, the extra attention 7 width^2 and an audio block 18 width^2 (the semantic stream of the
last joint block ends in its attention: 13 width^2 less). LARGE is then about 332 width^2 and SMALL 217 width^2, which
one common width cannot meet (643 / 347 is above 332 / 217). With heads of 64 channels, the usual size, 21 heads (1344)
give 622 M and 19 heads (1216) give 341 M; the MLP width takes up the rest, in steps of 64: 642.7 M and 347.5 M.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

from openfoley.request import Defaults

DEFAULTS = Defaults(steps=8, guidance=4.0, temperature=0.3)
"""Guidance: A.4. Steps: the paper's fewest with good sound. Temperature: beyond the paper (1), see flow.noise_scale."""
SUPPORTED_OPTIONS = frozenset(
    {"steps", "guidance", "picture_guidance", "text_guidance", "reference_guidance", "rescale", "temperature", "solver"}
)


@dataclass(frozen=True)
class SalsaVConfig:
    """Architecture; no defaults."""

    latent_dim: int  # channels of a latent
    sample_rate: int  # Hz, of the codec
    hop_length: int  # samples per latent
    semantic_dim: int
    sync_dim: int
    text_dim: int
    width: int
    heads: int
    mlp_width: int
    joint_blocks: int  # over audio and semantic tokens
    extra_attention_blocks: int  # the first n joint blocks attend over audio alone as well
    audio_blocks: int  # over audio only
    modulation_rank: int | None  # of the per-token adaLN; None: full, as the paper
    upsampling: int  # factor of the transposed convolution of Eq. 4
    sync_in_input: bool  # sync features also enter the audio tokens' embedding (beyond the paper)
    smallest_step: Fraction | None  # smallest trained shortcut step, 1 / a power of two; None: flow matching alone


LARGE = SalsaVConfig(
    latent_dim=64,
    sample_rate=44100,
    hop_length=1024,
    semantic_dim=1152,
    sync_dim=768,
    text_dim=1152,
    width=1344,
    heads=21,
    mlp_width=5824,
    joint_blocks=6,
    extra_attention_blocks=3,
    audio_blocks=6,
    modulation_rank=None,
    upsampling=2,
    sync_in_input=False,
    smallest_step=Fraction(1, 128),
)

SMALL = replace(LARGE, width=1216, heads=19, mlp_width=5120, joint_blocks=4, extra_attention_blocks=2, audio_blocks=4)

GYM = replace(
    LARGE,
    semantic_dim=128,
    sync_dim=128,
    text_dim=128,
    width=192,
    heads=3,
    mlp_width=768,
    joint_blocks=2,
    extra_attention_blocks=1,
    audio_blocks=3,
    modulation_rank=64,
    sync_in_input=True,
    smallest_step=Fraction(1, 32),
)
