"""Random times for training.

Flow matching: logit-normal, t = sigmoid(n), n ~ N(mean, spread). The paper says "log-normal" (arXiv 2510.02916, A.4);
on 0 < t < 1 this is the logit-normal of Stable Diffusion 3 (arXiv 2403.03206, section 3.1), with mean 0 and spread 1.
The louder the data beside the noise, the nearer to t = 0 the result is decided (section 5.3.2 there).
Shortcut steps: t on multiples of the step (Frans et al., arXiv 2410.12557, section 3).
"""

from fractions import Fraction

import torch
from jaxtyping import Float
from torch import Tensor

Times = Float[Tensor, " count"]


def logit_normal_times(count: int, generator: torch.Generator, mean: float = 0.0, spread: float = 1.0) -> Times:
    """Times in (0, 1), on the generator's device."""
    return (mean + spread * torch.randn(count, generator=generator, device=generator.device)).sigmoid()


def shortcut_steps(smallest: Fraction) -> list[Fraction]:
    """The trained step sizes smallest, 2 smallest, ..., 1; smallest must be 1 / a power of two."""
    steps = [smallest]
    while steps[-1] < 1:
        steps.append(2 * steps[-1])
    if steps[-1] != 1:
        raise ValueError(f"the smallest shortcut step must be 1 / a power of two, got {smallest}")
    return steps


def shortcut_times(count: int, smallest: Fraction, generator: torch.Generator) -> tuple[Times, Times]:
    """Times and steps: any trained step, and any of its multiples below 1, equally likely."""
    sizes = torch.tensor([float(step) for step in shortcut_steps(smallest)], device=generator.device)
    step = sizes[torch.randint(len(sizes), (count,), generator=generator, device=generator.device)]
    position = torch.rand(count, generator=generator, device=generator.device)
    return (position / step).floor() * step, step


def trained_step(steps: int, smallest: Fraction | None) -> float:
    """The step size that the model receives when `steps` are taken: the largest trained one not above 1 / steps, else
    0. smallest None: trained by flow matching alone, always 0 (the instantaneous velocity)."""
    if smallest is None:
        return 0.0
    return float(max((step for step in shortcut_steps(smallest) if step <= Fraction(1, steps)), default=Fraction(0)))
