"""Oobleck on spectra: the Gym's codec, which learns resonances and noise within minutes on a CPU.

SALSA-V fits Stable Audio's VAE to 43 Hz "by replacing the first encoder and last decoder layers" (arXiv 2510.02916,
A.5). Here those two are fixed transforms that a filter bank would have to learn first: the encoder's first layer takes
the log-magnitudes and phases of a short-time Fourier transform, the decoder's last one predicts them (as Vocos, arXiv
2306.00814), and the inverse transform gives the sound. Everything between is Oobleck.

    first layer   ln |left|, ln |right|, mid / |mid|^(1 - COMPRESSION)           of frames every window / 4 samples
    last layer    ln |left|, ln |right|, and a vector p for each bin of each side
    beside        a linear path from the log-magnitudes of a latent's frames to the latent, and back: initialised as
                  their principal components, which separate materials before any training (docs/log.md, C3)
    phase         angle of p + e, with e a unit vector of random angle: p is long where the phase is predictable (a
                  knock, a ringing bar) and short where it is not (rain)

Decoding then makes neighbouring frames consistent, so that resonances continue: PHASE_ROUNDS times the phases are taken
from the spectrum of the sound (Griffin and Lim 1984). Training omits this.

The random angles are a hash-like function of the latents, not of time, so that chunked decoding gives the same samples.
Phases are counted from those of a steady tone in the bin's centre.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Complex, Float
from torch import Tensor, nn
from torch.nn import functional

from openfoley.codecs.base import ChannelsFirst, Latents, NormalisedCodec, Sound
from openfoley.codecs.oobleck import block_layers, decoder_reach, plain_networks
from openfoley.codecs.oobleck_layers import CENTRED_KERNEL, OobleckDecoder, OobleckEncoder

OVERLAP = 4  # frames over every sample
FLOOR = 2e-5  # of full scale, -94 dBFS: below it nothing is distinguished
COMPRESSION = 0.3
AUDIBLE = math.log(10 * FLOOR)
MIDDLE, SPREAD = -8.0, 2.5  # nepers: where the log-magnitudes of the data lie
LOUDEST = 1.0  # nepers above a full-scale sine: no decoder error is louder
ROUGHNESS = (30.0, 15.0)  # how fast the random angles change with the latents
ANGLE_SEED = 43
PHASE_ROUNDS = 4  # rise of onsets 5.5, 4.4, 4.1 ms and log-mel distance 2.93, 2.81, 2.80 dB after 0, 2, 4 (docs/log.md)


@dataclass(frozen=True)
class SpectralOobleckConfig:
    """sample_rate in Hz; window in samples, a frame every quarter of it; widths[0] channels after the first layer,
    widths[i + 1] after encoder block i, which divides the rate by strides[i]; all widths are multiples of the first.
    hop_length = window / 4 * product(strides) samples."""

    sample_rate: int
    channels: int
    latent_dim: int
    window: int
    widths: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def hop_length(self) -> int:
        return self.window // OVERLAP * math.prod(self.strides)


GYM = SpectralOobleckConfig(
    sample_rate=44100, channels=2, latent_dim=64, window=512, widths=(192, 192, 384), strides=(1, 8)
)


class SpectralOobleckCodec(NormalisedCodec):
    """sound <-> latents; see `codecs.base.Codec`."""

    encoder: OobleckEncoder
    decoder: OobleckDecoder
    hann: Float[Tensor, " window"]
    steady: Complex[Tensor, "bins frames"]  # of a latent: a tone in the bin's centre
    mixing: Float[Tensor, "dim dim"]
    spreading: Float[Tensor, "bins*frames dim"]

    def __init__(self, config: SpectralOobleckConfig) -> None:
        super().__init__(config.sample_rate, config.hop_length, config.latent_dim)
        self.config, self.channels = config, config.channels
        self.bins, self.hop = config.window // 2 + 1, config.window // OVERLAP
        self.frames = config.hop_length // self.hop  # of a latent
        self.encoder, self.decoder = _build(config, self.bins)
        self.analysis = nn.Conv1d(2 * self.bins, config.latent_dim, self.frames, self.frames)
        self.synthesis = nn.ConvTranspose1d(config.latent_dim, 2 * self.bins, self.frames, self.frames)
        for path in (self.analysis, self.synthesis):  # found by `start_from_components`, never by gradients
            path.requires_grad_(False)
        self.register_buffer("hann", torch.hann_window(config.window), persistent=False)
        turn = torch.outer(torch.arange(self.bins), torch.arange(self.frames)) % OVERLAP * (2 * math.pi / OVERLAP)
        self.register_buffer("steady", torch.polar(torch.ones_like(turn), turn), persistent=False)
        draw = torch.Generator().manual_seed(ANGLE_SEED)
        dim = config.latent_dim
        mixing = torch.randn(dim, dim, generator=draw) / math.sqrt(dim)
        spreading = torch.randn(self.bins * self.frames, dim, generator=draw) / math.sqrt(dim)
        self.register_buffer("mixing", ROUGHNESS[0] * mixing, persistent=False)
        self.register_buffer("spreading", ROUGHNESS[1] * spreading, persistent=False)
        # a sample depends on the OVERLAP frames over it, and those on their latents
        self.decoder_context = decoder_reach(
            [
                (7, 1, 1),
                *block_layers(config.strides),
                (CENTRED_KERNEL, 1, 1),
                *[(2 * OVERLAP + 1, 1, 1)] * (1 + PHASE_ROUNDS),
            ],
            self.frames,
        )

    def posterior(self, samples: Sound) -> tuple[ChannelsFirst, ChannelsFirst]:
        spectrum = self.spectrum(samples)
        level = self.log_magnitude(spectrum)
        with torch.autocast(samples.device.type, enabled=False):
            linear = self.analysis(level.flatten(1, 2))
        mean, scale = self.encoder(self._seen(spectrum, level)).chunk(2, dim=1)
        return linear + mean, functional.softplus(scale) + 1e-4

    def spectrum(self, samples: Sound) -> Complex[Tensor, "batch channels bins frames"]:
        """A full-scale sine being 1; frames are centred on the hops that they stand for."""
        edge = (self.config.window - self.hop) // 2
        padded = functional.pad(samples.to(self.hann.dtype), (edge, edge + -samples.shape[-1] % self.hop_length))
        pieces = torch.stft(
            padded.flatten(0, 1), self.config.window, self.hop, window=self.hann * (2 / self.hann.sum()), center=False,
            return_complex=True,
        )  # fmt: skip
        return pieces.unflatten(0, samples.shape[:2]) * self._steady(pieces.shape[-1]).conj()

    def log_magnitude(
        self, spectrum: Complex[Tensor, "batch channels bins frames"]
    ) -> Float[Tensor, "batch channels bins frames"]:
        """ln (|X| + floor): the floor outside, so that the gradient does not end there."""
        return ((torch.view_as_real(spectrum).square().sum(-1) + 1e-14).sqrt() + FLOOR).log()

    def _seen(self, spectrum: Tensor, level: Tensor) -> Tensor:
        """What the encoder's first layer receives [batch, 4 * bins, frames]."""
        middle = spectrum.mean(1)
        strength = 4 * (torch.view_as_real(middle).square().sum(-1) + FLOOR**2) ** ((COMPRESSION - 1) / 2)
        levels = (level.flatten(1, 2) - MIDDLE) / SPREAD
        return torch.cat([levels, middle.real * strength, middle.imag * strength], 1)

    def predicted(
        self, unnormalised: ChannelsFirst
    ) -> tuple[Float[Tensor, "batch channels bins frames"], Complex[Tensor, "batch channels bins frames"]]:
        """Log-magnitudes and phases (complex numbers of length 1) from the decoder."""
        out = self.decoder(unnormalised).to(self.hann.dtype).unflatten(1, (6, self.bins))
        with torch.autocast(unnormalised.device.type, enabled=False):
            linear = self.synthesis(unnormalised.to(self.hann.dtype)).unflatten(1, (2, self.bins))
        level = (linear + SPREAD * out[:, :2]).clamp(max=LOUDEST)
        angle = self._angles(unnormalised.detach().to(self.hann.dtype))[:, None]
        vector = torch.stack([out[:, 2:4] + angle.cos(), out[:, 4:] + angle.sin()], -1)
        unit = vector * (vector.square().sum(-1, keepdim=True) + 1e-6).rsqrt()
        return level, torch.view_as_complex(unit)

    def waveform(
        self, level: Float[Tensor, "batch channels bins frames"], phase: Complex[Tensor, "batch channels bins frames"]
    ) -> Sound:
        """frames * hop samples from log-magnitudes and phases."""
        magnitude = (level.exp() - FLOOR).clamp_min(0.0) * (self.hann.sum() / 2)
        spectrum = magnitude * phase * self._steady(level.shape[-1])
        pieces = torch.fft.irfft(spectrum.mT, n=self.config.window) * (self.hann / (OVERLAP * 3 / 8))
        parts = pieces.unflatten(-1, (OVERLAP, self.hop))  # [batch, 2, frames, OVERLAP, hop]
        count = parts.shape[2]
        total = sum(functional.pad(parts[:, :, :, k], (0, 0, k, OVERLAP - 1 - k)) for k in range(OVERLAP))
        assert isinstance(total, Tensor)
        edge = (self.config.window - self.hop) // 2
        return total.flatten(2)[..., edge : edge + count * self.hop]

    @torch.no_grad()
    def start_from_components(self, sounds: Iterable[Sound]) -> None:
        """Make the linear path the principal components of the log-magnitudes in these sounds, each of unit variance.
        Inaudible latents are left out; bins are weighted by their share of the mel scale."""
        share = 1 / (700 + torch.arange(self.bins) * self.sample_rate / self.config.window)
        weight = (share / share.mean()).sqrt().repeat_interleave(self.frames).repeat(2)
        count, total, products = 0, torch.zeros(len(weight)), torch.zeros(len(weight), len(weight))
        for sound in sounds:
            level = self.log_magnitude(self.spectrum(sound))
            blocks = rearrange(level, "b c bins (n frames) -> (b n) (c bins frames)", frames=self.frames)
            blocks = blocks[(blocks > AUDIBLE).any(1)] * weight
            count, total, products = count + len(blocks), total + blocks.sum(0), products + blocks.T @ blocks
        if count < 2:
            raise ValueError("no sound to take components from")
        mean = total / count
        values, vectors = torch.linalg.eigh(products / count - torch.outer(mean, mean))
        spread = values[-self.latent_dim :].flip(0).clamp_min(1e-6).sqrt()
        axes = vectors[:, -self.latent_dim :].flip(1)  # [2 * bins * frames, latent_dim]
        shape = (self.latent_dim, 2 * self.bins, self.frames)
        assert self.analysis.bias is not None and self.synthesis.bias is not None
        self.analysis.weight.copy_((axes / spread * weight[:, None]).T.reshape(shape))
        self.analysis.bias.copy_(-(axes / spread).T @ mean)
        self.synthesis.weight.copy_((axes * spread / weight[:, None]).T.reshape(shape))
        rest = ((mean / weight).reshape(2 * self.bins, self.frames)).mean(1)
        self.synthesis.bias.copy_(rest)  # the mean over a latent's frames is all but level

    def reconstruct(self, unnormalised: ChannelsFirst) -> Sound:
        """latents * hop_length samples."""
        level, phase = self.predicted(unnormalised)
        for _ in range(PHASE_ROUNDS):
            spectrum = self.spectrum(self.waveform(level, phase))
            phase = spectrum / (spectrum.abs() + 1e-9)
        return self.waveform(level, phase)

    def decode(self, latent: Latents) -> Sound:
        return self.reconstruct(self.unnormalised(latent))

    def _steady(self, frames: int) -> Tensor:
        return self.steady.repeat(1, frames // self.frames)

    def _angles(self, unnormalised: Tensor) -> Tensor:
        """[batch, bins, frames] in radians."""
        mixed = torch.einsum("ij,bjn->bin", self.mixing, unnormalised).sin()
        spread = torch.einsum("ij,bjn->bin", self.spreading, mixed).unflatten(1, (self.bins, self.frames))
        return spread.mT.flatten(2)  # [batch, bins, latents, frames of a latent] flattened


def _build(config: SpectralOobleckConfig, bins: int) -> tuple[OobleckEncoder, OobleckDecoder]:
    """Encoder and decoder with the outermost layers on spectra."""
    encoder, decoder = plain_networks(config.widths, config.strides, config.latent_dim, config.channels)
    width, pad = config.widths[0], CENTRED_KERNEL // 2
    encoder.conv1 = nn.Conv1d(4 * bins, width, CENTRED_KERNEL, padding=pad)
    decoder.conv2 = nn.Conv1d(width, 6 * bins, CENTRED_KERNEL, padding=pad)
    return encoder, decoder
