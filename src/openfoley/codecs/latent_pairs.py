"""Clips as the latents of published models: Stable Diffusion's VAE for pictures, AudioLDM's for log-mel spectrograms.

    pictures -> [-1, 1] -> posterior's mean, times the VAE's scaling factor             4 channels, 32 x 32 of 256 x 256
    sound -> log-mel at 100 Hz (`folded.mel_of`) -> the same with the mel VAE           8 channels, 25 Hz, 16 rows

A sound's latents are padded with zeros to a multiple of 8 in time, by which the U-Net halves it three times: 100 steps
of 4 s become 104. Sampling makes all of them, 416 frames of log-mel, and the vocoder's sound is cut to what was asked;
training leaves the padding out of the loss (`sound_steps`). Whether the published training padded before or after the
noise is added is not known; here before, so that a step looks as in sampling.
"""

from __future__ import annotations

from typing import Any, Protocol, cast

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.codecs.folded import BANDS, HOP, MIDDLE_GREY, SAMPLE_RATE, Audio, Frames, Sounds, Video, mel_of

TIME_MULTIPLE = 8
"""Steps of a sound's latents come in multiples of this."""
PICTURES_AT_ONCE = 4
"""Through the VAE: 256 x 256 pixels take 0.2 GB each on the way back (benchmarks/joint_memory.py)."""


class Vae(Protocol):
    """diffusers' AutoencoderKL."""

    config: Any

    def encode(self, x: Float[Tensor, "batch channels a b"]) -> Any: ...

    def decode(self, z: Float[Tensor, "batch latent_channels a b"]) -> Any: ...


class LatentPairCodec(nn.Module):
    """See `PairCodec` (hub.pair_parts). size: pixels of a side. vocoder: transformers' SpeechT5HifiGan."""

    sample_rate = SAMPLE_RATE

    def __init__(self, picture_vae: nn.Module, mel_vae: nn.Module, vocoder: nn.Module, size: int) -> None:
        super().__init__()
        self.picture_vae, self.mel_vae, self.vocoder = picture_vae, mel_vae, vocoder
        self.picture_size = size

    def video_shape(self, frames: int) -> tuple[int, int, int, int]:
        side = self.picture_size // _reduction(self.picture_vae)
        return _config(self.picture_vae).latent_channels, frames, side, side

    def audio_shape(self, samples: int) -> tuple[int, int, int]:
        steps = -(-self.sound_steps(samples) // TIME_MULTIPLE) * TIME_MULTIPLE
        return _config(self.mel_vae).latent_channels, steps, BANDS // _reduction(self.mel_vae)

    def sound_steps(self, samples: int) -> int:
        return samples // (HOP * _reduction(self.mel_vae))

    @torch.no_grad()
    def encode_video(self, frames: Frames) -> Video:
        pictures = rearrange(frames, "b t c h w -> (b t) c h w")
        parts = (part.to(self._device).float() / MIDDLE_GREY - 1 for part in pictures.split(PICTURES_AT_ONCE))
        latents = torch.cat([_encoded(self.picture_vae, part) for part in parts])
        return rearrange(latents, "(b t) c h w -> b c t h w", b=len(frames))

    @torch.no_grad()
    def decode_video(self, latents: Video) -> Frames:
        pictures = rearrange(latents, "b c t h w -> (b t) c h w").to(self._device)
        made = torch.cat([_pixels(_decoded(self.picture_vae, part)) for part in pictures.split(PICTURES_AT_ONCE)])
        return rearrange(made, "(b t) c h w -> b t c h w", b=len(latents))

    @torch.no_grad()
    def encode_audio(self, sounds: Sounds) -> Audio:
        level = mel_of(sounds.to(self._device))
        whole = self.sound_steps(sounds.shape[-1]) * _reduction(self.mel_vae)
        latents = _encoded(self.mel_vae, level[:, None, :whole])
        return F.pad(latents, (0, 0, 0, self.audio_shape(sounds.shape[-1])[1] - latents.shape[2]))

    @torch.no_grad()
    def decode_audio(self, latents: Audio) -> Sounds:
        """HOP samples for each row of the log-mel."""
        level = _decoded(self.mel_vae, latents.to(self._device))[:, 0]
        return self.vocoder(level)[:, : HOP * level.shape[1]].float().cpu()

    @property
    def _device(self) -> torch.device:
        return next(self.picture_vae.parameters()).device


def _config(vae: nn.Module) -> Any:
    return cast(Vae, vae).config


def _reduction(vae: nn.Module) -> int:
    """Of each axis: every level but the last halves it."""
    return 2 ** (len(_config(vae).block_out_channels) - 1)


def _encoded(vae: nn.Module, x: Float[Tensor, "batch channels a b"]) -> Float[Tensor, "batch latent_channels c d"]:
    return cast(Vae, vae).encode(x).latent_dist.mean * _config(vae).scaling_factor


def _decoded(vae: nn.Module, z: Float[Tensor, "batch latent_channels c d"]) -> Float[Tensor, "batch channels a b"]:
    return cast(Vae, vae).decode(z / _config(vae).scaling_factor).sample


def _pixels(x: Float[Tensor, "batch 3 height width"]) -> Tensor:
    return ((x + 1) * MIDDLE_GREY).round().clamp(0, 255).to("cpu", torch.uint8)
