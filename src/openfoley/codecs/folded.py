"""Pictures and sounds of small clips as the latents of a joint model, without a learned codec.

    pictures -> [-1, 1] -> unit variance, blocks of 4 x 4 pixels on channels                 48 channels, 8 x 8 places
    sound -> log-mel at 100 Hz -> unit variance, blocks of 4 frames x 4 bands on channels    16 channels, 25 Hz, 16 rows

Both foldings lose nothing. The log-mel is the one of AudioLDM's vocoder (SpeechT5: 64 Slaney bands to 8 kHz, Hann
window of 64 ms, hop 10 ms, magnitudes); back from it magnitudes are found under the constraint that none is negative,
and phases by Griffin and Lim's rounds (1984) with Perraudin's momentum (2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.media.spectrogram import log_mel, mel_filterbank

SAMPLE_RATE = 16_000
WINDOW, HOP, BANDS = 1024, 160, 64
"""samples, samples, mel bands"""
MIDDLE_GREY = 127.5
SOLVER_ROUNDS, PHASE_ROUNDS = 40, 32
MOMENTUM = 0.99
LOUDEST_LEVEL = 6.0
"""Natural logarithm of a band's magnitude; a tone of full scale has about 3. A model without training exceeds it."""
TINY = 1e-9

Frames = UInt8[Tensor, "batch frames 3 height width"]
Sounds = Float[Tensor, "batch samples"]
Video = Float[Tensor, "batch video_channels frames rows columns"]
Audio = Float[Tensor, "batch audio_channels steps bands"]


@dataclass(frozen=True)
class FoldedConfig:
    """size: pixels of a side. rate: frames a second, Hz. fold: pixels of a block's side. time_fold, band_fold: frames
    and bands of a block. mel_mean, mel_deviation: of the log-mel of the training sounds. picture_mean,
    picture_deviation: of their pictures in [-1, 1]."""

    size: int
    rate: int
    fold: int
    time_fold: int
    band_fold: int
    mel_mean: float
    mel_deviation: float
    picture_mean: float
    picture_deviation: float


GYM = FoldedConfig(
    size=32, rate=8, fold=4, time_fold=4, band_fold=4, mel_mean=-10.1, mel_deviation=2.66, picture_mean=0.03,
    picture_deviation=0.31,
)  # fmt: skip
"""Measured on close-ups of the training split: 400 sounds, 600 clips' pictures (docs/log.md, J6)."""


class FoldedCodec:
    """See `PairCodec` (hub.pair_parts)."""

    sample_rate = SAMPLE_RATE

    def __init__(self, config: FoldedConfig) -> None:
        self.config = config

    @property
    def picture_size(self) -> int:
        return self.config.size

    def video_shape(self, frames: int) -> tuple[int, int, int, int]:
        side, fold = self.config.size // self.config.fold, self.config.fold
        return 3 * fold * fold, frames, side, side

    def audio_shape(self, samples: int) -> tuple[int, int, int]:
        fold = self.config.time_fold * self.config.band_fold
        return fold, self.sound_steps(samples), BANDS // self.config.band_fold

    def sound_steps(self, samples: int) -> int:
        """All: nothing is padded."""
        return samples // (HOP * self.config.time_fold)

    def encode_video(self, frames: Frames) -> Video:
        fold = self.config.fold
        scaled = (frames.float() / MIDDLE_GREY - 1 - self.config.picture_mean) / self.config.picture_deviation
        return rearrange(scaled, "b t c (h p) (w q) -> b (c p q) t h w", p=fold, q=fold)

    def decode_video(self, latents: Video) -> Frames:
        fold = self.config.fold
        pictures = rearrange(latents, "b (c p q) t h w -> b t c (h p) (w q)", p=fold, q=fold)
        level = pictures * self.config.picture_deviation + self.config.picture_mean
        return ((level + 1) * MIDDLE_GREY).round().clamp(0, 255).to(torch.uint8)

    def encode_audio(self, sounds: Sounds) -> Audio:
        config, level = self.config, mel_of(sounds)
        scaled = (level - config.mel_mean) / config.mel_deviation
        return rearrange(scaled, "b (t p) (f q) -> b (p q) t f", p=config.time_fold, q=config.band_fold)

    def decode_audio(self, latents: Audio) -> Sounds:
        config = self.config
        scaled = rearrange(latents, "b (p q) t f -> b (t p) (f q)", p=config.time_fold, q=config.band_fold)
        return sound_of(scaled * config.mel_deviation + config.mel_mean)


def mel_of(sounds: Sounds) -> Float[Tensor, "batch mel_frames 64"]:
    """Natural logarithm, one row for each HOP samples (the frame centred on the end is left out)."""
    level = log_mel(sounds, SAMPLE_RATE, n_fft=WINDOW, hop_length=HOP, n_mels=BANDS)
    return level[..., : sounds.shape[-1] // HOP].mT


def sound_of(level: Float[Tensor, "batch mel_frames 64"]) -> Sounds:
    """HOP samples for each row; the same sound for the same levels."""
    level = torch.cat((level, level[:, -1:]), dim=1)  # the frame centred on the end
    magnitude = magnitudes(level.mT.clamp(max=LOUDEST_LEVEL).exp())
    window = torch.hann_window(WINDOW, device=level.device)
    length = HOP * (level.shape[1] - 1)

    def sound(spectrum: Tensor) -> Tensor:
        return torch.istft(spectrum, WINDOW, HOP, window=window, length=length)

    random = torch.Generator().manual_seed(0)
    turn = torch.rand(magnitude.shape[-2:], generator=random).to(level.device)
    phase, before = torch.polar(torch.ones_like(turn), 2 * torch.pi * turn).expand(magnitude.shape), 0.0
    for _ in range(PHASE_ROUNDS):
        found = torch.stft(sound(magnitude * phase), WINDOW, HOP, window=window, return_complex=True)
        moved, before = found + MOMENTUM * (found - before), found
        phase = moved / (moved.abs() + TINY)
    return sound(magnitude * phase)


def magnitudes(mel: Float[Tensor, "batch 64 mel_frames"]) -> Float[Tensor, "batch bins mel_frames"]:
    """Magnitudes >= 0 whose bands are `mel`, by multiplicative updates of the squared error (Lee and Seung 2001)."""
    filters = mel_filterbank(SAMPLE_RATE, WINDOW, BANDS).to(mel)
    wanted = filters.mT @ mel
    found = wanted.clamp(min=TINY)
    for _ in range(SOLVER_ROUNDS):
        found = found * wanted / (filters.mT @ (filters @ found) + TINY)
    return found
