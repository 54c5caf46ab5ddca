"""Clips as latents of published VAEs: shapes, padding, scale and time, with VAEs that can be followed by hand."""

from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openfoley.codecs.folded import mel_of
from openfoley.codecs.latent_pairs import LatentPairCodec

SCALE = 0.25


class Averages(nn.Module):
    """Latents are means of blocks; back, every block has its mean. factor: pixels of a block's side."""

    def __init__(self, levels: int, channels: int) -> None:
        super().__init__()
        self.factor = 2 ** (levels - 1)
        self.config = SimpleNamespace(block_out_channels=(4,) * levels, latent_channels=channels, scaling_factor=SCALE)
        self.nothing = nn.Parameter(torch.zeros(1))
        self.most = 0

    def encode(self, x: Tensor) -> SimpleNamespace:
        self.most = max(self.most, len(x))
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=F.avg_pool2d(x, self.factor)))

    def decode(self, z: Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=F.interpolate(z, scale_factor=self.factor, mode="nearest"))


class Loudness(nn.Module):
    """A vocoder that holds each row's mean for 10 ms, and then gives a few samples more."""

    def forward(self, level: Tensor) -> Tensor:
        return F.pad(level.mean(-1).repeat_interleave(160, dim=1), (0, 32), value=9.0)


@pytest.fixture
def codec() -> LatentPairCodec:
    return LatentPairCodec(Averages(4, 3), Averages(3, 1), Loudness(), size=32)


def test_shapes_are_the_published_ones(codec: LatentPairCodec) -> None:
    assert codec.video_shape(32) == (3, 32, 4, 4)
    assert codec.sound_steps(64_000) == 100 and codec.audio_shape(64_000) == (1, 104, 16)
    assert codec.audio_shape(32_000) == (1, 56, 16)


def test_pictures_keep_their_order_and_their_colours(codec: LatentPairCodec) -> None:
    grey = torch.arange(12, dtype=torch.uint8).view(2, 6, 1, 1, 1) * 20
    frames = grey.expand(2, 6, 3, 32, 32).contiguous()
    latents = codec.encode_video(frames)
    assert latents.shape == (2, *codec.video_shape(6))
    torch.testing.assert_close(latents[1, 0, 2, 0, 0], torch.tensor(SCALE * (160 / 127.5 - 1)))
    assert torch.equal(codec.decode_video(latents), frames)
    assert codec.picture_vae.most == 4  # no more at once


def test_a_sound_is_padded_to_a_multiple_of_eight_steps_and_comes_back_longer(codec: LatentPairCodec) -> None:
    sounds = 0.1 * torch.randn(2, 64_000)
    latents = codec.encode_audio(sounds)
    assert latents.shape == (2, 1, 104, 16) and not latents[:, :, 100:].any()
    level = mel_of(sounds)
    torch.testing.assert_close(latents[:, 0, 7, 3], SCALE * level[:, 28:32, 12:16].mean((1, 2)))
    made = codec.decode_audio(latents)
    assert made.shape == (2, 416 * 160)
    torch.testing.assert_close(made[:, 28 * 160], level[:, 28:32].mean((1, 2)))
