"""Sequences that share some latents and are denoised together (SaFa, arXiv 2502.05130).

After every step the shared latents are exchanged, every other one, between two neighbours: each goes on with latents of
both. Averaging them instead (MultiDiffusion, arXiv 2302.08113) makes them smooth, which costs sound its high
frequencies.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Shared:
    """The same `count` latents: from index `left` on in one sequence, from `right` on in its neighbour."""

    left: int
    right: int
    count: int

    def exchanged(
        self, one: Float[Tensor, "batch latents dim"], other: Float[Tensor, "batch others dim"]
    ) -> tuple[Float[Tensor, "batch latents dim"], Float[Tensor, "batch others dim"]]:
        """Both with every second shared latent, from the second one on, taken from the other."""
        odd = torch.arange(self.count, device=one.device)[:, None] % 2 == 1
        here, there = slice(self.left, self.left + self.count), slice(self.right, self.right + self.count)
        first, second = one.clone(), other.clone()
        first[:, here] = torch.where(odd, other[:, there], one[:, here])
        second[:, there] = torch.where(odd, one[:, here], other[:, there])
        return first, second
