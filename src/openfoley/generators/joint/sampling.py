"""Sampling of both modalities in lockstep, each on its own list of timesteps (arXiv 2409.17550, section 3.2).

    eps = eps(negative) + w (eps(prompt) - eps(negative))      for each modality, w 7.5 for video and 2.5 for sound
    x, x0 = DDIM step of each                                  x0 goes to the encoders at the next step

A modality that is given is not sampled: it is kept on its path, x_t of the known data and one noise, and its U-Net does
not run. The same weights so make sound for a video, or video for a sound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from openfoley.flow.ddim import ddim_step, noised, powers
from openfoley.flow.timestep_adjustment import adjusted, mapped
from openfoley.generators.joint.blocks import Condition
from openfoley.generators.joint.config import JointConfig
from openfoley.generators.joint.model import (
    Audio,
    JointGenerator,
    Latents,
    Pair,
    PairText,
    PairTimes,
    Timesteps,
    Video,
)

TimestepMap = Float[Tensor, " trained_steps"]


@dataclass(frozen=True)
class LocalSteps:
    """The timesteps of each modality, and the share of data in x at each and at the one after it."""

    video: Int64[Tensor, " steps"]
    audio: Int64[Tensor, " steps"]
    video_powers: tuple[Float[Tensor, " steps"], Float[Tensor, " steps"]]
    audio_powers: tuple[Float[Tensor, " steps"], Float[Tensor, " steps"]]

    @classmethod
    def of(cls, config: JointConfig, steps: int, gamma: float | TimestepMap) -> LocalSteps:
        """gamma: the paper's exponent, or a whole map (`flow.equal_information.timestep_map`)."""
        video, audio = config.video_schedule.timesteps(steps), config.audio_schedule.timesteps(steps)
        if isinstance(gamma, Tensor):
            video, audio = mapped(video, gamma, "video"), mapped(audio, gamma, "audio")
        else:
            video, audio = adjusted(video, gamma, "video"), adjusted(audio, gamma, "audio")
        return cls(video, audio, powers(config.video_schedule, video), powers(config.audio_schedule, audio))


@dataclass(frozen=True)
class PairGuidance:
    """Weights of classifier-free guidance (the published ones)."""

    video: float = 7.5
    audio: float = 2.5


@dataclass(frozen=True)
class GivenPair:
    """Latents of what is known; at most one of them."""

    video: Video | None = None
    audio: Audio | None = None


@dataclass(frozen=True)
class PairSampling:
    """How a pair is sampled. connected False: each base model alone."""

    steps: LocalSteps
    guidance: PairGuidance = PairGuidance()
    given: GivenPair = GivenPair()
    connected: bool = True


@torch.no_grad()
def sample_pair(
    model: JointGenerator,
    noise: Pair,
    negative: PairText,
    positive: PairText,
    how: PairSampling,
    on_step: Callable[[int], None] = lambda done: None,
) -> Pair:
    """Latents of both; a given one is returned as it is. on_step: called with the number of finished steps."""
    steps, given = how.steps, how.given
    text = PairText(torch.cat((negative.video, positive.video)), torch.cat((negative.audio, positive.audio)))
    x, predicted = noise, None
    for step in range(len(steps.video)):
        if given.video is not None:
            x = x._replace(video=noised(given.video, noise.video, steps.video_powers[0][step]))
        if given.audio is not None:
            x = x._replace(audio=noised(given.audio, noise.audio, steps.audio_powers[0][step]))
        x, predicted = _step(model, x, predicted, text, step, how)
        on_step(step + 1)
    return Pair(x.video if given.video is None else given.video, x.audio if given.audio is None else given.audio)


def _step(
    model: JointGenerator,
    x: Pair,
    predicted: Pair | None,
    text: PairText,
    step: int,
    how: PairSampling,
) -> tuple[Pair, Pair]:
    """The next sample and the predicted data. The encoders read no text: what they give is the same for both halves of
    guidance."""
    steps, rows, device = how.steps, len(x.video), x.video.device
    times = PairTimes(steps.video[step].to(device).expand(rows), steps.audio[step].to(device).expand(rows))
    of_sound, of_video = model.conditions(x, predicted, times) if how.connected else (None, None)
    video, audio = how.given.video, how.given.audio
    x_video, x_audio = x
    if video is None:
        eps = _guided(model.video_noise, x_video, times.video, text.video, of_sound, how.guidance.video)
        now, following = (each[step].to(device) for each in steps.video_powers)
        x_video, video = ddim_step(x_video, eps, now, following)
    if audio is None:
        eps = _guided(model.audio_noise, x_audio, times.audio, text.audio, of_video, how.guidance.audio)
        now, following = (each[step].to(device) for each in steps.audio_powers)
        x_audio, audio = ddim_step(x_audio, eps, now, following)
    return Pair(x_video, x_audio), Pair(video, audio)


def _guided(
    noise_of: Callable[..., Latents],
    x: Latents,
    t: Timesteps,
    text: Float[Tensor, "..."],
    condition: Condition | None,
    weight: float,
) -> Latents:
    """text: the negative prompts, then the positive ones."""
    twice = None if condition is None else torch.cat((condition, condition))
    negative, positive = noise_of(torch.cat((x, x)), torch.cat((t, t)), text, twice).chunk(2)
    return negative + weight * (positive - negative)
