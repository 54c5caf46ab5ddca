"""A codec of another rate and number of channels costs what it costs, and changes neither length nor rate."""

from fractions import Fraction

import pytest
import torch
from torch import Tensor

from openfoley.evaluation.reports.sounds import fitted, through_codec, with_channels
from openfoley.types import Audio


class Lossless:
    """A codec whose latents are the samples."""

    hop_length, latent_dim, decoder_context = 4, 8, 0

    def __init__(self, sample_rate: int, channels: int) -> None:
        self.sample_rate, self.channels = sample_rate, channels

    @property
    def latent_rate(self) -> Fraction:
        return Fraction(self.sample_rate, self.hop_length)

    def encode(self, samples: Tensor) -> Tensor:
        padded = torch.nn.functional.pad(samples, (0, -samples.shape[-1] % self.hop_length))
        return padded.unflatten(-1, (-1, self.hop_length)).permute(0, 2, 1, 3).flatten(2)

    def decode(self, latent: Tensor) -> Tensor:
        return latent.unflatten(-1, (self.channels, self.hop_length)).permute(0, 2, 1, 3).flatten(2)


def tone(seconds: float = 0.5) -> Audio:
    time_s = torch.arange(round(44100 * seconds)) / 44100
    return Audio(0.3 * torch.sin(2 * torch.pi * 440 * time_s).expand(2, -1), 44100)


@pytest.mark.parametrize(("sample_rate", "channels"), [(44100, 2), (44100, 1), (16000, 1), (48000, 2)])
def test_a_lossless_codec_returns_the_sound(sample_rate: int, channels: int) -> None:
    coded = through_codec(Lossless(sample_rate, channels), tone())
    assert coded.sample_rate == 44100 and coded.samples.shape == tone().samples.shape
    inside = slice(2000, -2000)
    torch.testing.assert_close(coded.samples[:, inside], tone().samples[:, inside], atol=2e-3, rtol=0)


def test_channels_are_averaged_and_repeated_and_lengths_fitted() -> None:
    stereo = Audio(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), 8000)
    assert with_channels(stereo, 1).samples.tolist() == [[2.0, 3.0]]
    assert with_channels(with_channels(stereo, 1), 2).samples.tolist() == [[2.0, 3.0]] * 2
    assert fitted(stereo.samples, 3).tolist() == [[1, 2, 0], [3, 4, 0]] and fitted(stereo.samples, 1).shape == (2, 1)
