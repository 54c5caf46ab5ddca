"""Seed ranges of the Gym, fixed in one place so that training and evaluation never mix."""

from typing import Literal

from openfoley.errors import UsageError

Split = Literal["train", "validation", "evaluation", "heldout"]
SEED_RANGES: dict[Split, range] = {
    "train": range(0, 10_000_000),
    "validation": range(10_000_000, 20_000_000),
    "evaluation": range(20_000_000, 30_000_000),
    "heldout": range(30_000_000, 40_000_000),  # actions, materials and styles that are not in training
}


def split_of(seed: int) -> Split:
    """The split a seed belongs to."""
    for name, seeds in SEED_RANGES.items():
        if seed in seeds:
            return name
    raise UsageError(f"a Gym seed must be in 0..{SEED_RANGES['heldout'].stop - 1}, got {seed}; pass a smaller seed")


def seeds_of(split: Split, count: int, first: int = 0) -> list[int]:
    """`count` seeds of a split, from its `first`-th on."""
    seeds = SEED_RANGES[split]
    if not 0 <= first <= first + count <= len(seeds):
        raise UsageError(f"the {split} split has {len(seeds)} seeds, got {first}..{first + count - 1}")
    return list(seeds[first : first + count])
