"""Noise by place: the same latent of a sound has the same noise in every window that generates it.

Latents are counted from the beginning of the picture, in blocks; a block's noise depends on the seed and its number
alone. So two windows that both generate some latents, which are then crossfaded, start them alike. What is generated
apart (a regenerated span, a cue) has a seed of its own: `synthesis.windows.own_seed`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 64  # latents; drawn whole, so a block should be short against a window (345)


@dataclass(frozen=True)
class NoiseSource:
    """The noise of the latents [first, first + latents), a row for each seed; first may be negative."""

    seeds: Sequence[int]
    latents: int
    first: int = 0

    def draw(self, channels: int, device: torch.device | str = "cpu") -> Float[Tensor, "seeds latents channels"]:
        """float32. A row depends on its seed and `first` alone, whatever the batch and the device."""
        blocks = range(self.first // BLOCK, -(-(self.first + self.latents) // BLOCK))
        skipped = self.first - blocks.start * BLOCK
        rows = [torch.cat([_block(seed, number, channels) for number in blocks]) for seed in self.seeds]
        return torch.stack(rows)[:, skipped : skipped + self.latents].to(device)

    @property
    def window_seeds(self) -> list[int]:
        """Seeds of noise that depends on the window too."""
        return [spread_seed(seed, self.first) for seed in self.seeds]


def _block(seed: int, number: int, channels: int) -> Tensor:
    generator = torch.Generator().manual_seed(spread_seed(seed, number))
    return torch.randn(BLOCK, channels, generator=generator)


def spread_seed(seed: int, number: int) -> int:
    """A seed of 63 bits that depends on both; number: of any sign."""
    counted = 2 * number if number >= 0 else -2 * number - 1
    (state,) = np.random.SeedSequence([seed, counted]).generate_state(1, np.uint64)
    return int(state) >> 1
