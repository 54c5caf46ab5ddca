"""The filter bank that the codec starts from: orthonormal, lossless for what it keeps, in order of frequency."""

import torch
from torch import Tensor

from openfoley.codecs.oobleck import GYM, OobleckCodec
from openfoley.training.codec_start import lapped_cosines, start_as_filter_bank


def bank() -> OobleckCodec:
    torch.manual_seed(0)
    codec = OobleckCodec(GYM)
    for parameter in (p for name, p in codec.named_parameters() if name.endswith("bias")):
        torch.nn.init.zeros_(parameter)
    start_as_filter_bank(codec)
    return codec


def split(codec: OobleckCodec, samples: Tensor) -> Tensor:
    """The resampling layers alone, down to the rate above the latents'."""
    encoder = codec.encoder
    return encoder.block[1].conv1(encoder.block[0].conv1(encoder.conv1(samples)))


def joined(codec: OobleckCodec, bands: Tensor) -> Tensor:
    decoder = codec.decoder
    return decoder.conv2(decoder.block[2].conv_t1(decoder.block[1].conv_t1(bands)))


def test_basis_is_orthonormal_with_its_shifts() -> None:
    basis = lapped_cosines(8)
    assert torch.allclose(basis @ basis.T, torch.eye(8), atol=1e-6)
    assert torch.allclose(basis[:, 8:] @ basis[:, :8].T, torch.zeros(8, 8), atol=1e-6)


@torch.no_grad()
def test_mid_comes_back_whole() -> None:
    codec = bank()
    samples = torch.randn(1, 2, 8192, generator=torch.Generator().manual_seed(1))
    back = joined(codec, split(codec, samples))
    inside = slice(1024, -1024)  # laps need a neighbour
    mid, mid_back = samples.mean(1)[..., inside], back.mean(1)[..., inside]
    assert (mid - mid_back).square().mean() / mid.square().mean() < 1e-9
    side, side_back = (x[:, 0] - x[:, 1] for x in (samples[..., inside], back[..., inside]))
    assert (side - side_back).square().mean() / side.square().mean() < 0.7  # its high half has no channels


@torch.no_grad()
def test_bands_lie_in_order_of_frequency() -> None:
    codec = bank()
    time = torch.arange(8192) / 44100
    strongest = []
    for frequency in (100.0, 1000.0, 4000.0, 9000.0, 18000.0):
        tone = torch.sin(2 * torch.pi * frequency * time).expand(1, 2, -1)
        strongest.append(int(split(codec, tone)[0].square().sum(-1).argmax()))
    assert strongest == sorted(strongest) and len(set(strongest)) == 5
