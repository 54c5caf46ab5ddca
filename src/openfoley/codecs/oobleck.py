"""Stable Audio's Oobleck autoencoder at 43.07 Hz: 44.1 kHz stereo, 1024 samples per latent of 64 channels.

SALSA-V doubles the latent rate of Stable Audio Open's VAE (21.5 Hz) "by replacing the first encoder and last decoder
layers" (arXiv 2510.02916, A.5): the blocks that halved and doubled the rate become blocks of stride 1. The network is
in oobleck_layers.py; compared with the published one

- blocks of stride 1 have an odd, centred kernel, where a kernel of 2 would shift by half a sample and add one;
- the latent width is free, where it was half the first layer's width;
- `stem_stride` lets the outermost convolutions hop as well, so that a small model spends nothing at 44.1 kHz;
- weight norm is left to the training (training/codec/train.py), here are plain weights.

Every resampling kernel is centred on the samples it stands for, so latents and sound stay aligned to the sample.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Shaped
from torch import Tensor, nn
from torch.nn import functional

from openfoley.codecs.base import ChannelsFirst, Latents, NormalisedCodec, Sound
from openfoley.codecs.oobleck_layers import CENTRED_KERNEL, OobleckDecoder, OobleckEncoder
from openfoley.errors import WeightsError

STEM_KERNEL_PER_STRIDE = 4  # kernel of a hopping outermost convolution in strides: neighbours overlap smoothly


@dataclass(frozen=True)
class OobleckConfig:
    """sample_rate in Hz; widths[0] channels after the stem, widths[i + 1] after encoder block i, which divides the rate
    by strides[i]; all widths are multiples of the first. hop_length = stem_stride * product(strides) samples.
    level: the amplitude (of full scale) that the network receives as 1; sound is divided by it and multiplied again."""

    sample_rate: int
    channels: int
    latent_dim: int
    stem_stride: int
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    level: float

    @property
    def hop_length(self) -> int:
        return self.stem_stride * math.prod(self.strides)


# Stable Audio Open (arXiv 2407.14358): strides 2 4 4 8 8, widths 128 x 1 1 2 4 8 16, 64 latents.
FULL = OobleckConfig(
    sample_rate=44100,
    channels=2,
    latent_dim=64,
    stem_stride=1,
    widths=(128, 128, 256, 512, 1024, 2048),
    strides=(1, 4, 4, 8, 8),
    level=1.0,
)
GYM_LEVEL = 2.0**-5  # Gym sound lies at -45 dBFS in the median (rms), loud moments at -30
# Forward and backward in bf16 cost 0.18 CPU-seconds per second of sound; a stem at 44.1 kHz with half these widths
# costs 0.25 (one core, docs/log.md).
GYM = replace(FULL, stem_stride=4, widths=(32, 64, 192, 384), strides=(4, 8, 8), level=GYM_LEVEL)


class OobleckCodec(NormalisedCodec):
    """sound <-> latents; see `codecs.base.Codec`."""

    encoder: OobleckEncoder
    decoder: OobleckDecoder

    def __init__(self, config: OobleckConfig) -> None:
        super().__init__(config.sample_rate, config.hop_length, config.latent_dim)
        self.config, self.channels = config, config.channels
        self.encoder, self.decoder = _build(config)
        self.decoder_context = decoder_context(config)

    def posterior(self, samples: Sound) -> tuple[ChannelsFirst, ChannelsFirst]:
        padding = -samples.shape[-1] % self.hop_length
        padded = functional.pad(samples, (0, padding)) / self.config.level
        mean, scale = self.encoder(padded).chunk(2, dim=1)
        return mean, functional.softplus(scale) + 1e-4  # the floor of diffusers' posterior

    def reconstruct(self, unnormalised: ChannelsFirst) -> Sound:
        """latents * hop_length samples."""
        return self.decoder(unnormalised) * self.config.level

    def decode(self, latent: Latents) -> Sound:
        return self.reconstruct(self.unnormalised(latent))


def _build(config: OobleckConfig) -> tuple[OobleckEncoder, OobleckDecoder]:
    """Encoder and decoder, with a hopping stem where the configuration says so."""
    encoder, decoder = plain_networks(config.widths, config.strides, config.latent_dim, config.channels)
    if config.stem_stride > 1:  # out = in / stride exactly, and centred: kernel = stride + 2 padding
        width, stride, kernel = config.widths[0], config.stem_stride, STEM_KERNEL_PER_STRIDE * config.stem_stride
        padding = (kernel - stride) // 2
        encoder.conv1 = nn.Conv1d(config.channels, width, kernel, stride, padding)
        decoder.conv2 = nn.ConvTranspose1d(width, config.channels, kernel, stride, padding, bias=False)
    return encoder, decoder


def plain_networks(
    widths: Sequence[int], strides: Sequence[int], latent_dim: int, channels: int
) -> tuple[OobleckEncoder, OobleckDecoder]:
    """Encoder (to mean and scale of each latent) and decoder; WeightsError for widths that do not fit."""
    if len(widths) != len(strides) + 1 or any(other % widths[0] for other in widths):
        raise WeightsError(f"codec: widths must be {len(strides) + 1} multiples of the first, got {tuple(widths)}")
    encoder = OobleckEncoder(channels, widths, strides, 2 * latent_dim)
    return encoder, OobleckDecoder(latent_dim, widths, strides, channels)


def decoder_context(config: OobleckConfig) -> int:
    """Latents on either side that the samples of one latent depend on."""
    stem = config.stem_stride
    last = (7, 1, 1) if stem == 1 else (STEM_KERNEL_PER_STRIDE * stem, stem, 1)
    return decoder_reach([(7, 1, 1), *block_layers(config.strides), last], config.hop_length)


def decoder_reach(layers: Sequence[tuple[int, int, int]], size: int) -> int:
    """Latents on either side that the `size` outputs of one latent depend on; layers: (kernel, stride, dilation).

    Walks back from the outputs [first, last] of latent 0 through the decoder; a convolution of radius r widens the span
    by r on both sides, a transposed one (kernel k, stride s, padding p) maps it to
    [ceil((first + p - k + 1) / s), floor((last + p) / s)].
    """
    first, last = 0, size - 1
    for kernel, stride, dilation in reversed(layers):
        if stride == 1:
            radius = dilation * (kernel - 1) // 2
            first, last = first - radius, last + radius
        else:
            padding = (kernel - stride) // 2
            first, last = -((kernel - 1 - padding - first) // stride), (last + padding) // stride
    return max(-first, last)


def block_layers(strides: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """(kernel, stride, dilation) of the convolutions in the decoder's blocks, in order; those of kernel 1 left out."""
    for stride in reversed(strides):
        yield (CENTRED_KERNEL, 1, 1) if stride == 1 else (2 * stride, stride, 1)
        yield from ((7, 1, dilation) for dilation in (1, 3, 9))


def fold_weight_norm(state_dict: Mapping[str, Shaped[Tensor, "..."]]) -> dict[str, Shaped[Tensor, "..."]]:
    """weight = g v / |v| (norm over all but the first axis) for the pairs weight_g, weight_v and torch's newer
    parametrizations.weight.original0, original1; everything else as it is."""
    folded: dict[str, Tensor] = {}
    for name, tensor in state_dict.items():
        for gain, direction in (("weight_g", "weight_v"), (_PARAMETRIZED + "0", _PARAMETRIZED + "1")):
            if name.endswith(gain):
                partner = name.removesuffix(gain) + direction
                if partner not in state_dict:
                    raise WeightsError(f"the checkpoint holds {name!r} without {partner!r}; it is not whole")
                v = state_dict[partner]
                norm = torch.linalg.vector_norm(v, dim=tuple(range(1, v.ndim)), keepdim=True)
                folded[name.removesuffix(gain) + "weight"] = tensor * v / norm
                break
            if name.endswith(direction):
                break
        else:
            folded[name] = tensor
    return folded


_PARAMETRIZED = "parametrizations.weight.original"
