"""Fast convolution beside the library's."""

import pytest
import torch
import torch.nn.functional as F

from openfoley.codecs.bigvgan import channels_innermost
from openfoley.nn import toom_cook


@pytest.mark.parametrize("taps", [3, 7, 11])
@pytest.mark.parametrize("dilation", [1, 3, 5])
@pytest.mark.parametrize("time", [40, 601])
def test_toom_cook_convolution_equals_the_direct_one(taps: int, dilation: int, time: int) -> None:
    x, weight, bias = torch.randn(2, 24, time), torch.randn(16, 24, 1, taps) / 8, torch.randn(16)
    direct = F.conv1d(
        x.double(), weight[:, :, 0].double(), bias.double(), padding=dilation * (taps // 2), dilation=dilation
    )
    ours = toom_cook.convolve(channels_innermost(x), weight, bias, dilation)[:, :, 0]
    assert (ours - direct).norm() / direct.norm() < 2e-6
    assert ours.stride(1) == 1  # channels stay innermost
