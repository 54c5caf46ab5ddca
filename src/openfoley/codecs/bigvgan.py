"""BigVGAN: log-mel spectrogram to sound (arXiv 2206.04658), both versions that MMAudio uses, laid out to be fast.

    mel -> conv k7 -> 6 x [upsample, mean of 3 residual blocks (kernels 3, 7, 11; dilations 1, 3, 5)] -> act -> conv k7

The activation is snake between two low-pass filters at twice the rate, in the fast form of `snake`; wide convolutions
in float32 are Toom-Cook products (`nn.toom_cook`). Inside, channels lie innermost in
memory, where oneDNN's convolutions were fastest at all widths from 24 to 768, and twice as fast in bfloat16.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from openfoley.codecs.oobleck import fold_weight_norm
from openfoley.codecs.snake import REACH, TAPS, Snake, low_pass
from openfoley.errors import WeightsError
from openfoley.nn import toom_cook

INITIAL_CHANNELS = 1536
KERNELS = (3, 7, 11)
DILATIONS = (1, 3, 5)
OUTER_KERNEL = 7


@dataclass(frozen=True)
class BigVganConfig:
    """rates: samples per step of each upsampling (its kernel is twice that); final_bias and squash: of the output."""

    mel_bands: int
    rates: tuple[int, ...]
    final_bias: bool
    squash: Literal["tanh", "clamp"]

    @property
    def hop_length(self) -> int:
        """Samples per mel frame."""
        return math.prod(self.rates)


BIGVGAN_16K = BigVganConfig(mel_bands=80, rates=(4, 4, 2, 2, 2, 2), final_bias=True, squash="tanh")
BIGVGAN_V2_44K = BigVganConfig(mel_bands=128, rates=(8, 4, 2, 2, 2, 2), final_bias=False, squash="clamp")


Signal = Float[Tensor, "batch channels 1 time"]


class BigVgan(nn.Module):
    """log-mel -> float32 sound of frames * hop_length samples in -1..1.

    Computes in the dtype of its weights; memory grows with the frames given, so long mels go in pieces with
    `context_frames` more frames on either side.
    """

    def __init__(self, config: BigVganConfig) -> None:
        super().__init__()
        self.config = config
        self.context_frames = context_frames(config)
        self.conv_pre = Conv(config.mel_bands, INITIAL_CHANNELS, OUTER_KERNEL)
        self.ups, self.resblocks = nn.ModuleList(), nn.ModuleList()
        width = INITIAL_CHANNELS
        for rate in config.rates:
            self.ups.append(Upsample(width, width // 2, rate))
            width //= 2
            self.resblocks.append(MeanOfBlocks(width))
        self.activation_post = Snake(width)
        self.conv_post = Conv(width, 1, OUTER_KERNEL, bias=config.final_bias)

    def forward(self, mel: Float[Tensor, "batch bands frames"]) -> Float[Tensor, "batch 1 time"]:
        x = self.conv_pre(channels_innermost(mel.to(self.conv_pre.weight.dtype)))
        for up, blocks in zip(self.ups, self.resblocks, strict=True):
            x = blocks(up(x))
        x = self.conv_post(self.activation_post(x))[:, :, 0].float()
        return x.tanh() if self.config.squash == "tanh" else x.clamp(-1, 1)


class MeanOfBlocks(nn.ModuleList):
    """Residual blocks of all kernels, side by side."""

    def __init__(self, width: int) -> None:
        super().__init__([ResidualBlock(width, kernel) for kernel in KERNELS])

    def forward(self, x: Signal) -> Float[Tensor, "batch channels_out 1 time_out"]:
        first, *others = self
        total = first(x)
        for block in others:
            total = total + block(x)
        return total / len(self)


class ResidualBlock(nn.Module):
    """Three times: x + conv(act(dilated_conv(act(x))))."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList([Conv(width, width, kernel, dilation) for dilation in DILATIONS])
        self.convs2 = nn.ModuleList([Conv(width, width, kernel) for _ in DILATIONS])
        self.activations = nn.ModuleList([Snake(width) for _ in range(2 * len(DILATIONS))])

    def forward(self, x: Signal) -> Float[Tensor, "batch channels_out 1 time_out"]:
        for index, (dilated, plain) in enumerate(zip(self.convs1, self.convs2, strict=True)):
            branch = dilated(self.activations[2 * index](x))
            x = x + plain(self.activations[2 * index + 1](branch))
        return x


class Conv(nn.Conv2d):
    """Centred convolution over time."""

    def __init__(self, width_in: int, width: int, kernel: int, dilation: int = 1, bias: bool = True) -> None:
        padding = (0, dilation * (kernel - 1) // 2)
        super().__init__(width_in, width, (1, kernel), padding=padding, dilation=(1, dilation), bias=bias)

    def forward(self, input: Signal) -> Float[Tensor, "batch channels_out 1 time_out"]:
        if self.bias is not None and toom_cook.pays(input, self.weight):
            return toom_cook.convolve(input, self.weight, self.bias, int(self.dilation[1]))
        return super().forward(input)


class Upsample(nn.Module):
    """Transposed convolution of stride r, kernel 2 r, padding r / 2, as a convolution of two taps.

    Samples [r m - r/2, r m + r/2) depend on x[m - 1] and x[m] alone: each step m gives r * width channels, which are
    r samples of `width` channels once the axes are read otherwise.
    """

    def __init__(self, width_in: int, width: int, rate: int) -> None:
        super().__init__()
        self.rate = rate
        self.weight = nn.Parameter(torch.empty(rate * width, width_in, 1, 2))  # rows: (sample, channel)
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.normal_(self.weight, std=1 / math.sqrt(2 * width_in))

    def forward(self, x: Signal) -> Float[Tensor, "batch channels_out 1 time_out"]:
        steps = F.conv2d(x, self.weight, self.bias.repeat(self.rate), padding=(0, 1))  # [batch, r width, 1, time + 1]
        # not einops: views alone keep the channels innermost, without a copy
        samples = steps.permute(0, 2, 3, 1).unflatten(3, (self.rate, -1)).flatten(2, 3).permute(0, 3, 1, 2)
        return samples[..., self.rate // 2 : -(self.rate // 2)]


def channels_innermost(x: Float[Tensor, "batch channels time"]) -> Signal:
    """The channels of an instant side by side in memory."""
    return x.mT.contiguous()[:, None].permute(0, 3, 1, 2)


def context_frames(config: BigVganConfig) -> int:
    """Mel frames on either side that the samples of one frame depend on: its span walked back through the network."""
    block = max(sum(2 * REACH + (kernel - 1) // 2 * (d + 1) for d in DILATIONS) for kernel in KERNELS)
    first, last = -(OUTER_KERNEL // 2) - REACH, config.hop_length - 1 + OUTER_KERNEL // 2 + REACH
    for rate in reversed(config.rates):
        first, last = first - block, last + block
        first, last = (first + rate // 2) // rate - 1, (last + rate // 2) // rate
    return max(-first, last) + OUTER_KERNEL // 2


def from_mmaudio(state_dict: Mapping[str, Shaped[Tensor, "..."]]) -> dict[str, Float[Tensor, "..."]]:
    """`BigVgan`'s state from a public generator (best_netG.pt, bigvgan_generator.pt).

    Weight norm may be spelt weight_g / weight_v, parametrizations.weight.original0 / 1, or be folded already. The
    low-pass filters must be the known ones, as exactly as their precision allows; WeightsError otherwise.
    """
    converted: dict[str, Tensor] = {}
    for name, tensor in fold_weight_norm({name: tensor.float() for name, tensor in state_dict.items()}).items():
        if name.endswith(".filter"):
            if not _is_low_pass(tensor.flatten()):
                raise WeightsError(f"vocoder: {name} is not the {TAPS}-tap low-pass that BigVGAN's activations use")
            continue
        converted[_own_name(name)] = _own_layout(name, tensor)
    return converted


def _is_low_pass(taps: Tensor) -> bool:
    """The precision is that which the values fit, not that of their storage: half-precision weights are often stored in
    float32 again."""
    halves = (torch.bfloat16, torch.float16)
    kept = next((dtype for dtype in halves if taps.equal(taps.to(dtype).float())), torch.float32)
    return taps.numel() == TAPS and torch.allclose(taps, low_pass(), rtol=torch.finfo(kept).eps, atol=1e-6)


def _own_name(name: str) -> str:
    parts = name.split(".")
    if parts[0] == "ups":
        return f"ups.{parts[1]}.{parts[3]}"
    if parts[0] == "resblocks":
        stage, kernel = divmod(int(parts[1]), len(KERNELS))
        return ".".join(["resblocks", str(stage), str(kernel), *parts[2:]]).replace(".act.", ".")
    return name.replace(".act.", ".")


def _own_layout(name: str, tensor: Tensor) -> Tensor:
    if tensor.ndim != 3:
        return tensor
    if not name.startswith("ups."):
        return tensor[:, :, None]
    rate = tensor.shape[2] // 2  # [in, out, 2 r]: taps r .. 2 r - 1 meet x[m - 1], taps 0 .. r - 1 meet x[m]
    taps = torch.stack([tensor[..., rate:], tensor[..., :rate]], -1)  # [in, out, r, 2]
    return taps.permute(2, 1, 0, 3).flatten(0, 1)[:, :, None].contiguous()
