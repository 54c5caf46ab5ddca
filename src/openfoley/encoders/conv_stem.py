"""A convolutional stem in the place of the patch projection, for the Gym size (arXiv 2106.14881: "early convolutions").

A vision transformer from scratch first has to discover that neighbouring pixels and frames belong together; in half an
hour on two cores it does not. Three strided convolutions see the pixels, a stack over time and space sees four frames
on either side. At full size the published patch projection stays.
"""

from torch import Tensor, nn

WIDTHS = (24, 48, 96)  # channels at 1/4, 1/8 and 1/16 of the picture's size
REACH = 5  # frames that a temporal kernel sees


class ConvStem(nn.Module):
    """[batch, channels, time, height, width] -> [batch, dim, time, height / 16, width / 16], as the projection's."""

    patch_size = 16

    def __init__(self, channels: int, dim: int) -> None:
        super().__init__()
        quarter, eighth, patch = WIDTHS
        self.pictures = nn.Sequential(
            nn.Conv2d(channels, quarter, 8, stride=4, padding=2),
            nn.GELU(),
            nn.Conv2d(quarter, eighth, 4, stride=2, padding=1),
            nn.GELU(),
            nn.Conv2d(eighth, patch, 4, stride=2, padding=1),
            nn.GELU(),
        )
        self.motion = nn.Sequential(
            nn.Conv3d(patch, patch, (REACH, 1, 1), padding=(REACH // 2, 0, 0)),
            nn.GELU(),
            nn.Conv3d(patch, patch, (1, 3, 3), padding=(0, 1, 1)),
            nn.GELU(),
            nn.Conv3d(patch, dim, (REACH, 1, 1), padding=(REACH // 2, 0, 0)),
        )

    def forward(self, video: Tensor) -> Tensor:
        batch, _, time = video.shape[:3]
        frames = self.pictures(video.transpose(1, 2).flatten(0, 1))
        return self.motion(frames.unflatten(0, (batch, time)).transpose(1, 2))
