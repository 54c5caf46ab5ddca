"""The straight path from noise to data, its velocity, and the times at which a training asks for it.

x_t = (1 - t) x_0 + t x_1,   dx_t / dt = x_1 - x_0      (t = 0 noise, t = 1 data; arXiv 2510.02916, section 3.3)
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Latents = Float[Tensor, "batch latents dim"]
Rows = Float[Tensor, " batch"]  # one number a sequence
IsKnown = Bool[Tensor, "batch latents"]  # latents that are clean already
Velocity = Callable[[Latents, Rows, Rows, IsKnown], Latents]
"""velocity(x_t, t, step, known), see `generators.base.Generator`."""


def on_path(noise: Latents, data: Latents, t: Rows) -> Latents:
    """x_t."""
    t = t[:, None, None]
    return (1 - t) * noise + t * data


def path_velocity(noise: Latents, data: Latents) -> Latents:
    """x_1 - x_0, the flow-matching target of Eq. 2."""
    return data - noise


def velocity_error(predicted: Latents, target: Latents, known: IsKnown) -> Rows:
    """Squared error averaged over the channels and the unknown latents (section 3.2); 0 where none is unknown."""
    per_latent = (predicted.float() - target.float()).square().mean(-1)
    unknown = (~known).to(per_latent.dtype)
    return (per_latent * unknown).sum(1) / unknown.sum(1).clamp(min=1.0)


def logit_normal_times(count: int, generator: torch.Generator, mean: float = 0.0, spread: float = 1.0) -> Rows:
    """t = sigmoid(n), n ~ N(mean, spread), on the generator's device.

    The paper says "log-normal" (A.4); on 0 < t < 1 this is the logit-normal of Stable Diffusion 3 (arXiv 2403.03206,
    section 3.1). The louder the data beside the noise, the nearer to t = 0 the result is decided (section 5.3.2 there).
    """
    return (mean + spread * torch.randn(count, generator=generator, device=generator.device)).sigmoid()
