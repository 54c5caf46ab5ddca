"""MMAudio's codec: mono sound <-> log-mel <-> latents at 31.25 Hz (16 kHz) or 43.07 Hz (44.1 kHz) (arXiv 2412.15322).

    sound -> log-mel (hop 256 / 512) -> mel VAE (2 frames a latent) -> latents -> mel VAE -> log-mel -> BigVGAN -> sound

Latents leave with zero mean and unit variance per channel. The statistics travel in the flow network's checkpoint
(`latent_mean`, `latent_std` [1, 1, latent_dim]); here they belong to the codec, as for every codec.

Decoding works in pieces of fixed size with exact overlap: memory does not grow with length.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Shaped
from torch import Tensor

from openfoley.codecs import bigvgan, mel_vae
from openfoley.codecs.base import ChannelsFirst, Latents, NormalisedCodec
from openfoley.codecs.bigvgan import BigVgan, BigVganConfig
from openfoley.codecs.mel_vae import (
    FRAMES_PER_LATENT,
    MARGIN_AFTER_ATTENTION,
    MARGIN_BEFORE_ATTENTION,
    MelVae,
    MelVaeConfig,
    widened,
)
from openfoley.errors import WeightsError
from openfoley.media.spectrogram import mel_filterbank

MAGNITUDE_FLOOR = 1e-9  # added to |X|^2 under the root
MEL_FLOOR = 1e-5  # amplitude: -100 dB
PIECE_LATENTS = 345  # decoded at once: 8 s at 44.1 kHz, so that a window costs no overlap


@dataclass(frozen=True)
class MMAudioCodecConfig:
    """sample_rate in Hz; n_fft (= window) and mel_hop in samples; the mel bands reach from 0 Hz to half the rate."""

    sample_rate: int
    n_fft: int
    mel_hop: int
    logarithm: Literal["natural", "base10"]
    vae: MelVaeConfig
    vocoder: BigVganConfig

    @property
    def hop_length(self) -> int:
        return FRAMES_PER_LATENT * self.mel_hop


CODEC_16K = MMAudioCodecConfig(
    sample_rate=16000,
    n_fft=1024,
    mel_hop=256,
    logarithm="base10",
    vae=mel_vae.VAE_16K,
    vocoder=bigvgan.BIGVGAN_16K,
)
CODEC_44K = MMAudioCodecConfig(
    sample_rate=44100,
    n_fft=2048,
    mel_hop=512,
    logarithm="natural",
    vae=mel_vae.VAE_44K,
    vocoder=bigvgan.BIGVGAN_V2_44K,
)


Mono = Float[Tensor, "batch 1 time"]
Mel = Float[Tensor, "batch bands frames"]


class MMAudioCodec(NormalisedCodec):
    """mono sound <-> latents; see `codecs.base.Codec`."""

    channels = 1

    def __init__(self, config: MMAudioCodecConfig) -> None:
        super().__init__(config.sample_rate, config.hop_length, config.vae.latent_dim)
        if config.vocoder.hop_length != config.mel_hop or config.vocoder.mel_bands != config.vae.mel_bands:
            raise WeightsError(
                f"codec: a vocoder of {config.vocoder.mel_bands} bands and hop {config.vocoder.hop_length} does not "
                f"fit a mel of {config.vae.mel_bands} bands and hop {config.mel_hop}"
            )
        self.config = config
        self.vae = MelVae(config.vae)
        self.vocoder = BigVgan(config.vocoder)
        self.mel_context = -(-self.vocoder.context_frames // FRAMES_PER_LATENT)  # latents whose mel a sample can need
        reach = config.vae.attention_reach + MARGIN_BEFORE_ATTENTION + MARGIN_AFTER_ATTENTION
        self.decoder_context = self.mel_context + reach

    def log_mel(self, samples: Mono) -> Mel:
        """time // mel_hop frames, as the networks were trained on it."""
        config = self.config
        side = (config.n_fft - config.mel_hop) // 2
        padded = F.pad(samples.float().clamp(-1, 1), (side, side), mode="reflect")[:, 0]
        window = torch.hann_window(config.n_fft, device=samples.device)
        spectrum = torch.stft(padded, config.n_fft, config.mel_hop, window=window, center=False, return_complex=True)
        magnitude = (torch.view_as_real(spectrum).square().sum(-1) + MAGNITUDE_FLOOR).sqrt()
        bank = mel_filterbank(config.sample_rate, config.n_fft, config.vae.mel_bands).to(samples.device)
        mel = (bank @ magnitude).clamp(min=MEL_FLOOR)
        return mel.log() if config.logarithm == "natural" else mel.log10()

    def posterior(self, samples: Mono) -> tuple[ChannelsFirst, ChannelsFirst]:
        return self.vae.posterior(self.log_mel(F.pad(samples, (0, -samples.shape[-1] % self.hop_length))))

    def decode(self, latent: Latents) -> Mono:
        """In pieces of at most PIECE_LATENTS, all of one size: only the result grows with length."""
        count = latent.shape[1]
        size = -(-count // -(-count // PIECE_LATENTS))
        pieces = []
        for done in range(0, count, size):
            first = min(done, count - size)
            pieces.append(self.decode_part(latent, first, first + size)[..., (done - first) * self.hop_length :])
        return torch.cat(pieces, -1)

    def decode_part(self, latent: Latents, first: int, end: int) -> Mono:
        """(end - first) * hop_length samples of the latents [first, end); the others are context."""
        low, high = widened(first, end, self.decoder_context, latent.shape[1])
        near = self.unnormalised(latent[:, low:high])
        mel_first, mel_last = widened(first, end, self.mel_context, latent.shape[1])
        samples = self.vocoder(self.vae.reconstruct(near, mel_first - low, mel_last - low))
        start = (first - mel_first) * self.hop_length
        return samples[..., start : start + (end - first) * self.hop_length]


def from_mmaudio(
    vae: Mapping[str, Shaped[Tensor, "..."]],
    vocoder: Mapping[str, Shaped[Tensor, "..."]],
    latent_mean: Float[Tensor, "..."],
    latent_std: Float[Tensor, "..."],
) -> dict[str, Shaped[Tensor, "..."]]:
    """`MMAudioCodec`'s state from the public VAE (v1-16.pth, v1-44.pth), the public vocoder (best_netG.pt,
    bigvgan_generator.pt) and the flow network's two statistics (any shape of latent_dim numbers)."""
    converted = {f"vae.{name}": tensor for name, tensor in mel_vae.from_mmaudio(vae).items()}
    converted |= {f"vocoder.{name}": tensor for name, tensor in bigvgan.from_mmaudio(vocoder).items()}
    return converted | {
        "latent_mean": latent_mean.float().flatten().clone(),
        "latent_std": latent_std.float().flatten().clone(),
    }
