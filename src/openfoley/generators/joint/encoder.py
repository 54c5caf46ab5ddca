"""The small encoder that describes one modality's noisy latents to the other ("connector out", arXiv 2409.17550).

A video is encoded frame by frame, with layers along time between; a spectrogram as a picture of time and frequency,
whose time steps are halved.
"""

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.generators.joint.config import ConnectorConfig
from openfoley.generators.joint.layers import Recomputable, zeroed
from openfoley.generators.joint.temporal import TemporalBlock

Clip = Float[Tensor, "batch channels time a b"]


class Encoder(nn.Module):
    """inputs: channels of the latents, twice as many with the data predicted before. unit: of the channels;
    time_width: of the U-Net's time embedding."""

    def __init__(self, inputs: int, unit: int, time_width: int, config: ConnectorConfig, *, is_video: bool) -> None:
        super().__init__()
        self.is_video = is_video
        low, middle, high = unit // 2, 2 * unit, 4 * unit
        self.enter = nn.Conv2d(inputs, low, 3, padding=1)
        self.first = ResidualBlock(low, middle, time_width, config.groups)
        self.down = nn.Conv2d(middle, middle, 3, stride=2, padding=1)
        self.second = ResidualBlock(middle, high, time_width, config.groups)
        self.leave = nn.Sequential(
            nn.GroupNorm(config.groups, high), nn.SiLU(), nn.Conv2d(high, config.width, 3, padding=1)
        )
        if is_video:
            self.along_first = TemporalBlock(middle, config.groups, config.fps)
            self.along_second = TemporalBlock(high, config.groups, config.fps)

    def forward(
        self, x: Clip, time: Float[Tensor, "batch time_width"]
    ) -> Float[Tensor, "batch width steps coarse_a coarse_b"]:
        """time: the U-Net's own embedding of the timestep. The output of a spectrogram has one `b`."""
        batch = len(x)
        if self.is_video:
            time = time.repeat_interleave(x.shape[2], dim=0)
            y = rearrange(x, "b c t h w -> (b t) c h w")
        else:
            y = x.squeeze(-1)
        y = self.first(self.enter(y), time)
        if self.is_video:
            y = _along(self.along_first, y, batch)
        y = self.second(self.down(y), time)
        if self.is_video:
            y = _along(self.along_second, y, batch)
        y = self.leave(y)
        return rearrange(y, "(b t) c h w -> b c t h w", b=batch) if self.is_video else y[..., None]


def _along(
    block: nn.Module, y: Float[Tensor, "frames channels height width"], batch: int
) -> Float[Tensor, "frames channels height width"]:
    return rearrange(block(rearrange(y, "(b t) c h w -> b c t h w", b=batch)), "b c t h w -> (b t) c h w")


class ResidualBlock(Recomputable):
    """Two convolutions, the time added between them; the second starts at zero."""

    def __init__(self, inputs: int, outputs: int, time_width: int, groups: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.GroupNorm(groups, inputs), nn.SiLU(), nn.Conv2d(inputs, outputs, 3, padding=1))
        self.time = nn.Linear(time_width, outputs)
        self.second = nn.Sequential(
            nn.GroupNorm(groups, outputs), nn.SiLU(), zeroed(nn.Conv2d(outputs, outputs, 3, padding=1))
        )
        self.skip = nn.Conv2d(inputs, outputs, 1)

    def forward(
        self, x: Float[Tensor, "batch inputs a b"], time: Float[Tensor, "batch time_width"]
    ) -> Float[Tensor, "batch outputs a b"]:
        y = self.first(x) + self.time(F.silu(time))[..., None, None]
        return self.second(y) + self.skip(x)


def encoder_input(x: Clip, predicted: Clip | None, name: str) -> Float[Tensor, "batch inputs time a b"]:
    """x_t, with `x_pred` beside the data predicted one step before (zeros at the first)."""
    if name == "x_cur":
        return x
    return torch.cat((x, torch.zeros_like(x) if predicted is None else predicted), dim=1)
