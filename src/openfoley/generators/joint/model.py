"""Sound and video from two frozen diffusion models and small connectors (arXiv 2409.17550).

    condition of the sound  = pooled(video encoder(x_video, last predicted video))
    condition of the video  = pooled(audio encoder(x_audio, last predicted sound))
    eps_video = video U-Net(x_video, t_video, text | condition)        eps_audio likewise

Given the conditions, the two U-Nets run independently; nothing of one's features enters the other.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from jaxtyping import Float, Int64
from torch import Tensor, nn

from openfoley.flow.ddim import NoiseSchedule, noise_from_velocity
from openfoley.generators.joint.blocks import Condition, ConnectorBlock, pooled
from openfoley.generators.joint.config import JointConfig, UNetConfig
from openfoley.generators.joint.encoder import Encoder, encoder_input
from openfoley.generators.joint.unets import (
    Place,
    audio_unet,
    inserted,
    level_widths,
    time_embedding,
    time_width,
    video_unet,
)

if TYPE_CHECKING:
    from openfoley.generators.joint.unets import UNet2DConditionModel, UNetMotionModel

Video = Float[Tensor, "batch video_channels frames height width"]
Audio = Float[Tensor, "batch audio_channels steps bands"]
Latents = Float[Tensor, "batch *axes"]
Timesteps = Int64[Tensor, " batch"]


class Pair(NamedTuple):
    """One value of each modality: latents, noise, predicted data."""

    video: Video
    audio: Audio


class PairTimes(NamedTuple):
    video: Timesteps
    audio: Timesteps


class PairText(NamedTuple):
    """video: a vector for each token; audio: one vector."""

    video: Float[Tensor, "batch tokens video_width"]
    audio: Float[Tensor, "batch audio_width"]


class PairConditions(NamedTuple):
    """What each modality gets from the other one: `video` is computed from the sound."""

    video: Condition
    audio: Condition


class Connectors(nn.Module):
    """All that is trained on pairs: an encoder of each modality, and the blocks that take in what the other one's
    gives. `into` holds a block for each level, by its place."""

    def __init__(self, config: JointConfig) -> None:
        super().__init__()
        self.config = config.connectors
        of_video, of_audio = self.config.encoder_widths
        self.encode_video = self._encoder(config.video, of_video, is_video=True)
        self.encode_audio = self._encoder(config.audio, of_audio, is_video=False)
        self.into_video = self._blocks(config.video, by_frame=True)
        self.into_audio = self._blocks(config.audio, by_frame=False)

    def _encoder(self, unet: UNetConfig, width: int, *, is_video: bool) -> Encoder:
        inputs = unet.channels * (2 if self.config.encoder_input == "x_pred" else 1)
        return Encoder(inputs, width, time_width(unet), self.config, is_video=is_video)

    def _blocks(self, unet: UNetConfig, *, by_frame: bool) -> nn.ModuleDict:
        widths = level_widths(unet, self.config.levels)
        return nn.ModuleDict({_name(place): ConnectorBlock(w, self.config, by_frame) for place, w in widths.items()})


def _name(place: Place) -> str:
    return f"{place[0]}_{place[1]}"


class JointGenerator(nn.Module):
    """Latents, noise and predicted data keep the caller's dtype; each network computes in that of its weights."""

    def __init__(self, config: JointConfig) -> None:
        super().__init__()
        self.config = config
        self.video: UNetMotionModel = video_unet(config.video, config.motion_frames)
        self.audio: UNet2DConditionModel = audio_unet(config.audio)
        self.connectors = Connectors(config)

    def conditions(self, x: Pair, predicted: Pair | None, times: PairTimes) -> PairConditions:
        """predicted: the data as predicted at the step before; None: zeros. times: of the encoders, which in training
        are others than the U-Nets' (separate connector timesteps)."""
        kind, name = self.connectors.config.kind, self.connectors.config.encoder_input
        video = encoder_input(x.video, None if predicted is None else predicted.video, name)
        audio = encoder_input(x.audio[..., None], None if predicted is None else predicted.audio[..., None], name)
        dtype = next(self.connectors.parameters()).dtype
        of_video = self.connectors.encode_video(video.to(dtype), time_embedding(self.video, times.video))
        of_audio = self.connectors.encode_audio(audio.to(dtype), time_embedding(self.audio, times.audio))
        return PairConditions(video=pooled(of_audio, kind), audio=pooled(of_video, kind))

    def noise(self, x: Pair, times: PairTimes, text: PairText, conditions: PairConditions | None) -> Pair:
        """The noise in x as predicted; conditions None: the bare U-Nets."""
        return Pair(
            self.video_noise(x.video, times.video, text.video, None if conditions is None else conditions.video),
            self.audio_noise(x.audio, times.audio, text.audio, None if conditions is None else conditions.audio),
        )

    def video_noise(
        self, x: Video, t: Timesteps, text: Float[Tensor, "batch tokens text_width"], condition: Condition | None
    ) -> Video:
        frames, dtype = x.shape[2], self.video.dtype
        text = text.repeat_interleave(frames, dim=0)  # UNetMotionModel wants it once for every frame
        with inserted(self.video, self._taking(self.connectors.into_video, condition), frames):
            found = self.video(x.to(dtype), t, encoder_hidden_states=text.to(dtype)).sample
        return self._noise_of(found.to(x.dtype), x, t, self.config.video_schedule)

    def audio_noise(
        self, x: Audio, t: Timesteps, text: Float[Tensor, "batch text_width"], condition: Condition | None
    ) -> Audio:
        dtype = self.audio.dtype
        with inserted(self.audio, self._taking(self.connectors.into_audio, condition), None):
            found = self.audio(x.to(dtype), t, encoder_hidden_states=None, class_labels=text.to(dtype)).sample
        return self._noise_of(found.to(x.dtype), x, t, self.config.audio_schedule)

    def _noise_of(self, found: Latents, x: Latents, t: Timesteps, schedule: NoiseSchedule) -> Latents:
        """The noise in x by what a U-Net gave."""
        if self.config.prediction == "noise":
            return found
        power = schedule.signal_power().to(x.device)[t].view(-1, *(1 for _ in x.shape[1:]))
        return noise_from_velocity(x, found, power)

    def _taking(self, blocks: nn.ModuleDict, condition: Condition | None) -> dict[Place, partial[Tensor]]:
        if condition is None:
            return {}
        places = level_widths(self.config.video, self.connectors.config.levels)
        return {place: partial(cast(ConnectorBlock, blocks[_name(place)]), condition=condition) for place in places}
