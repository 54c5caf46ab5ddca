"""Oobleck codec: exact lengths, no shift, chunked decoding equals unchunked, start from 21.5 Hz weights."""

from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from openfoley.codecs.base import StreamingDecoder
from openfoley.codecs.oobleck import (
    FULL,
    GYM,
    OobleckCodec,
    OobleckConfig,
    fold_weight_norm,
    plain_networks,
)
from openfoley.codecs.spectral_oobleck import GYM as SPECTRAL_GYM
from openfoley.codecs.spectral_oobleck import SpectralOobleckCodec

HOP = 1024  # samples
TINY_FULL = OobleckConfig(44100, 2, 8, 1, (4, 4, 8, 8, 16, 16), (1, 4, 4, 8, 8), 0.5)


@pytest.fixture(scope="module", params=["waveform", "tiny full", "spectral"])
def codec(request: pytest.FixtureRequest) -> OobleckCodec | SpectralOobleckCodec:
    torch.manual_seed(0)
    if request.param == "spectral":
        return SpectralOobleckCodec(replace(SPECTRAL_GYM, latent_dim=8, widths=(8, 8, 16))).eval()
    return OobleckCodec(GYM if request.param == "waveform" else TINY_FULL).eval()


def test_full_size_has_the_published_shape() -> None:
    with torch.device("meta"):
        full = OobleckCodec(FULL)
    assert full.latent_rate == Fraction(44100, 1024) and full.hop_length == HOP and full.latent_dim == 64
    assert sum(p.numel() for p in full.parameters()) == pytest.approx(156e6, rel=0.01)


def test_gym_size_is_small() -> None:
    assert sum(p.numel() for p in OobleckCodec(GYM).parameters()) < 6.5e6
    assert GYM.hop_length == HOP


@pytest.mark.parametrize("length", [1, 1023, 1024, 1025, 5000])
def test_lengths_are_whole_latents(codec: OobleckCodec, length: int) -> None:
    with torch.no_grad():
        latent = codec.encode(torch.randn(1, 2, length))
        samples = codec.decode(latent)
    count = -(-length // HOP)
    assert latent.shape == (1, count, codec.latent_dim)
    assert samples.shape == (1, 2, count * HOP)


@pytest.mark.parametrize("codec", ["waveform", "tiny full"], indirect=True)  # on spectra angles know no mirror
def test_an_impulse_reaches_only_samples_around_itself(codec: OobleckCodec) -> None:
    """Time symmetry: with every weight mirrored in time, coding the mirrored sound gives the mirrored result, exactly
    if no layer shifts."""
    mirrored = OobleckCodec(codec.config).eval()
    mirrored.load_state_dict(codec.state_dict())
    for module in mirrored.modules():
        if isinstance(module, (torch.nn.Conv1d, torch.nn.ConvTranspose1d)):
            module.weight.data = module.weight.data.flip(-1)
    samples = torch.randn(1, 2, 8 * HOP, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        straight = codec.decode(codec.encode(samples))
        turned = mirrored.decode(mirrored.encode(samples.flip(-1))).flip(-1)
    torch.testing.assert_close(turned, straight, atol=1e-5, rtol=1e-4)


def test_decoder_context_is_the_true_reach(codec: OobleckCodec) -> None:
    reach, count = codec.decoder_context, 2 * codec.decoder_context + 5
    latent = torch.zeros(1, count, codec.latent_dim, dtype=torch.float64, requires_grad=True)
    middle = count // 2
    decoded = codec.double().decode(latent)
    (gradient,) = torch.autograd.grad(decoded[..., middle * HOP : (middle + 1) * HOP].square().sum(), latent)
    codec.float()
    touched = gradient.abs().sum((0, 2)).nonzero()[:, 0]
    assert touched.min() == middle - reach and touched.max() == middle + reach


@pytest.mark.parametrize("pushes", [[200], [1] * 30 + [90], [64, 0, 64, 50]])
def test_chunked_decoding_equals_unchunked(codec: OobleckCodec, pushes: list[int]) -> None:
    latent = torch.randn(1, sum(pushes), codec.latent_dim, generator=torch.Generator().manual_seed(2))
    stream = StreamingDecoder(codec, chunk=24)
    with torch.no_grad():
        parts = [stream.push(part) for part in latent.split(pushes, 1)] + [stream.flush()]
        torch.testing.assert_close(torch.cat(parts, -1), codec.decode(latent), atol=1e-5, rtol=1e-5)


def test_normalisation_is_undone_by_decoding(codec: OobleckCodec | SpectralOobleckCodec) -> None:
    samples = torch.randn(1, 2, 3 * HOP)
    with torch.no_grad():
        before = codec.decode(codec.encode(samples))
        codec.latent_mean.fill_(0.3)
        codec.latent_std.fill_(2.0)
        after = codec.decode(codec.encode(samples))
        codec.latent_mean.zero_()
        codec.latent_std.fill_(1.0)
    if isinstance(codec, SpectralOobleckCodec):  # its rough angles enlarge roundings some hundred times
        assert (after - before).norm() < 1e-3 * before.norm()
    else:
        torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)


def test_the_layers_are_the_published_networks() -> None:
    from diffusers import AutoencoderOobleck

    public = AutoencoderOobleck(
        encoder_hidden_size=4,
        downsampling_ratios=[2, 4, 8],
        channel_multiples=[1, 2, 4],
        decoder_channels=4,
        decoder_input_channels=2,
    )
    for module in public.modules():
        if hasattr(module, "alpha"):
            torch.nn.init.normal_(module.alpha, std=0.5)
            torch.nn.init.normal_(module.beta, std=0.5)
    state = fold_weight_norm(public.state_dict())
    encoder, decoder = plain_networks((4, 4, 8, 16), (2, 4, 8), 2, 2)
    encoder.load_state_dict({key[8:]: value for key, value in state.items() if key.startswith("encoder.")})
    decoder.load_state_dict({key[8:]: value for key, value in state.items() if key.startswith("decoder.")})
    sound, latent = torch.randn(2, 2, 640), torch.randn(2, 2, 10)
    torch.testing.assert_close(encoder(sound), public.encoder(sound))
    torch.testing.assert_close(decoder(latent), public.decoder(latent))
