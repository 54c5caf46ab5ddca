"""Loss against timestep of the two U-Nets alone, from which `--gamma auto` and `map` are computed."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from openfoley.data.pairs.pair import Pairs
from openfoley.flow.ddim import noised
from openfoley.generators.joint.config import JointConfig
from openfoley.generators.joint.model import Pair
from openfoley.hub.pair_parts import LossCurves
from openfoley.training.joint.objective import all_powers
from openfoley.training.joint.presets import JointTraining
from openfoley.training.joint.train import PairNetworks, first_of, latents_of

CURVE_POINTS = 20
"""Timesteps of a loss curve, evenly spaced."""


def held_curves(networks: PairNetworks, preset: JointTraining, validation: Pairs) -> LossCurves:
    """On the validation clips."""
    device, sound_steps = torch.device(preset.device), networks.codec.sound_steps(int(validation.form.samples))
    held = latents_of(networks.codec, first_of(validation, preset.validation), device)
    random = torch.Generator().manual_seed(preset.seed)
    found = loss_curve(networks, preset.architecture, *held, random, preset.together, sound_steps)
    return LossCurves(*found)


@torch.no_grad()
def loss_curve(
    networks: PairNetworks,
    config: JointConfig,
    latents: Pair,
    captions: Sequence[str],
    random: torch.Generator,
    together: int,
    sound_steps: int | None = None,
) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]:
    """Timesteps, and the losses of the video's and the sound's U-Net alone at each (`hub.pair_parts.LossCurves`).
    together: clips of one pass."""
    generator, text = networks.generator, networks.text(captions)
    powers = all_powers(config, latents.video.device)
    at = [int(t) for t in torch.linspace(0, len(powers[0]) - 1, CURVE_POINTS).round()]
    curves: tuple[list[float], list[float]] = ([], [])
    for t in at:
        times = torch.full((len(latents.video),), t, device=latents.video.device)
        for number, (x0, power) in enumerate(zip(latents, powers, strict=True)):
            noise = torch.randn(x0.shape, generator=random).to(x0)
            x = noised(x0, noise, power[t].view(*(1 for _ in x0.shape)))
            of, words = (generator.video_noise, text.video) if number == 0 else (generator.audio_noise, text.audio)
            rows = zip(x.split(together), times.split(together), words.split(together), strict=True)
            error = (torch.cat([of(some, at_times, said, None) for some, at_times, said in rows]) - noise).square()
            curves[number].append(float((error if number == 0 else error[:, :, :sound_steps]).mean()))
    return tuple(at), tuple(curves[0]), tuple(curves[1])
