"""How often and how long sequences are masked."""

import pytest
import torch

from openfoley.flow.masking import LONGEST_SPAN, MaskKind, random_known

ALL_KINDS: tuple[MaskKind, ...] = ("span", "prefix", "suffix", "ends")


def draw(kinds: tuple[MaskKind, ...], probability: float = 1.0, latents: int = 345) -> torch.Tensor:
    return random_known(4000, latents, torch.Generator().manual_seed(3), probability=probability, kinds=kinds)


def runs(known: torch.Tensor) -> torch.Tensor:
    """Number of runs of True per row."""
    padded = torch.nn.functional.pad(known.int(), (1, 0))
    return (padded.diff(dim=1) == 1).sum(1)


def test_paper_mask_is_one_run_of_1_to_88_latents_in_a_quarter_of_sequences() -> None:
    known = draw(("span",), probability=0.25)
    length = known.sum(1)
    masked = length > 0
    assert abs(masked.float().mean().item() - 0.25) < 0.03
    assert (runs(known)[masked] == 1).all()
    assert length[masked].min() == 1 and length[masked].max() == LONGEST_SPAN
    assert abs(length[masked].float().mean().item() - (1 + LONGEST_SPAN) / 2) < 3
    assert known[:, :20].any() and known[:, -20:].any()


def test_prefix_starts_at_the_first_latent_and_reaches_90_percent() -> None:
    known = draw(("prefix",))
    assert known[:, 0].all() and (runs(known) == 1).all()
    assert 300 < known.sum(1).max() <= 0.9 * 345


def test_suffix_ends_at_the_last_latent() -> None:
    known = draw(("suffix",))
    assert known[:, -1].all() and (runs(known) == 1).all()


def test_ends_leaves_one_gap() -> None:
    known = draw(("ends",))
    assert (runs(~known) == 1).all()
    assert known.sum(1).max() <= 0.9 * 345
    assert (known[:, 0] & known[:, -1]).float().mean() > 0.8


@pytest.mark.parametrize("latents", [2, 5, 60])
def test_something_always_stays_unknown(latents: int) -> None:
    known = draw(ALL_KINDS, latents=latents)
    assert (~known).any(1).all()
    assert known.any(1).all()
