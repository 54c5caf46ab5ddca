"""The straight path from noise to data and its velocity.

x_t = (1 - t) x_0 + t x_1,   dx_t / dt = x_1 - x_0      (t = 0 noise, t = 1 data; arXiv 2510.02916, section 3.3)
"""

from jaxtyping import Bool, Float
from torch import Tensor

Latents = Float[Tensor, "batch latents dim"]
Rows = Float[Tensor, " batch"]  # one number a sequence
IsKnown = Bool[Tensor, "batch latents"]  # latents that are clean already


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
