"""The codec before its first step: scaled by the data, and with their principal components."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.codecs.oobleck import OobleckCodec, OobleckConfig
from openfoley.codecs.spectral_oobleck import SpectralOobleckCodec, SpectralOobleckConfig
from openfoley.training.codec.crops import random_crops

GymCodec = OobleckCodec | SpectralOobleckCodec

START_STD = 0.1  # of the posterior around latents of unit variance
SMALL = 0.05  # factor that leaves the posterior's deviation nearly constant
START_BATCH = 32  # crops that the untrained codec is scaled by
START_BATCHES = 60  # of them, for the principal components: 4 minutes of sound


def started(
    architecture: OobleckConfig | SpectralOobleckConfig, training: np.ndarray, crop: int, random: torch.Generator
) -> GymCodec:
    """The untrained codec, scaled by the data and with their principal components. On the CPU, wherever it is trained:
    the same start everywhere."""
    codec = build_codec(architecture)
    start_balanced(codec, random_crops(training, START_BATCH, crop, random))
    if isinstance(codec, SpectralOobleckCodec):
        codec.start_from_components(random_crops(training, START_BATCH, crop, random) for _ in range(START_BATCHES))
    return codec


def build_codec(architecture: OobleckConfig | SpectralOobleckConfig) -> GymCodec:
    """Random weights."""
    return OobleckCodec(architecture) if isinstance(architecture, OobleckConfig) else SpectralOobleckCodec(architecture)


@torch.no_grad()
def start_balanced(codec: GymCodec, true: Float[Tensor, "batch 2 time"]) -> None:
    """Scales the untrained codec by a batch of the data.

    Untouched, torch's random biases bury the sound, the latents start as a constant under the posterior's noise (mean
    0.06, deviation 0.69), and the decoder starts tens of dB too loud. Without biases quiet stays quiet through all
    layers (a Snake is nearly linear near 0); the latents start with unit variance over a small noise, and the decoder
    at the level of the data.
    """
    for module in codec.modules():
        if isinstance(module, (nn.Conv1d, nn.ConvTranspose1d)) and module.bias is not None:
            module.bias.zero_()
    to_latent, dim = codec.encoder.conv2, codec.latent_dim
    assert to_latent.bias is not None
    mean, _ = codec.posterior(true)
    to_latent.weight[:dim].div_(mean.std())
    to_latent.weight[dim:].mul_(SMALL)  # not 0: weight norm divides by its length
    to_latent.bias[dim:] = math.log(math.expm1(START_STD))  # softplus of it is START_STD
    if isinstance(codec, SpectralOobleckCodec):  # beside its linear path it predicts nothing yet
        to_latent.weight[:dim].mul_(SMALL)
        codec.decoder.conv2.weight.mul_(SMALL / codec.decoder(mean).std())
        return
    decoded = codec.reconstruct(codec.posterior(true)[0])
    codec.decoder.conv2.weight.mul_(true.std() / decoded.std())


def add_weight_norm(codec: nn.Module) -> None:
    """Length and direction of every convolution's weights apart, as Oobleck trains; `fold_weight_norm` undoes it."""
    for module in list(codec.modules()):
        if isinstance(module, (nn.Conv1d, nn.ConvTranspose1d)) and module.weight.requires_grad:
            nn.utils.parametrizations.weight_norm(module)
