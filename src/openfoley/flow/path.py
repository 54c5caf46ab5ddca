"""The straight path from noise to data and its velocity.

x_t = (1 - t) x_0 + t x_1,   dx_t / dt = x_1 - x_0      (t = 0 noise, t = 1 data; arXiv 2510.02916, section 3.3)
"""

from torch import Tensor


def on_path(noise: Tensor, data: Tensor, t: Tensor) -> Tensor:
    """x_t for noise and data [batch, latent_time, channels] and t [batch]."""
    t = t[:, None, None]
    return (1 - t) * noise + t * data


def path_velocity(noise: Tensor, data: Tensor) -> Tensor:
    """x_1 - x_0, the flow-matching target of Eq. 2."""
    return data - noise


def velocity_error(predicted: Tensor, target: Tensor, known: Tensor) -> Tensor:
    """Squared error averaged over the channels and the unknown latents: one value per sequence, [batch].

    Known latents ([batch, latent_time] bool) do not contribute (section 3.2). A sequence without unknown latents has
    the error 0.
    """
    per_latent = (predicted.float() - target.float()).square().mean(-1)
    unknown = (~known).to(per_latent.dtype)
    return (per_latent * unknown).sum(1) / unknown.sum(1).clamp(min=1.0)
