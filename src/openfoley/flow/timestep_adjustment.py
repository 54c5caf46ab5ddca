"""A timestep of its own for each modality (arXiv 2409.17550, Eq. 9): sampling only, nothing is trained again.

    t_video / T = (t / T)^sqrt(gamma)        t_audio / T = (t / T)^(1 / sqrt(gamma))

From one global t: t_video / T = (t_audio / T)^gamma. With gamma > 1 the video is the cleaner of the two at every step,
and the sound is denoised after it; 1 leaves both as they are. The networks were trained at all timesteps, so
any two lists can be walked in lockstep.
"""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from openfoley.flow.ddim import TRAINED_STEPS

Modality = Literal["video", "audio"]
Steps = Int64[Tensor, " steps"]

PAPER_GAMMA = 1.5
LOWEST_GAMMA, HIGHEST_GAMMA = 0.2, 5.0
"""Beyond these, half of 25 steps share their timesteps with another."""


def adjusted(timesteps: Steps, gamma: float, modality: Modality) -> Steps:
    """The local timesteps of a modality's own grid. Computed in float32, ties to even, as published."""
    exponent = gamma**0.5 if modality == "video" else gamma**-0.5
    share = (timesteps.float() / TRAINED_STEPS).numpy() ** np.float32(exponent)
    return torch.from_numpy(np.round(share * np.float32(TRAINED_STEPS)).astype(np.int64))


def mapped(timesteps: Steps, video_of_audio: Float[Tensor, " trained_steps"], modality: Modality) -> Steps:
    """The local timesteps for a whole monotone map, t_video = video_of_audio[t_audio], in place of one exponent: the
    sound keeps its grid, the video gets the timestep that belongs to its own grid's."""
    if modality == "audio":
        return timesteps
    return video_of_audio[timesteps].round().long().clamp(0, TRAINED_STEPS - 1)
