"""Oobleck, the convolutional autoencoder of Stable Audio Open (arXiv 2407.14358, section 3.1), with plain weights.

    encoder: stem, for each stride (residual units of dilation 1, 3, 9; snake; convolution down), snake, convolution
    decoder: the mirror image, with transposed convolutions

Names and arithmetic are those of diffusers' AutoencoderOobleck, so its checkpoints load; it is written here because
importing diffusers takes a second where everything is cached and eight where nothing is, for these sixty lines.
Blocks of stride 1 have an odd, centred kernel instead of a shift by half a sample.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

Hidden = Float[Tensor, "batch _ _"]  # channels and length change from layer to layer

CENTRED_KERNEL = 3  # samples; the smallest odd kernel, for convolutions that keep the rate
OUTER_KERNEL = 7
DILATIONS = (1, 3, 9)


class Snake(nn.Module):
    """x + sin^2(a x) / b for each channel (arXiv 2006.08195); a and b are stored as logarithms."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(1, width, 1))
        self.beta = nn.Parameter(torch.zeros(1, width, 1))

    def forward(self, x: Float[Tensor, "batch width time"]) -> Float[Tensor, "batch width time"]:
        return x + (self.beta.exp() + 1e-9).reciprocal() * torch.sin(self.alpha.exp() * x).pow(2)


class ResidualUnit(nn.Module):
    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.snake1 = Snake(width)
        self.conv1 = nn.Conv1d(width, width, OUTER_KERNEL, dilation=dilation, padding=OUTER_KERNEL // 2 * dilation)
        self.snake2 = Snake(width)
        self.conv2 = nn.Conv1d(width, width, 1)

    def forward(self, x: Hidden) -> Hidden:
        return x + self.conv2(self.snake2(self.conv1(self.snake1(x))))


class EncoderBlock(nn.Module):
    def __init__(self, width: int, out_width: int, stride: int) -> None:
        super().__init__()
        self.res_unit1, self.res_unit2, self.res_unit3 = (ResidualUnit(width, dilation) for dilation in DILATIONS)
        self.snake1 = Snake(width)
        if stride == 1:
            self.conv1 = nn.Conv1d(width, out_width, CENTRED_KERNEL, padding=CENTRED_KERNEL // 2)
        else:
            self.conv1 = nn.Conv1d(width, out_width, 2 * stride, stride, padding=math.ceil(stride / 2))

    def forward(self, x: Hidden) -> Hidden:
        return self.conv1(self.snake1(self.res_unit3(self.res_unit2(self.res_unit1(x)))))


class DecoderBlock(nn.Module):
    def __init__(self, width: int, out_width: int, stride: int) -> None:
        super().__init__()
        self.snake1 = Snake(width)
        if stride == 1:
            self.conv_t1: nn.Module = nn.Conv1d(width, out_width, CENTRED_KERNEL, padding=CENTRED_KERNEL // 2)
        else:
            self.conv_t1 = nn.ConvTranspose1d(width, out_width, 2 * stride, stride, padding=math.ceil(stride / 2))
        self.res_unit1, self.res_unit2, self.res_unit3 = (ResidualUnit(out_width, dilation) for dilation in DILATIONS)

    def forward(self, x: Hidden) -> Hidden:
        return self.res_unit3(self.res_unit2(self.res_unit1(self.conv_t1(self.snake1(x)))))


class OobleckEncoder(nn.Module):
    """[batch, channels, time] -> [batch, out_width, time / product of strides]; widths: one more than strides."""

    def __init__(self, channels: int, widths: Sequence[int], strides: Sequence[int], out_width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(channels, widths[0], OUTER_KERNEL, padding=OUTER_KERNEL // 2)
        steps = zip(widths[:-1], widths[1:], strides, strict=True)
        self.block = nn.ModuleList(EncoderBlock(*step) for step in steps)
        self.snake1 = Snake(widths[-1])
        self.conv2 = nn.Conv1d(widths[-1], out_width, CENTRED_KERNEL, padding=CENTRED_KERNEL // 2)

    def forward(self, x: Hidden) -> Hidden:
        x = self.conv1(x)
        for block in self.block:
            x = block(x)
        return self.conv2(self.snake1(x))


class OobleckDecoder(nn.Module):
    """[batch, latent_dim, time] -> [batch, channels, time * product of strides]; widths, strides: the encoder's."""

    def __init__(self, latent_dim: int, widths: Sequence[int], strides: Sequence[int], channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(latent_dim, widths[-1], OUTER_KERNEL, padding=OUTER_KERNEL // 2)
        steps = zip(widths[:0:-1], widths[-2::-1], strides[::-1], strict=True)
        self.block = nn.ModuleList(DecoderBlock(*step) for step in steps)
        self.snake1 = Snake(widths[0])
        self.conv2: nn.Conv1d | nn.ConvTranspose1d = nn.Conv1d(
            widths[0], channels, OUTER_KERNEL, padding=OUTER_KERNEL // 2, bias=False
        )

    def forward(self, x: Hidden) -> Hidden:
        x = self.conv1(x)
        for block in self.block:
            x = block(x)
        return self.conv2(self.snake1(x))
