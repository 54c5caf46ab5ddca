"""The vocoder's fast forms against the plain ones: activation, upsampling, convolution."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openfoley.codecs import bigvgan
from openfoley.codecs.bigvgan import Conv, Upsample, channels_innermost
from openfoley.codecs.snake import Snake, low_pass
from openfoley.nn import toom_cook


def plain_snake(x: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """[batch, channels, time]: zero-stuffed low-pass up, snake, low-pass down, edge values repeated."""
    width, taps = x.shape[1], low_pass().to(x.dtype)
    kernel = taps.expand(width, 1, -1)
    up = F.conv_transpose1d(F.pad(x, (5, 5), mode="replicate"), kernel, stride=2, groups=width)
    up = 2 * up[..., 15:-15]
    bent = up + (up * alpha.exp()[:, None]).sin().square() / (beta.exp()[:, None] + 1e-9)
    return F.conv1d(F.pad(bent, (5, 6), mode="replicate"), kernel, stride=2, groups=width)


@pytest.mark.parametrize("time", [1, 2, 7, 31, 32, 33, 200])
def test_snake_equals_its_plain_form_edges_included(time: int) -> None:
    snake = Snake(5)
    nn.init.normal_(snake.alpha, std=0.5)
    nn.init.normal_(snake.beta, std=0.5)
    x = 2 * torch.randn(3, 5, time)
    expected = plain_snake(x.double(), snake.alpha.double(), snake.beta.double()).float()
    torch.testing.assert_close(snake(channels_innermost(x))[:, :, 0], expected, atol=5e-6, rtol=0)


def test_snake_has_gradients() -> None:
    snake = Snake(2).double()
    x = torch.randn(1, 2, 40, dtype=torch.float64, requires_grad=True)
    snake(channels_innermost(x)).square().sum().backward()
    with torch.no_grad():
        step = torch.randn_like(x)
        plain = [
            plain_snake(x + s * 1e-5 * step, snake.alpha.double(), snake.beta.double()).square().sum() for s in (1, -1)
        ]
    assert x.grad is not None
    assert float((x.grad * step).sum()) == pytest.approx(float(plain[0] - plain[1]) / 2e-5, rel=1e-3)


@pytest.mark.parametrize("rate", [2, 4, 8])
def test_upsampling_equals_the_transposed_convolution(rate: int) -> None:
    layer = nn.ConvTranspose1d(6, 3, 2 * rate, rate, padding=rate // 2)
    state = bigvgan.from_mmaudio({f"ups.0.0.{key}": value for key, value in layer.state_dict().items()})
    ours = Upsample(6, 3, rate)
    ours.load_state_dict({key.removeprefix("ups.0."): value for key, value in state.items()})
    x = torch.randn(2, 6, 11)
    torch.testing.assert_close(ours(channels_innermost(x))[:, :, 0], layer(x), atol=1e-6, rtol=1e-5)


def test_convolution_takes_the_fast_path_only_where_it_is_exact() -> None:
    conv = Conv(192, 192, 11)
    x = channels_innermost(torch.randn(1, 192, 600))
    assert not toom_cook.pays(x, conv.weight)  # gradients are required
    with torch.no_grad():
        assert toom_cook.pays(x, conv.weight)
        assert not toom_cook.pays(x.bfloat16(), conv.weight.bfloat16())
        torch.testing.assert_close(conv(x), nn.Conv2d.forward(conv, x), atol=1e-5, rtol=0)


@pytest.mark.parametrize("config", [bigvgan.BIGVGAN_16K, bigvgan.BIGVGAN_V2_44K])
def test_context_covers_the_reach_of_one_frame(config: bigvgan.BigVganConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The outermost frames enter through 36 outermost filter taps of 1e-3 each: their gradient underflows."""
    monkeypatch.setattr(bigvgan, "INITIAL_CHANNELS", 64)
    vocoder = bigvgan.BigVgan(config)
    for parameter in vocoder.parameters():
        nn.init.normal_(parameter, std=0.2)
    middle = vocoder.context_frames + 2
    mel = torch.randn(1, config.mel_bands, 2 * middle + 1, requires_grad=True)
    wave = vocoder.conv_post(vocoder.activation_post(_features(vocoder, mel)))[:, :, 0]
    hop = config.hop_length
    (gradient,) = torch.autograd.grad(wave[..., middle * hop : (middle + 1) * hop].square().sum(), mel)
    touched = gradient.abs().sum((0, 1)).nonzero()[:, 0]
    reach = max(middle - int(touched.min()), int(touched.max()) - middle)
    assert vocoder.context_frames - 4 <= reach <= vocoder.context_frames


def _features(vocoder: bigvgan.BigVgan, mel: Tensor) -> Tensor:
    x = vocoder.conv_pre(channels_innermost(mel))
    for up, blocks in zip(vocoder.ups, vocoder.resblocks, strict=True):
        x = blocks(up(x))
    return x
