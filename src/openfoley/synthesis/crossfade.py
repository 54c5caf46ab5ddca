"""Where one stretch of sound follows another: runs of latents, and the crossfades between them.

Inside a run windows overlap: a window continues from the last latents of the window before, and its first new ones are
crossfaded with those that the window before generated beyond its end, so their samples join by themselves. A run ends
where the sound starts afresh (at a cut): the two sounds are decoded apart, so that the codec cannot smear one into the
other, and are crossfaded over 5 ms. With join "equal-power" every window is a run, faded over the latents that it and
the window before both made.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from openfoley.timeline.plan import PlannedWindow
from openfoley.timeline.shots import CUT_FADE_S


@dataclass(frozen=True)
class Run:
    """Windows whose latents follow one another; samples [start, end), the first and last few crossfaded."""

    start: int  # sample
    end: int  # sample
    fade_in: int  # samples that overlap the run before
    fade_out: int  # samples that overlap the run behind


def runs_of(plan: Sequence[PlannedWindow], sample_rate: int, hop_length: int, start: int, end: int) -> list[Run]:
    """The runs of a plan that makes the samples [start, end). hop_length: samples of a latent."""
    half = math.floor(CUT_FADE_S / 2 * sample_rate)
    begun, runs = (start, 0), list[Run]()  # where the present run starts, and how long it fades in
    for one in plan:
        if one.join == "reset":
            first, fade = round(one.shot.start * sample_rate) - half, 2 * half
        elif one.window.faded:
            first, fade = one.first_new * hop_length, one.window.faded * hop_length
        else:
            continue
        runs.append(Run(begun[0], first + fade, begun[1], fade))
        begun = first, fade
    return [*runs, Run(begun[0], end, begun[1], 0)]


def rising(length: int) -> Tensor:
    """Weights [length] of the new one of two unrelated sounds in a crossfade: equal power, sin^2 + cos^2 = 1.

    The sound that fades out has the same weights the other way round (`rising(n).flip(0)`).
    """
    return torch.sin(math.pi / 2 * (torch.arange(length, dtype=torch.float64) + 0.5) / max(length, 1)).float()


def blend_weights(length: int) -> Tensor:
    """Weights [length] of the new one of two related sounds (an edit's edge): w + (1 - w) = 1, from 0 to 1."""
    index = (torch.arange(length, dtype=torch.float64) + 0.5) / max(length, 1)
    return (0.5 - 0.5 * torch.cos(math.pi * index)).float()


def crossfade_latents(old: Tensor, new: Tensor) -> Tensor:
    """Latents new [batch, n, latent_dim], the first m of them crossfaded from those of another window (old [batch, m,
    latent_dim])."""
    count = old.shape[1]
    weight = blend_weights(count).to(new)[:, None]
    return torch.cat([torch.lerp(old, new[:, :count], weight), new[:, count:]], 1)
