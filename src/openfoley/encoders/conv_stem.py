"""A convolutional stem in the place of the patch projection, for the Gym size (arXiv 2106.14881: "early convolutions").

A vision transformer from scratch first has to discover that neighbouring pixels and frames belong together; in half an
hour on two cores it does not. Three strided convolutions read the pixels, a stack over time and space reaches four
frames on either side. At full size the published patch projection stays.

All are two-dimensional on tensors whose channels lie innermost (time x patches, or height x width): on a CPU half the
time of the same sums as three-dimensional convolutions.
"""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

PATCH_SIZE = 16  # pixels
REACH = 5  # frames that a temporal kernel covers


def picture_layers(channels: int, widths: tuple[int, int, int]) -> nn.Sequential:
    """[batch, channels, height, width] -> [batch, widths[-1], height / 16, width / 16]; widths: channels at 1/4, 1/8
    and 1/16 of the picture's size."""
    quarter, eighth, patch = widths
    return nn.Sequential(
        nn.Conv2d(channels, quarter, 8, stride=4, padding=2),
        nn.GELU(),
        nn.Conv2d(quarter, eighth, 4, stride=2, padding=1),
        nn.GELU(),
        nn.Conv2d(eighth, patch, 4, stride=2, padding=1),
        nn.GELU(),
    )


class PictureStem(nn.Module):
    """Single pictures to patch tokens of 16 x 16 pixels, where a patch projection was."""

    def __init__(self, channels: int, widths: tuple[int, int, int], dim: int) -> None:
        super().__init__()
        self.layers = picture_layers(channels, widths)
        self.out = nn.Conv2d(widths[-1], dim, 1)

    @property
    def weight(self) -> Float[Tensor, "dim patch 1 1"]:
        """What the projection's owner reads its precision from."""
        return self.out.weight

    def forward(
        self, pictures: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch dim rows columns"]:
        return self.out(self.layers(pictures.contiguous(memory_format=torch.channels_last)))


class ConvStem(nn.Module):
    """Patch tokens of 16 x 16 pixels, as the projection's."""

    def __init__(self, channels: int, widths: tuple[int, int, int], dim: int) -> None:
        super().__init__()
        patch = widths[-1]
        self.pictures = picture_layers(channels, widths)
        self.before = nn.Conv2d(patch, patch, (REACH, 1), padding=(REACH // 2, 0))  # along time
        self.around = nn.Conv2d(patch, patch, 3, padding=1)
        self.after = nn.Conv2d(patch, dim, (REACH, 1), padding=(REACH // 2, 0))
        self.active = nn.GELU()

    def forward(
        self, video: Float[Tensor, "batch channels time height width"]
    ) -> Float[Tensor, "batch dim time rows columns"]:
        batch = len(video)
        frames = rearrange(video, "b c t h w -> (b t) c h w").contiguous(memory_format=torch.channels_last)
        patches = self.pictures(frames)
        rows = patches.shape[-2]
        moved = self.active(self.before(_along_time(patches, batch)))
        moved = self.active(self.around(_along_rows(moved, rows)))
        return self.after(_along_time(moved, batch)).unflatten(-1, (rows, -1))


def _along_time(patches: Tensor, batch: int) -> Tensor:
    """[batch * time, channels, height, width] -> [batch, channels, time, height * width], channels innermost."""
    return patches.permute(0, 2, 3, 1).flatten(1, 2).unflatten(0, (batch, -1)).permute(0, 3, 1, 2)


def _along_rows(patches: Tensor, rows: int) -> Tensor:
    """[batch, channels, time, height * width] -> [batch * time, channels, height, width], channels innermost."""
    return patches.permute(0, 2, 3, 1).flatten(0, 1).unflatten(1, (rows, -1)).permute(0, 3, 1, 2)
