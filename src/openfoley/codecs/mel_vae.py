"""MMAudio's mel VAE: log-mel spectrogram to latents at half its frame rate and back (arXiv 2412.15322, section 3.2).

A 1-D version of EDM2's magnitude-preserving network (arXiv 2312.02696): convolutions without bias whose weights have
unit norm, activations and sums scaled so that variances stay put,

    w = v / (1e-4 + |v| / sqrt(n)) / sqrt(n),  silu_mp(x) = silu(x) / 0.596,  sum_mp(a, b) = lerp(a, b, t) / |(1-t, t)|.

The weights here are the w of the first equation: `from_mmaudio` folds a checkpoint's v exactly once.

Beyond the published network: its only attention, in the middle, attends to the whole sequence, so that nothing could be
decoded before everything is known. Here position n attends to at most `attention_reach` positions on either side. Up
to attention_reach + 1 latents (the training length) this is the published network to the bit; longer sequences keep
the reach that it was trained with, and decoding in chunks is exact (`DECODER_MARGIN`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from openfoley.codecs.base import ChannelsFirst
from openfoley.errors import WeightsError

EPSILON = 1e-4  # EDM2, Eq. 47 and 66: keeps divisions finite
SILU_GAIN = 0.596  # EDM2, Eq. 81: root mean square of silu(x) for normal x
SUM_BALANCE = 0.3  # EDM2, Eq. 88: share of the residual branch
CLAMP = 256.0  # EDM2's guard against overflow in half precision
LEVELS = (1, 2, 4)  # widths in units of the base width; the first level alone runs at the full mel rate
ENCODER_BLOCKS, DECODER_BLOCKS = 2, 3  # per level
LOG_VARIANCE_RANGE = (-30.0, 20.0)
FRAMES_PER_LATENT = 2
QUERY_BLOCK = 512  # positions whose attention is computed at once: bounds memory, changes no result

# Latents beyond a span, on either side, that its mel frames depend on besides the attention's reach. Before the
# attention: input convolution and block, 1 + 2. After it: block 2, level 2 six, level 1 six, the doubled rate's
# 1 + 6 + 1 frames = 4 latents.
MARGIN_BEFORE_ATTENTION = 3
MARGIN_AFTER_ATTENTION = 2 + 2 * DECODER_BLOCKS + 2 * DECODER_BLOCKS + 4


@dataclass(frozen=True)
class MelVaeConfig:
    """Shape of the VAE. attention_reach in latents: the training length - 1."""

    mel_bands: int
    latent_dim: int
    width: int
    attention_reach: int


VAE_16K = MelVaeConfig(mel_bands=80, latent_dim=20, width=384, attention_reach=249)
VAE_44K = MelVaeConfig(mel_bands=128, latent_dim=40, width=512, attention_reach=344)


Mel = Float[Tensor, "batch bands frames"]
Signal = Float[Tensor, "batch channels time"]


class MelVae(nn.Module):
    """log-mel <-> latents at half its rate, not normalised per channel. Computes in the dtype of its weights."""

    data_mean: Float[Tensor, "1 bands 1"]  # over the training data
    data_std: Float[Tensor, "1 bands 1"]

    def __init__(self, config: MelVaeConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.register_buffer("data_mean", torch.zeros(1, config.mel_bands, 1))
        self.register_buffer("data_std", torch.ones(1, config.mel_bands, 1))

    def posterior(self, mel: Mel) -> tuple[ChannelsFirst, ChannelsFirst]:
        """Mean and standard deviation; an odd last frame is repeated."""
        mel = F.pad(mel, (0, mel.shape[-1] % FRAMES_PER_LATENT), mode="replicate")
        normalised = ((mel - self.data_mean) / self.data_std).to(self.encoder.conv_in.weight.dtype)
        mean, log_variance = self.encoder(normalised).chunk(2, dim=1)
        return mean, torch.exp(0.5 * log_variance.clamp(*LOG_VARIANCE_RANGE))

    def reconstruct(self, latent: ChannelsFirst, first: int = 0, last: int | None = None) -> Mel:
        """log-mel frames of the latents [first, last): the whole by default.

        The others are context only; the result is that of the whole sequence, at the cost of the span.
        """
        last = latent.shape[-1] if last is None else last
        mel = self.decoder(latent.to(self.decoder.conv_in.weight.dtype), first, last)
        return mel * self.data_std + self.data_mean


class Encoder(nn.Module):
    def __init__(self, config: MelVaeConfig) -> None:
        super().__init__()
        widths = [config.width * factor for factor in LEVELS]
        self.learnable_gain = nn.Parameter(torch.zeros(()))
        self.conv_in = Conv(config.mel_bands, widths[0], 3)
        self.down = nn.ModuleList()
        before = widths[0]
        for level, width in enumerate(widths):
            self.down.append(Level(before, width, ENCODER_BLOCKS, downsample=Downsample(width) if level == 0 else None))
            before = width
        self.mid = Middle(before, config.attention_reach)
        self.conv_out = Conv(before, 2 * config.latent_dim, 3)

    def forward(self, mel: Mel) -> Float[Tensor, "batch parameters latents"]:
        x = self.conv_in(mel)
        for level in self.down:
            x = level(x)
        x = self.mid(x, 0, x.shape[-1])
        return self.conv_out(silu_mp(x)) * (self.learnable_gain + 1)


class Decoder(nn.Module):
    def __init__(self, config: MelVaeConfig) -> None:
        super().__init__()
        widths = [config.width * factor for factor in LEVELS]
        self.learnable_gain = nn.Parameter(torch.zeros(()))
        self.conv_in = Conv(config.latent_dim, widths[-1], 3)
        self.mid = Middle(widths[-1], config.attention_reach)
        self.up = nn.ModuleList()
        for level, width in enumerate(widths):
            before = widths[min(level + 1, len(widths) - 1)]
            self.up.append(Level(before, width, DECODER_BLOCKS, upsample=Upsample(width) if level == 1 else None))
        self.conv_out = Conv(widths[0], config.mel_bands, 3)

    def forward(self, latent: ChannelsFirst, first: int, last: int) -> Mel:
        """Frames of the latents [first, last); past the attention only they and their margin are computed."""
        start, stop = widened(first, last, MARGIN_AFTER_ATTENTION, latent.shape[-1])
        x = self.mid(self.conv_in(latent), start, stop)
        for level in reversed(self.up):
            x = level(x)
        x = self.conv_out(silu_mp(x)) * (self.learnable_gain + 1)
        return x[..., FRAMES_PER_LATENT * (first - start) : FRAMES_PER_LATENT * (last - start)]


class Level(nn.Module):
    """Blocks of one width, then perhaps another rate."""

    def __init__(
        self,
        width_in: int,
        width: int,
        count: int,
        downsample: nn.Module | None = None,
        upsample: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.block = nn.ModuleList([Block(width_in if index == 0 else width, width) for index in range(count)])
        self.downsample, self.upsample = downsample, upsample

    def forward(self, x: Signal) -> Float[Tensor, "batch channels_out time_out"]:
        for block in self.block:
            x = block(x)
        for resample in (self.downsample, self.upsample):
            x = x if resample is None else resample(x)
        return x


class Middle(nn.Module):
    """Block, attention, block; the last two for the positions [start, stop) alone."""

    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        self.block_1 = Block(width, width)
        self.attn_1 = LocalAttention(width, reach)
        self.block_2 = Block(width, width)

    def forward(self, x: Signal, start: int, stop: int) -> Float[Tensor, "batch channels span"]:
        return self.block_2(self.attn_1(self.block_1(x), start, stop))


class Block(nn.Module):
    """Residual block whose skip is the normalised input."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.conv1 = Conv(width_in, width, 3)
        self.conv2 = Conv(width, width, 3)
        self.nin_shortcut = Conv(width_in, width, 1) if width_in != width else None

    def forward(self, x: Signal) -> Float[Tensor, "batch channels_out time_out"]:
        x = pixel_norm(x)
        branch = self.conv2(silu_mp(self.conv1(silu_mp(x))))
        skip = x if self.nin_shortcut is None else self.nin_shortcut(x)
        return sum_mp(skip, branch).clamp(-CLAMP, CLAMP)


class LocalAttention(nn.Module):
    """One head over all channels, cosine attention; q, k and v lie interleaved in `qkv`'s channels."""

    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        self.reach = reach
        self.qkv = Conv(width, 3 * width, 1)
        self.proj_out = Conv(width, width, 1)

    def forward(self, x: Signal, start: int, stop: int) -> Float[Tensor, "batch channels span"]:
        """Positions [start, stop)."""
        qkv = self.qkv(x).unflatten(1, (-1, 3))
        q, k, v = (pixel_norm(part).mT[:, None] for part in qkv.unbind(2))  # [batch, 1 head, time, width]
        attended = [
            self._block(q, k, v, begin, min(begin + QUERY_BLOCK, stop)) for begin in range(start, stop, QUERY_BLOCK)
        ]
        out = self.proj_out(torch.cat(attended, 2)[:, 0].mT)
        return sum_mp(x[..., start:stop], out).clamp(-CLAMP, CLAMP)

    def _block(self, q: Tensor, k: Tensor, v: Tensor, begin: int, end: int) -> Tensor:
        low, high = max(0, begin - self.reach), min(k.shape[2], end + self.reach)
        mask = None
        if high - low > self.reach + 1:  # otherwise every pair is near enough
            distance = torch.arange(begin, end, device=q.device)[:, None] - torch.arange(low, high, device=q.device)
            mask = distance.abs() <= self.reach
        return F.scaled_dot_product_attention(q[:, :, begin:end], k[:, :, low:high], v[:, :, low:high], mask)


class Downsample(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = Conv(width, width, 1)
        self.conv2 = Conv(width, width, 1)

    def forward(self, x: Signal) -> Float[Tensor, "batch channels_out time_out"]:
        return self.conv2(F.avg_pool1d(self.conv1(x), FRAMES_PER_LATENT))


class Upsample(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = Conv(width, width, 3)

    def forward(self, x: Signal) -> Float[Tensor, "batch channels_out time_out"]:
        return self.conv(x.repeat_interleave(FRAMES_PER_LATENT, dim=-1))


class Conv(nn.Conv1d):
    """Centred convolution without bias; `weight` is already of unit norm."""

    def __init__(self, width_in: int, width: int, kernel: int) -> None:
        super().__init__(width_in, width, kernel, padding=kernel // 2, bias=False)


def widened(first: int, last: int, margin: int, total: int) -> tuple[int, int]:
    """[first, last) with at least `margin` more on either side, within [0, total).

    Always of the same size, moved inwards at the ends: convolution libraries keep compiled code for every length that
    they meet (measured: 130 MiB for each in the vocoder), so that pieces of one size take memory once.
    """
    size = min(total, last - first + 2 * margin)
    start = min(max(0, first - margin), total - size)
    return start, start + size


def pixel_norm(x: Signal) -> Signal:
    """x with unit mean square over the channels."""
    norm = torch.linalg.vector_norm(x, dim=1, keepdim=True, dtype=torch.float32)
    return x / (EPSILON + norm / math.sqrt(x.shape[1])).to(x.dtype)


def silu_mp(x: Signal) -> Signal:
    return F.silu(x) / SILU_GAIN


def sum_mp(skip: Signal, branch: Signal) -> Signal:
    return skip.lerp(branch, SUM_BALANCE) / math.hypot(1 - SUM_BALANCE, SUM_BALANCE)


def unit_norm(weight: Float[Tensor, "out inputs taps"]) -> Float[Tensor, "out inputs taps"]:
    """EDM2, Eq. 66: the effective weight of a raw one."""
    inputs = weight[0].numel()
    norm = torch.linalg.vector_norm(weight.float(), dim=(1, 2), keepdim=True)
    return weight.float() / (EPSILON + norm / math.sqrt(inputs)) / math.sqrt(inputs)


def from_mmaudio(state_dict: Mapping[str, Shaped[Tensor, "..."]]) -> dict[str, Float[Tensor, "..."]]:
    """`MelVae`'s state from a public checkpoint (v1-16.pth, v1-44.pth): its names, the raw weights folded once.

    WeightsError for a checkpoint whose weights are folded already: a second pass would shrink them by 0.3 to 0.8 %.
    """
    if is_folded(state_dict):
        raise WeightsError("this mel VAE's weights are folded already; load it as it is, do not convert it again")
    statistics = ("data_mean", "data_std")
    return {
        name: unit_norm(tensor) if tensor.ndim == 3 and name not in statistics else tensor.float()
        for name, tensor in state_dict.items()
    }


def is_folded(state_dict: Mapping[str, Shaped[Tensor, "..."]]) -> bool:
    """Every output channel of a folded weight has a norm of 1 or up to 1 % less; those of raw ones differ."""
    weights = [t.float() for name, t in state_dict.items() if name.endswith(".weight") and t.ndim == 3]
    if not weights:
        raise WeightsError("these are not the weights of a mel VAE: they hold no convolution")
    norms = torch.cat([torch.linalg.vector_norm(w, dim=(1, 2)) for w in weights])
    return bool(((norms > 0.9) & (norms <= 1.0 + 1e-3)).all())
