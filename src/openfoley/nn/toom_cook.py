"""Convolution over time with half the multiplications (Toom and Cook; for networks: Lavin and Gray, arXiv 1509.09308).

m outputs of a filter of r taps are a product of polynomials read backwards. With n = m + r - 1 points p_i, the last of
them infinity, and the Vandermonde matrix V_k [n, k] = p_i^j,

    y = V_m^T ((V_r w) * (V_n^-T x)),

which takes n products instead of m r. Here m = r = 4 and n = 7 (m = 4, r = 3 and n = 6 for three taps), and a product
is a matrix over channels, so that these small transforms cost little beside it. Longer filters are sums of filters of
r = m taps, whose transformed inputs are the same, m samples apart. The rounding error is four times that of the direct
sum in float32 (1e-6 against 2.6e-7, relative); for bfloat16 it is too large.
"""

from functools import cache

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

OUTPUTS = 4  # m
POINTS = {4: (0.0, 1.0, 0.5, 2.0, -0.75, -1.5), 3: (0.0, 0.5, -0.75, 1.5, -1.5)}  # by r; best of a search over such
MIN_CHANNELS = {3: 384, 7: 192, 11: 96}  # by taps; measured: below, the transforms cost more than they save
MIN_TIME = 512  # samples
BLOCK_NUMBERS = 1 << 20  # transformed input at once, so that it stays in the cache


Weight = Float[Tensor, "out channels 1 taps"]


def pays(x: Float[Tensor, "batch channels 1 time"], weight: Weight) -> bool:
    """Whether `convolve` is faster than the library."""
    return (
        x.dtype == torch.float32
        and x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and min(weight.shape[:2]) >= MIN_CHANNELS.get(weight.shape[3], 1 << 30)
        and x.shape[-1] >= MIN_TIME
    )


def convolve(
    x: Float[Tensor, "batch channels 1 time"], weight: Weight, bias: Float[Tensor, " out"], dilation: int
) -> Float[Tensor, "batch out 1 time"]:
    """Centred convolution; an odd number of taps."""
    rows = torch.stack([_one(row[:, 0].mT, weight[:, :, 0], bias, dilation) for row in x])
    return rows[:, None].permute(0, 3, 1, 2)


def _one(x: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
    """[time, in], [out, in, taps] -> [time, out]. A dilated filter acts on `dilation` interleaved signals."""
    time, taps = x.shape[0], weight.shape[2]
    size = 3 if taps == 3 else OUTPUTS  # r
    parts = -(-taps // size)
    to_output, to_weight, to_input = transforms(size)
    points = to_input.shape[0]
    flat = F.pad(weight, (0, parts * size - taps)).flatten(0, 1)  # [out in, parts size]
    kernels = [(to_weight @ part.mT).view(points, *weight.shape[:2]).mT for part in flat.split(size, 1)]
    tiles = -(-time // (dilation * OUTPUTS))
    length = dilation * (OUTPUTS * (tiles + parts - 2) + points)
    before = dilation * (taps // 2)
    padded = F.pad(x, (0, 0, before, length - before - time))
    per_block = max(1, BLOCK_NUMBERS // (points * dilation * x.shape[1]))
    y = x.new_empty(tiles * OUTPUTS * dilation, weight.shape[0])
    for first in range(0, tiles, per_block):
        count = min(per_block, tiles - first)
        step = OUTPUTS * dilation * x.shape[1]
        windows = padded.as_strided(
            (points, count + parts - 1, dilation * x.shape[1]), (dilation * x.shape[1], step, 1), first * step
        )
        seen = (to_input @ windows.reshape(points, -1)).view(points, count + parts - 1, dilation, x.shape[1])
        total = torch.bmm(seen[:, :count].flatten(1, 2), kernels[0])
        for part in range(1, parts):
            total.baddbmm_(seen[:, part : part + count].flatten(1, 2), kernels[part])
        outputs = (to_output @ total.view(points, -1)).view(OUTPUTS, count, dilation, -1)
        block = y[first * OUTPUTS * dilation : (first + count) * OUTPUTS * dilation]
        torch.add(outputs.transpose(0, 1), bias, out=block.view(count, OUTPUTS, dilation, -1))
    return y[:time]


@cache
def transforms(size: int) -> tuple[Float[Tensor, "m n"], Float[Tensor, "n r"], Float[Tensor, "n n"]]:
    """V_m^T, V_r and V_n^-T for filters of r = `size` taps; rows of V_r scaled to sum to one."""
    points = torch.tensor(POINTS[size], dtype=torch.float64)
    count = len(points) + 1

    def vandermonde(columns: int) -> Tensor:
        finite = points[:, None] ** torch.arange(columns)
        infinite = F.one_hot(torch.tensor([columns - 1]), columns)
        return torch.cat([finite, infinite])

    scale = vandermonde(size).abs().sum(1, keepdim=True)
    to_input = torch.linalg.inv(vandermonde(count)).mT * scale
    return vandermonde(OUTPUTS).mT.float(), (vandermonde(size) / scale).float(), to_input.float()
