"""From noise to a latent in N equal Euler steps: x <- x + v(x, i / N, d) / N.

Beyond the paper the noise may be smaller than in training, as temperatures below 1 are used with other flows (Kingma
and Dhariwal, arXiv 1807.03039, section 6): what is likely is made, what is merely possible is not. On 32 validation
scenes, 8 steps, guidance 4, temperatures of 1, 0.8, 0.7, 0.6, 0.5 give an event F1 of 0.738, 0.769, 0.761, 0.775, 0.751
and 60, 48, 48, 46, 39 false events a minute in silent scenes.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from openfoley.flow.shortcut import Velocity

LARGEST_STEP_COUNT = 128
DEFAULT_TEMPERATURE = 0.7  # measured above; 1 is the paper


def seeded_noise(seeds: Sequence[int], latents: int, channels: int, device: torch.device | str = "cpu") -> Tensor:
    """float32 [len(seeds), latents, channels]. A row depends on its seed alone, whatever the batch and the device."""
    rows = [torch.randn(latents, channels, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    return torch.stack(rows).to(device)


@torch.no_grad()
def sample(
    velocity: Velocity,
    noise: Tensor,
    known_latent: Tensor,
    known: Tensor,
    *,
    steps: int,
    step_size: float,
    on_step: Callable[[int], None] | None = None,
) -> Tensor:
    """The latent [batch, latent_time, channels] at t = 1.

    known_latent: like noise; where `known` [batch, latent_time] is True it enters clean and leaves bit for bit.
    step_size: what the model is told (`times.trained_step`). on_step: called with the number of steps done.
    """
    if not 1 <= steps <= LARGEST_STEP_COUNT:
        raise ValueError(f"steps must be 1 to {LARGEST_STEP_COUNT}, got {steps}")
    inside = known[..., None]
    batch = noise.shape[0]
    told = torch.full((batch,), step_size, device=noise.device)
    x = torch.where(inside, known_latent, noise)
    for number in range(steps):
        t = torch.full((batch,), number / steps, device=noise.device)
        x = torch.where(inside, known_latent, x + velocity(x, t, told, known).to(x.dtype) / steps)
        if on_step is not None:
            on_step(number + 1)
    return x
