"""Starts the codec as a filter bank: training begins at what the latents must tell, not at what a frequency is.

A strided convolution of kernel 2 M and stride M is what a lapped transform is made of. With the cosines of an MDCT of M
bands under a sine window (Princen and Bradley 1986) the downsampling layers split the sound into bands, and the
upsampling ones, transposed, put them together again without loss. The layers above the latents' own start that way: mid
and side (left + right, left - right) into ever finer bands, the highest side bands left out where the channels do not
suffice. Residual units start small, and the Snakes between the layers nearly linear.
"""

import math

import torch
from torch import Tensor

from openfoley.codecs.oobleck import OobleckCodec

RESIDUAL = 0.1  # size of the residual units' last convolutions at the start
NEARLY_LINEAR = math.log(0.05)  # logarithm of a Snake's frequency: x + sin(a x)^2 / a is x + a x^2 for small a


@torch.no_grad()
def start_as_filter_bank(codec: OobleckCodec) -> None:
    """Overwrites the resampling convolutions above the slowest stage; needs stereo and a hopping stem."""
    config, encoder, decoder = codec.config, codec.encoder, codec.decoder
    pairs = [(encoder.conv1, decoder.conv2, config.stem_stride)]
    stages = len(config.strides) - 1  # the last one is left to learn
    for index in range(stages):
        pairs.append((encoder.block[index].conv1, decoder.block[-1 - index].conv_t1, config.strides[index]))
    bands = torch.tensor([[1.0, 1.0], [1.0, -1.0]]) / math.sqrt(2)  # [band, left or right]
    middles = [(0.0, 0.5, 0), (0.0, 0.5, 1)]  # lowest and highest frequency (cycles per sample) and mid 0 or side 1
    for index, (down, up, stride) in enumerate(pairs):
        kernel, middles = _split(middles, stride, down.out_channels, down.kernel_size[0])
        if index == 0:
            kernel = torch.einsum("obk,bc->ock", kernel, bands)
        used = len(middles)
        for weight in (down.weight, up.weight):
            weight[:used] = 0.0
            weight[:, kernel.shape[1] :] *= RESIDUAL
            weight[:used, : kernel.shape[1]] = kernel
        up.weight[used:] *= RESIDUAL  # channels that carry no band yet
    for module in (encoder, decoder):
        for name, layer in module.named_modules():
            if "res_unit" in name and name.endswith("conv2"):
                layer.weight.mul_(RESIDUAL)
            if "snake" in name and "res_unit" not in name:
                layer.alpha.fill_(NEARLY_LINEAR)
                layer.beta.fill_(NEARLY_LINEAR)


Band = tuple[float, float, int]


def _split(parents: list[Band], stride: int, width: int, size: int) -> tuple[Tensor, list[Band]]:
    """Each parent band into `stride` ones: kernel [children, parents, size] and the children, at most `width`.

    A band of odd index in its own transform comes out with its frequencies turned round, which the ends tell: `lowest`
    is the frequency that lies at 0 after decimation.
    """
    basis = torch.zeros(stride, size)
    margin = (size - 2 * stride) // 2
    basis[:, margin : size - margin] = lapped_cosines(stride)
    found = []
    for parent, (at_zero, at_end, side) in enumerate(parents):
        step = (at_end - at_zero) / stride
        for band in range(stride):
            edges = at_zero + band * step, at_zero + (band + 1) * step
            found.append((edges if band % 2 == 0 else edges[::-1], side, parent, band))
    found.sort(key=lambda child: (sum(child[0]) * (1 + child[1]), child[1]))  # side counts as twice as high
    kept = sorted(found[:width], key=lambda child: (child[1], sum(child[0])))
    kernel = torch.zeros(len(kept), len(parents), size)
    for row, (_, _, parent, band) in enumerate(kept):
        kernel[row, parent] = basis[band]
    return kernel, [(*edges, side) for edges, side, _, _ in kept]


def lapped_cosines(bands: int) -> Tensor:
    """The MDCT's basis under a sine window: [bands, 2 bands], orthonormal with its shifts by `bands`."""
    sample = torch.arange(2 * bands, dtype=torch.float64)[None]
    band = torch.arange(bands, dtype=torch.float64)[:, None]
    window = torch.sin(math.pi / (2 * bands) * (sample + 0.5))
    phase = math.pi / bands * (sample + 0.5 + bands / 2) * (band + 0.5)
    return (math.sqrt(2 / bands) * window * torch.cos(phase)).float()
