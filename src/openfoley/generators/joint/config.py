"""Sizes of the joint model: two U-Nets, what connects them, and how each side is noised.

FULL is the published system (arXiv 2409.17550): AnimateDiff on Stable Diffusion 1.5, AudioLDM-M, and connectors.
GYM is the small one, for clips of 2 s with 16 frames; its U-Nets work on folded pictures and spectrograms, so that it
needs no learned codec.
"""

from dataclasses import dataclass
from typing import Literal

from openfoley.flow.ddim import AUDIO, VIDEO, NoiseSchedule

Kind = Literal["cmc-pe", "cross-attention", "joint-attention"]
KINDS: tuple[Kind, ...] = ("cmc-pe", "cross-attention", "joint-attention")


@dataclass(frozen=True)
class UNetConfig:
    """widths: of the levels, outermost first. attends: levels with attention over space. heads: of the video's spatial
    attention; the sound's have `head_width` channels each, as `attention_head_dim` of the two classes is understood.
    condition: width of the text, per token for the video, of one vector for the sound."""

    channels: int
    widths: tuple[int, ...]
    attends: tuple[bool, ...]
    layers: int
    heads: int
    condition: int
    groups: int


@dataclass(frozen=True)
class ConnectorConfig:
    """width: of the sequence that one modality gives the other. levels: where the other's U-Net takes it, outermost
    first; the same levels on the way up, mirrored. head_width: channels of an attention head. encoder_input: `x_pred`
    is x_t beside the data predicted one step before, `x_cur` x_t alone. fps: of the video, Hz."""

    kind: Kind
    width: int
    levels: tuple[bool, ...]
    head_width: int
    encoder_input: Literal["x_pred", "x_cur"]
    groups: int
    fps: float


@dataclass(frozen=True)
class JointConfig:
    """motion_frames: the longest video that the motion modules have positions for."""

    video: UNetConfig
    audio: UNetConfig
    connectors: ConnectorConfig
    motion_frames: int
    video_schedule: NoiseSchedule
    audio_schedule: NoiseSchedule


FULL = JointConfig(
    video=UNetConfig(
        channels=4, widths=(320, 640, 1280, 1280), attends=(True, True, True, False), layers=2, heads=8,
        condition=768, groups=32,
    ),
    audio=UNetConfig(
        channels=8, widths=(192, 384, 576, 960), attends=(False, True, True, True), layers=2, heads=8,
        condition=512, groups=32,
    ),
    connectors=ConnectorConfig(
        kind="cmc-pe", width=1280, levels=(False, False, True, True), head_width=8, encoder_input="x_pred",
        groups=32, fps=8.0,
    ),
    motion_frames=32, video_schedule=VIDEO, audio_schedule=AUDIO,
)  # fmt: skip
