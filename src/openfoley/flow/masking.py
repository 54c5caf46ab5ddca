"""Known latents: clean in their sequence from the start. Which ones are, in training.

The paper keeps a contiguous run of 1 to 88 latents (2 s) clean in a quarter of sequences (arXiv 2510.02916, sections
3.2 and A.4). `MaskKind` "span" is that; "prefix", "suffix" and "ends" (a prefix and a suffix) up to 90 % of the
sequence go beyond the paper, for windows that continue or bridge existing sound.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from openfoley.flow.path import IsKnown, Latents

MaskKind = Literal["span", "prefix", "suffix", "ends"]

MASK_PROBABILITY = 0.25  # of sequences, A.4
LONGEST_SPAN = 88  # latents, A.4
LARGEST_FRACTION = 0.9  # of the sequence, for the kinds beyond the paper


@dataclass(frozen=True)
class Known:
    """Latents that are clean already: they enter the sequence as they are and leave bit for bit."""

    latent: Latents
    is_known: IsKnown


def random_known(
    batch: int, latents: int, generator: torch.Generator, *, probability: float, kinds: tuple[MaskKind, ...]
) -> IsKnown:
    """On the generator's device: all False, or with `probability` a mask of a random kind. At least one latent of each
    sequence stays unknown."""
    device = generator.device

    def uniform() -> Tensor:
        return torch.rand(batch, generator=generator, device=device)

    masked = uniform() < probability
    kind = torch.randint(len(kinds), (batch,), generator=generator, device=device)
    length_draw, place_draw = uniform(), uniform()
    index = torch.arange(latents, device=device)
    known = torch.zeros(batch, latents, dtype=torch.bool, device=device)
    for number, name in enumerate(kinds):
        start, end = _clean_or_open_run(name, latents, length_draw, place_draw)
        inside = (index >= start[:, None]) & (index < end[:, None])
        known = torch.where((kind == number)[:, None], ~inside if name == "ends" else inside, known)
    return known & masked[:, None]


def _clean_or_open_run(kind: MaskKind, latents: int, length_draw: Tensor, place_draw: Tensor) -> tuple[Tensor, Tensor]:
    """First and end index of the clean run (of the run to generate for "ends"), from two uniform draws [batch]."""
    longest = min(LONGEST_SPAN, latents - 1) if kind == "span" else max(1, int(LARGEST_FRACTION * latents))
    length = 1 + (length_draw * longest).floor()
    if kind == "ends":
        length = latents - length
    room = latents - length
    if kind == "prefix":
        start = torch.zeros_like(length)
    elif kind == "suffix":
        start = room
    else:
        start = (place_draw * (room + 1)).floor()
    return start, start + length
