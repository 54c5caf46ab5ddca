"""Seeds of the Gym, fixed in one place so that training and evaluation never mix: a seed determines world and split."""

from collections.abc import Iterable
from typing import Literal, get_args

from openfoley.errors import UsageError, require_package
from openfoley.gym.bodies.kernel_cache import check_kernel_cache

World = Literal["flat", "bodies", "close-up", "long"]
"""flat: face-on things with closed-form motion; bodies: solid bodies in three dimensions (extra `gym`); close-up: one
thing of the flat world that fills the picture, for clips of 2 s as small pictures; long: the flat world's things in
scenes of minutes, with sounds that last over cuts."""
Split = Literal["train", "validation", "evaluation", "heldout"]
"""heldout: actions, materials and styles that are not in training."""
WORLDS: tuple[World, ...] = ("flat", "bodies")
"""Those that sound for video is trained on and judged in, in clips of some seconds."""
SCENE_WORLDS: tuple[World, ...] = (*WORLDS, "long")
"""Those whose scenes have any duration."""
SPLITS: tuple[Split, ...] = get_args(Split)
SEEDS_PER_SPLIT = 10_000_000
FIRST_SEEDS: dict[World, int] = {"flat": 0, "bodies": 100_000_000, "close-up": 200_000_000, "long": 300_000_000}
GOLDEN = (5**0.5 - 1) / 2
"""Its multiples, modulo 1, fill 0..1 evenly however many are taken."""
VERSIONS: dict[World, int] = {"flat": 2, "bodies": 3, "close-up": 1, "long": 1}
"""Incremented when a seed of that world gives another scene, picture or sound than before."""


def seed_range(split: Split, world: World = "flat") -> range:
    """All seeds of a split."""
    first = FIRST_SEEDS[world] + SPLITS.index(split) * SEEDS_PER_SPLIT
    return range(first, first + SEEDS_PER_SPLIT)


def world_of(seed: int) -> World:
    """The world a seed belongs to. Raises UsageError for a seed of none."""
    for world in FIRST_SEEDS:
        if seed in _all_seeds(world):
            return world
    allowed = " or ".join(f"{_words(world)} ({world})" for world in FIRST_SEEDS)
    raise UsageError(f"a Gym seed must be in {allowed}, got {seed}; pass one of these")


def split_of(seed: int, world: World = "flat") -> Split:
    """The split a seed of this world belongs to. Raises UsageError for a seed of another."""
    seeds = _all_seeds(world)
    if seed not in seeds:
        others = "; ".join(f"world {other} has {_words(other)}" for other in FIRST_SEEDS if other != world)
        raise UsageError(f"a Gym seed of world {world} must be in {_words(world)}, got {seed}; {others}")
    return SPLITS[(seed - seeds.start) // SEEDS_PER_SPLIT]


def seeds_of(split: Split, count: int, first: int = 0, world: World = "flat") -> list[int]:
    """`count` seeds of a split, from its `first`-th on."""
    seeds = seed_range(split, world)
    if not 0 <= first <= first + count <= len(seeds):
        raise UsageError(f"the {split} split has {len(seeds)} seeds, got {first}..{first + count - 1}")
    return list(seeds[first : first + count])


def mixed_seeds(split: Split, count: int, first: int = 0, *, bodies: float) -> list[int]:
    """As `seeds_of`, from both worlds: the share `bodies` (0..1) of them shows solid bodies, evenly spread over any run
    of seeds and over every n-th of them. Calls with disjoint places in the split share no seed."""
    if not 0 <= bodies <= 1:
        raise UsageError(f"the share of scenes with bodies must be in 0..1, got {bodies}; 0 is the flat world alone")
    flat, solid = (seeds_of(split, count, first, world) for world in WORLDS)
    return [b if (first + k) * GOLDEN % 1 < bodies else f for k, (f, b) in enumerate(zip(flat, solid, strict=True))]


def check_worlds(seeds: Iterable[int]) -> None:
    """`check_world` of each of these seeds' worlds. Raises UsageError for a seed of none, too."""
    worlds: set[World] = {world_of(seed) for seed in seeds}
    for world in worlds:
        check_world(world)


def check_world(world: World) -> None:
    """UsageError, before any work, where the extra that a world needs is not installed; OutputError where the kernels
    that it compiles cannot be kept."""
    if world != "bodies":
        return
    for package in ("mujoco", "warp"):
        require_package(package, "gym", "the Gym's world of bodies")
    check_kernel_cache()


def _all_seeds(world: World) -> range:
    return range(FIRST_SEEDS[world], FIRST_SEEDS[world] + len(SPLITS) * SEEDS_PER_SPLIT)


def _words(world: World) -> str:
    seeds = _all_seeds(world)
    return f"{seeds.start}..{seeds.stop - 1}"
