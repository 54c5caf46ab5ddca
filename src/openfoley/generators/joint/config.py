"""Sizes of the joint model: two U-Nets, what connects them, and how each side is noised.

FULL is the published system (arXiv 2409.17550): AnimateDiff on Stable Diffusion 1.5, AudioLDM-M, and connectors.
GYM is the small one, for clips of 2 s with 16 frames; its U-Nets work on folded pictures and spectrograms, so that it
needs no learned codec.
"""

from dataclasses import dataclass, replace
from typing import Literal

from openfoley.flow.ddim import AUDIO, VIDEO, NoiseSchedule, Prediction

Kind = Literal["cmc-pe", "cross-attention", "joint-attention"]
KINDS: tuple[Kind, ...] = ("cmc-pe", "cross-attention", "joint-attention")


@dataclass(frozen=True)
class UNetConfig:
    """widths: of the levels, outermost first. attends: levels with attention over space. heads: of every attention
    (`attention_head_dim` of the sound's class counts heads too). condition: width of the text, of each token for the
    video, of one vector for the sound. groups: of every group norm."""

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
    is x_t beside the data predicted one step before, `x_cur` x_t alone. encoder_widths: unit of the channels of the
    video's and the sound's encoder (published: their U-Nets' first). fps: of the video, Hz."""

    kind: Kind
    width: int
    levels: tuple[bool, ...]
    head_width: int
    encoder_input: Literal["x_pred", "x_cur"]
    encoder_widths: tuple[int, int]
    groups: int
    fps: float


@dataclass(frozen=True)
class JointConfig:
    """motion_frames: the longest video that the motion modules have positions for. prediction: of both U-Nets."""

    video: UNetConfig
    audio: UNetConfig
    connectors: ConnectorConfig
    motion_frames: int
    video_schedule: NoiseSchedule
    audio_schedule: NoiseSchedule
    prediction: Prediction


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
        encoder_widths=(320, 192), groups=32, fps=8.0,
    ),
    motion_frames=32, video_schedule=VIDEO, audio_schedule=AUDIO, prediction="noise",
)  # fmt: skip
GYM = JointConfig(
    video=UNetConfig(
        channels=48, widths=(64, 64, 72), attends=(False, True, True), layers=1, heads=4, condition=64, groups=4,
    ),
    audio=UNetConfig(
        channels=16, widths=(32, 48, 56), attends=(False, True, True), layers=1, heads=4, condition=64, groups=4,
    ),
    connectors=ConnectorConfig(
        kind="cmc-pe", width=64, levels=(False, True, True), head_width=8, encoder_input="x_pred",
        encoder_widths=(24, 24), groups=4, fps=8.0,
    ),
    motion_frames=32, video_schedule=NoiseSchedule("linear", 1e-4, 0.02, "linspace"),
    audio_schedule=replace(AUDIO, spacing="linspace"), prediction="velocity",
)  # fmt: skip
"""Pictures of 32 x 32 pixels folded by 4, spectrograms of 64 bands and 10 ms folded by 4 and 4 (`codecs.folded`): the
first level is wider than its input, which a narrower one could not pass on.

Pixels are alike in space and time: of a clip's mean colour, the published video schedule leaves 3 times as much in x_T
as noise has of it, which sampling then lacks (arXiv 2305.08891). The one here (Ho et al. 2020) leaves half as much and
ends with a residue of noise of 0.01 instead of 0.03. Velocity, as a short training learns the data's coarse structure
sooner, and a step from much noise is not divided by the little data (arXiv 2202.00512; docs/log.md, J6)."""
