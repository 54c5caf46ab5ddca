"""Oobleck on spectra: the transform is lossless, and phases are predicted, or noisy where no prediction exists."""

import math
from dataclasses import replace

import pytest
import torch

from openfoley.codecs.spectral_oobleck import FLOOR, GYM, SpectralOobleckCodec
from openfoley.config import to_dict
from openfoley.hub.parts import build_part, kind_of

TINY = replace(GYM, widths=(8, 8, 16))
RATE = 44100


@pytest.fixture(scope="module")
def codec() -> SpectralOobleckCodec:
    torch.manual_seed(0)
    return SpectralOobleckCodec(TINY).eval()


def test_sound_between_true_magnitudes_and_phases_is_the_sound(codec: SpectralOobleckCodec) -> None:
    sound = 0.1 * torch.randn(2, 2, 8 * 1024, generator=torch.Generator().manual_seed(1))
    spectrum = codec.spectrum(sound)
    assert spectrum.shape == (2, 2, 257, 64)
    again = codec.waveform(codec.log_magnitude(spectrum), spectrum / spectrum.abs())
    edge = TINY.window  # beyond the ends nothing is known, so the outermost frames are missing
    assert torch.allclose(again[..., edge:-edge], sound[..., edge:-edge], atol=1e-5)


def test_a_steady_tone_in_a_bins_centre_has_one_phase_and_full_scale_is_one(codec: SpectralOobleckCodec) -> None:
    tone = (2 * math.pi * 10 / TINY.window * torch.arange(16 * 1024)).sin().expand(1, 2, -1)
    inside = codec.spectrum(tone)[0, 0, 10, 4:-4]
    assert torch.allclose(inside.abs(), torch.ones(len(inside)), atol=1e-3)
    assert torch.allclose(inside.angle(), inside.angle()[0].expand(len(inside)), atol=1e-3)


def test_magnitudes_at_the_floor_are_silence(codec: SpectralOobleckCodec) -> None:
    level = torch.full((1, 2, 257, 16), math.log(FLOOR))
    assert codec.waveform(level, torch.ones_like(level, dtype=torch.complex64)).abs().max() < 1e-7


@pytest.fixture
def speechless() -> SpectralOobleckCodec:
    """Its decoder says 0 of everything."""
    codec = SpectralOobleckCodec(TINY).eval()
    codec.decoder.conv2.weight.data.zero_()
    codec.decoder.conv2.bias.data.zero_()
    return codec


def test_phases_are_rough_without_a_vector_and_known_with_a_long_one(speechless: SpectralOobleckCodec) -> None:
    latents = torch.randn(1, 64, 40, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        _, rough = speechless.predicted(latents)
        speechless.decoder.conv2.bias[2 * 257 : 4 * 257] = 1e4  # along the real axis
        _, phase = speechless.predicted(latents)
    assert rough.shape == phase.shape == (1, 2, 257, 320)
    assert torch.allclose(rough.abs(), torch.ones(()), atol=1e-4) and rough.mean().abs() < 0.02
    assert torch.allclose(phase, torch.ones((), dtype=torch.complex64), atol=1e-3)


def test_noise_differs_from_latent_to_latent(speechless: SpectralOobleckCodec) -> None:
    """Rough angles that repeated with every latent would sound like a tone of 43 Hz."""
    latents = torch.zeros(1, 64, 60) + 0.1 * torch.randn(1, 64, 60, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        level, phase = speechless.predicted(latents)
        sound = speechless.waveform(torch.full_like(level, -4.0), phase)[0].mean(0)
    frames = sound[5 * 1024 : -5 * 1024].unflatten(0, (-1, 1024))
    frames = frames / frames.norm(dim=1, keepdim=True)
    likeness = (frames[1:] * frames[:-1]).sum(1)
    assert likeness.abs().mean() < 0.1


def test_it_is_a_kind_of_codec(codec: SpectralOobleckCodec, tmp_path) -> None:
    settings = {"kind": kind_of("codec", TINY), **to_dict(TINY)}
    assert settings["kind"] == "oobleck-spectral"
    built = build_part("codec", settings, tmp_path)
    assert isinstance(built, SpectralOobleckCodec) and built.config == TINY
    assert sum(p.numel() for p in SpectralOobleckCodec(GYM).parameters()) < 8.5e6 and GYM.hop_length == 1024


def test_rounds_make_the_sounds_own_magnitudes_match_the_prediction(codec: SpectralOobleckCodec) -> None:
    """Frames that overlap agree better: Griffin and Lim's distance falls."""
    latents = torch.randn(1, codec.latent_dim, 12, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        level, phase = codec.predicted(latents)
        before, after = (
            (codec.spectrum(sound).abs() - (level.exp() - FLOOR)).square().mean()
            for sound in (codec.waveform(level, phase), codec.reconstruct(latents))
        )
    assert after < 0.7 * before
