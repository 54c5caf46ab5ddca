"""bfloat16 against float32 for MMAudio's network, both versions: python benchmarks/mmaudio_precision.py [VARIANT ...].

Relative errors (L2) of the time embedding over 25 sampling times, ours (sinusoids in float32) and with frequencies,
time and sinusoids in bfloat16 as the published demo has them; and of the velocity at t = 0.04, 0.4 and 0.96. Random
weights. small-16k:2 is a network of that size with version 2's clock and activations.
"""

import sys

import torch
import torch.nn.functional as F
from mmaudio_flow import random_conditions, random_model, velocity
from torch import Tensor

from openfoley.generators.mmaudio.conditioning import TimeEmbedding

TIMES = (0.04, 0.4, 0.96)
DEFAULT = ("small-16k", "small-16k:2", "large-44k-v2")


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found.float() - expected).norm() / expected.norm())


def all_bfloat16(clock: TimeEmbedding, t: Tensor) -> Tensor:
    """The time embedding when everything about it was cast to bfloat16, weights included."""
    frequencies = clock.angles(torch.ones(1))[0].bfloat16()
    angle = t.bfloat16()[..., None] * frequencies
    x = torch.cat((angle.cos(), angle.sin()), -1)
    x = F.silu(F.linear(x, clock.first.weight, clock.first.bias))
    return F.linear(x, clock.second.weight, clock.second.bias)


@torch.inference_mode()
def main(*variants: str) -> None:
    torch.set_num_threads(1)
    for variant in variants or DEFAULT:
        model = random_model(variant)
        clock, config = model.conditions.time, model.config
        steps = torch.arange(25) / 25
        x, conditions = torch.randn(1, config.window_latents, config.latent_dim), random_conditions(model)
        exact_clock = clock(steps)
        prepared = model.prepare(conditions, x.shape[1])
        exact = [velocity(model, x, torch.tensor([t]), prepared) for t in TIMES]
        model = model.to(torch.bfloat16)
        prepared = model.prepare(conditions, x.shape[1])
        found = [velocity(model, x, torch.tensor([t]), prepared) for t in TIMES]
        errors = [relative(one, right) for one, right in zip(found, exact, strict=True)]
        listed = ", ".join(f"{error:.2%} at t = {t}" for error, t in zip(errors, TIMES, strict=True))
        print(f"{variant} (version {config.version}): time embedding {relative(clock(steps), exact_clock):.3%}", end="")
        print(
            f" (all bfloat16: {relative(all_bfloat16(clock, steps), exact_clock):.1%}); velocity {listed}", flush=True
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
