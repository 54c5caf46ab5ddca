"""BigVGAN: log-mel spectrogram to sound (arXiv 2206.04658), both versions that MMAudio uses, laid out to be fast.

    mel -> conv k7 -> 6 x [upsample, mean of 3 residual blocks (kernels 3, 7, 11; dilations 1, 3, 5)] -> act -> conv k7

An activation is snake, s(u) = u + sin^2(a u) / b, at twice the rate, between two 12-tap low-pass filters. Its plain
form takes half of the network's time. Here it is two depthwise convolutions and a cosine:

1. sin^2(a u) / b = 1 / 2b - cos(2 a u) / 2b.
2. Upsampling x by the zero-stuffed filter is a 6-tap filter for the even and one for the odd samples of u. Scaled by
   2a per channel they give the angle 2 a u at once, as the two rows of a picture of height 2.
3. The constant 1 / 2b and the factor -1 / 2b pass through the filter that goes down again, whose taps sum to one.
4. What is left of snake, u itself, goes up and down unchanged: both filters together are one filter of 11 taps on x.

So y = filter_11 * x + bias - (filters_down / 2b) * cos((2a filters_up) * x), exactly, but for 5 samples at each end,
where the edge values repeat (`Snake._exact`). Tensors are [batch, channels, 1, time] with channels innermost in memory,
where oneDNN's convolutions are fastest for all of 24 to 1536 channels, in float32 and twice as fast in bfloat16.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openfoley.codecs import toom_cook
from openfoley.errors import WeightsError

TAPS = 12  # of the low-pass at twice the rate
LOW_PASS_CUTOFF = 0.25  # of the doubled rate: the Nyquist frequency of the plain one
LOW_PASS_HALF_WIDTH = 0.3
HALF = TAPS // 4  # samples of x on either side of a sample of u
REACH = 2 * HALF - 1  # samples of x on either side that a sample of y depends on
EDGE = 16  # samples whose exact form gives the first (last) REACH of a longer signal
BETA_FLOOR = 1e-9
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


class BigVgan(nn.Module):
    """log-mel [batch, mel_bands, frames] -> float32 sound [batch, 1, frames * hop_length] in -1..1.

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

    def forward(self, mel: Tensor) -> Tensor:
        x = self.conv_pre(channels_innermost(mel.to(self.conv_pre.weight.dtype)))
        for up, blocks in zip(self.ups, self.resblocks, strict=True):
            x = blocks(up(x))
        x = self.conv_post(self.activation_post(x))[:, :, 0].float()
        return x.tanh() if self.config.squash == "tanh" else x.clamp(-1, 1)


class MeanOfBlocks(nn.ModuleList):
    """Residual blocks of all kernels, side by side."""

    def __init__(self, width: int) -> None:
        super().__init__([ResidualBlock(width, kernel) for kernel in KERNELS])

    def forward(self, x: Tensor) -> Tensor:
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

    def forward(self, x: Tensor) -> Tensor:
        for index, (dilated, plain) in enumerate(zip(self.convs1, self.convs2, strict=True)):
            branch = dilated(self.activations[2 * index](x))
            x = x + plain(self.activations[2 * index + 1](branch))
        return x


class Conv(nn.Conv2d):
    """Centred convolution over time of [batch, channels, 1, time]."""

    def __init__(self, width_in: int, width: int, kernel: int, dilation: int = 1, bias: bool = True) -> None:
        padding = (0, dilation * (kernel - 1) // 2)
        super().__init__(width_in, width, (1, kernel), padding=padding, dilation=(1, dilation), bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        if self.bias is not None and toom_cook.pays(x, self.weight):
            return toom_cook.convolve(x, self.weight, self.bias, int(self.dilation[1]))
        return super().forward(x)


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

    def forward(self, x: Tensor) -> Tensor:
        steps = F.conv2d(x, self.weight, self.bias.repeat(self.rate), padding=(0, 1))  # [batch, r width, 1, time + 1]
        samples = steps.permute(0, 2, 3, 1).unflatten(3, (self.rate, -1)).flatten(2, 3).permute(0, 3, 1, 2)
        return samples[..., self.rate // 2 : -(self.rate // 2)]


class Snake(nn.Module):
    """The anti-aliased activation; alpha and beta [channels] are logarithms of a and b."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(width))
        self.beta = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] <= 2 * EDGE:
            return self._exact(x)
        y = self._interior(x)
        first, last = self._exact(torch.cat([x[..., :EDGE], x[..., -EDGE:]])).chunk(2)
        y[..., :REACH] = first[..., :REACH]
        y[..., -REACH:] = last[..., -REACH:]
        return y

    def _interior(self, x: Tensor) -> Tensor:
        """Right everywhere but within REACH of the ends."""
        width = x.shape[1]
        up, down = filters(x.device)
        angle_gain, amplitude = self._gains()
        angle = F.conv2d(x, (up.flip(0) * angle_gain).to(x.dtype), padding=(1, HALF), groups=width)
        cosine = angle.cos() if angle.requires_grad else angle.cos_()
        y = F.conv2d(
            cosine, (-down * amplitude).to(x.dtype), amplitude.flatten().to(x.dtype), padding=(0, HALF), groups=width
        )
        through = round_trip(up, down).expand(width, 1, 1, -1).to(x.dtype)
        return y + F.conv2d(x, through, padding=(0, REACH), groups=width)

    def _exact(self, x: Tensor) -> Tensor:
        """The same with edge values repeated, as the two filters of the plain form do it: first x, then snake's result
        (both phases repeat the first even value on the left, the last odd one on the right)."""
        width = x.shape[1]
        up, down = filters(x.device)
        angle_gain, amplitude = self._gains()
        padded = F.pad(x.float(), (HALF, HALF, 0, 0), mode="replicate")
        u = F.conv2d(padded, up.flip(0).expand(width, 1, -1, -1), padding=(1, 0), groups=width)
        snake = u + amplitude[:, 0] * (1 - (angle_gain[:, 0] * u).cos())
        left = snake[:, :, :1, :1].expand(-1, -1, 2, HALF)
        right = snake[:, :, 1:, -1:].expand(-1, -1, 2, HALF)
        snake = torch.cat([left, snake, right], 3)
        return F.conv2d(snake, down.expand(width, 1, -1, -1), groups=width).to(x.dtype)

    def _gains(self) -> tuple[Tensor, Tensor]:
        """2 a and 1 / 2b, each float32 [channels, 1, 1, 1]."""
        angle_gain = 2 * self.alpha.float().exp()
        amplitude = 0.5 / (self.beta.float().exp() + BETA_FLOOR)
        return angle_gain[:, None, None, None], amplitude[:, None, None, None]


def channels_innermost(x: Tensor) -> Tensor:
    """[batch, channels, time] -> [batch, channels, 1, time] with the channels of an instant side by side in memory."""
    return x.mT.contiguous()[:, None].permute(0, 3, 1, 2)


def low_pass(device: torch.device | str = "cpu") -> Tensor:
    """The Kaiser-windowed sinc [TAPS] of unit sum (arXiv 2206.04658; Kaiser's formulas for beta)."""
    attenuation = 2.285 * (TAPS // 2 - 1) * math.pi * 4 * LOW_PASS_HALF_WIDTH + 7.95  # dB
    beta = 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21)  # for 21 to 50 dB
    beta = 0.1102 * (attenuation - 8.7) if attenuation > 50 else beta
    time = torch.arange(-(TAPS // 2), TAPS // 2, device=device) + 0.5
    window = torch.kaiser_window(TAPS, periodic=False, beta=beta, device=device)
    taps = 2 * LOW_PASS_CUTOFF * window * torch.sinc(2 * LOW_PASS_CUTOFF * time)
    return taps / taps.sum()


def filters(device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Up and down, each [2 (even, odd), 2 HALF + 1 (offset -HALF .. HALF)].

    With the low-pass h, u[2n] = 2 sum_k h[5 - 2k] x[n + k] and u[2n + 1] = 2 sum_k h[6 - 2k] x[n + k]; going down,
    y[n] = sum_j h[j] u[2n + j - 5].
    """
    taps = low_pass(device)
    zero = taps.new_zeros(1)
    even, odd = torch.cat([taps[1::2].flip(0), zero]), torch.cat([zero, taps[0::2].flip(0)])
    return 2 * torch.stack([even, odd]), torch.stack([even.flip(0), odd.flip(0)])


def round_trip(up: Tensor, down: Tensor) -> Tensor:
    """Up and down without anything between: [2 REACH + 1] taps."""
    size = up.shape[1]
    both = F.conv1d(up[None], down.flip(1)[None].transpose(0, 1), groups=2, padding=size - 1).sum(1)[0]
    return both[both.numel() // 2 - REACH : both.numel() // 2 + REACH + 1]


def context_frames(config: BigVganConfig) -> int:
    """Mel frames on either side that the samples of one frame depend on: its span walked back through the network."""
    block = max(sum(2 * REACH + (kernel - 1) // 2 * (d + 1) for d in DILATIONS) for kernel in KERNELS)
    first, last = -(OUTER_KERNEL // 2) - REACH, config.hop_length - 1 + OUTER_KERNEL // 2 + REACH
    for rate in reversed(config.rates):
        first, last = first - block, last + block
        first, last = (first + rate // 2) // rate - 1, (last + rate // 2) // rate
    return max(-first, last) + OUTER_KERNEL // 2


def from_mmaudio(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`BigVgan`'s state from a public generator (best_netG.pt, bigvgan_generator.pt), bare or under "generator".

    Weight norm may be spelt weight_g / weight_v, parametrizations.weight.original0 / 1, or be folded already. The
    low-pass filters must be the known ones; WeightsError otherwise.
    """
    inner = state_dict.get("generator", state_dict)
    converted: dict[str, Tensor] = {}
    for name, tensor in fold_weight_norm(inner).items():  # type: ignore[arg-type]
        if name.endswith(".filter"):
            if tensor.numel() != TAPS or not torch.allclose(tensor.flatten().float(), low_pass(), atol=1e-6):
                raise WeightsError(f"vocoder: {name} is not the {TAPS}-tap low-pass that BigVGAN's activations use")
            continue
        converted[_own_name(name)] = _own_layout(name, tensor.float())
    return converted


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


def fold_weight_norm(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """weight = g v / |v| (norm over all but the first axis) for both spellings of a pair; all else as it is."""
    folded: dict[str, Tensor] = {}
    for name, tensor in state_dict.items():
        for gain, direction in _PAIRS:
            if name.endswith(gain):
                v = state_dict[name.removesuffix(gain) + direction].float()
                norm = torch.linalg.vector_norm(v, dim=tuple(range(1, v.ndim)), keepdim=True)
                folded[name.removesuffix(gain) + "weight"] = tensor.float() * v / norm
                break
            if name.endswith(direction):
                break
        else:
            folded[name] = tensor
    return folded


_PAIRS = (("weight_g", "weight_v"), ("parametrizations.weight.original0", "parametrizations.weight.original1"))
