"""What the three stages learn (arXiv 2409.17550, section 3.4): each base model its noise alone, then the connectors.

The connectors' step, for one t of both U-Nets and timesteps t_con of the encoders drawn for each modality on its own:

    x = noised(x0, n, t)                                 the U-Nets' input
    p = predicted data, from a pass without gradient     self-conditioning; zeroed for half of the clips, each modality
    eps = U-Nets(x, t | encoders(noised(x0, n, t_con), p, t_con))
    loss = mean (eps_video - n)^2 + mean (eps_audio - n)^2

Where a model predicts velocity (`flow.ddim`), both are of velocities instead: each clip's error of the noise / a_t.

Because t_con is drawn on its own, sampling may give the two modalities different timesteps without new training.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from openfoley.flow.ddim import TRAINED_STEPS, Prediction, data_from_noise, noised
from openfoley.generators.joint.config import JointConfig
from openfoley.generators.joint.model import JointGenerator, Pair, PairText, PairTimes

Powers = Float[Tensor, " trained_steps"]
Losses = dict[str, Float[Tensor, ""]]


def kept_captions(captions: Sequence[str], drop: float, random: torch.Generator) -> list[str]:
    """Each caption, or none ("") with probability `drop`: every clip for itself, whatever the size of the batch. (The
    published code asks whether any of a batch's indices is not zero: a batch of one never loses its caption.)"""
    lost = torch.rand(len(captions), generator=random) < drop
    return ["" if is_lost else caption for caption, is_lost in zip(captions, lost.tolist(), strict=True)]


def base_loss(
    noise_of: Callable[[Float[Tensor, "..."], Int64[Tensor, " batch"]], Float[Tensor, "..."]],
    x0: Float[Tensor, "..."],
    powers: Powers,
    random: torch.Generator,
    prediction: Prediction = "noise",
) -> Float[Tensor, ""]:
    """Of one U-Net alone, at random timesteps. noise_of: its noise for x and t."""
    t = _timesteps(len(x0), random).to(x0.device)
    noise = torch.randn(x0.shape, generator=random).to(x0)
    power = _at(powers, t, x0)
    return squared_error(noise_of(noised(x0, noise, power), t), noise, power, prediction).mean()


def squared_error(
    found: Float[Tensor, "..."],
    noise: Float[Tensor, "..."],
    power: Float[Tensor, "..."],
    prediction: Prediction,
) -> Float[Tensor, "..."]:
    """Of what the network predicts, given the noise that follows from it: sqrt(a) (v' - v) = eps' - eps."""
    error = (found - noise).square()
    return error if prediction == "noise" else error / power


def joint_losses(
    model: JointGenerator,
    text: PairText,
    x0: Pair,
    powers: tuple[Powers, Powers],
    self_condition: float,
    random: torch.Generator,
    sound_steps: int | None = None,
) -> Losses:
    """loss, video and audio. powers: of the video's and the sound's schedule. self_condition: share of the clips whose
    encoders see predicted data, each modality for itself. sound_steps: of the latents that are not padding (None: all);
    the sound's loss is over these."""
    batch, device = len(x0.video), x0.video.device
    noise = Pair(*(torch.randn(each.shape, generator=random).to(each) for each in x0))
    t = _timesteps(batch, random).to(device)
    times, others = PairTimes(t, t), PairTimes(*(_timesteps(batch, random).to(device) for _ in range(2)))
    conditioned = Pair(*(torch.rand(batch, generator=random) < self_condition for _ in range(2)))

    def at(of: PairTimes) -> Pair:
        shares = [_at(p, s, like) for p, s, like in zip(powers, of, x0, strict=True)]
        return Pair(*(noised(*each) for each in zip(x0, noise, shares, strict=True)))

    x = at(times)
    predicted = None
    if model.connectors.config.encoder_input == "x_pred":
        predicted = predicted_data(model, text, x, times, powers, conditioned)
    found = model.noise(x, times, text, model.conditions(at(others), predicted, others))
    shares = [_at(p, t, like) for p, like in zip(powers, x0, strict=True)]
    video, audio = (squared_error(*each, model.config.prediction) for each in zip(found, noise, shares, strict=True))
    video, audio = video.mean(), audio[:, :, :sound_steps].mean()
    return {"loss": video + audio, "video": video, "audio": audio}


@torch.no_grad()
def predicted_data(
    model: JointGenerator, text: PairText, x: Pair, times: PairTimes, powers: tuple[Powers, Powers], conditioned: Pair
) -> Pair:
    """Predicted x0, without self-conditioning; zeros where `conditioned` [batch], on the CPU, of a modality is False.
    Each U-Net computes the clips that need it alone."""
    conditions = model.conditions(x, None, times)

    def of(name: str) -> Float[Tensor, "..."]:
        index = Pair._fields.index(name)
        found, rows = torch.zeros_like(x[index]), conditioned[index].nonzero()[:, 0].to(x[index].device)
        if len(rows) == 0:
            return found
        own, t, words, condition = (each[index][rows] for each in (x, times, text, conditions))
        eps = (model.video_noise, model.audio_noise)[index](own, t, words, condition)
        found[rows] = data_from_noise(own, eps, _at(powers[index], t, own))
        return found

    return Pair(of("video"), of("audio"))


def all_powers(config: JointConfig, device: torch.device | str = "cpu") -> tuple[Powers, Powers]:
    return config.video_schedule.signal_power().to(device), config.audio_schedule.signal_power().to(device)


def _timesteps(batch: int, random: torch.Generator) -> Int64[Tensor, " batch"]:
    return torch.randint(TRAINED_STEPS, (batch,), generator=random)


def _at(powers: Powers, t: Int64[Tensor, " batch"], like: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    return _rows(powers[t], like)


def _rows(
    value: Float[Tensor, " batch"] | Bool[Tensor, " batch"], like: Float[Tensor, "..."]
) -> Float[Tensor, "..."] | Bool[Tensor, "..."]:
    return value.view(-1, *(1 for _ in like.shape[1:]))
