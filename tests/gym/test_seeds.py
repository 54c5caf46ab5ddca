"""Seeds: no two worlds or splits share one, and each seed tells both."""

from itertools import pairwise
from pathlib import Path

import pytest

from openfoley.errors import UsageError
from openfoley.gym.actions import ACTIONS, HELD_OUT_ACTIONS
from openfoley.gym.bodies.families import FAMILIES, HELD_OUT_FAMILIES
from openfoley.gym.seeds import SPLITS, WORLDS, mixed_seeds, seed_range, seeds_of, split_of, world_of


def test_ranges_are_disjoint_and_each_seed_tells_its_world_and_split() -> None:
    ranges = sorted((seed_range(split, world) for world in WORLDS for split in SPLITS), key=lambda seeds: seeds.start)
    assert all(one.stop <= other.start for one, other in pairwise(ranges))
    for world in WORLDS:
        for split in SPLITS:
            for seed in (*seeds_of(split, 3, world=world), seed_range(split, world)[-1]):
                assert (world_of(seed), split_of(seed, world)) == (world, split)


def test_the_flat_worlds_seeds_are_those_of_before_there_were_two() -> None:
    assert [seeds_of(split, 1)[0] for split in SPLITS] == [0, 10_000_000, 20_000_000, 30_000_000]
    assert seeds_of("evaluation", 2, 7) == [20_000_007, 20_000_008]


@pytest.mark.parametrize("seed", [-1, 40_000_000, 99_999_999, 140_000_000])
def test_a_seed_of_no_world_is_refused(seed: int) -> None:
    for ask in (world_of, split_of):
        with pytest.raises(UsageError, match=rf"got {seed}"):
            ask(seed)


def test_a_seed_of_another_world_is_refused_with_the_ranges_of_both() -> None:
    with pytest.raises(UsageError, match=r"world flat must be in 0..39999999, got 100000000; world bodies has 1"):
        split_of(100_000_000)
    with pytest.raises(UsageError, match=r"world bodies must be in 100000000..139999999, got 5; world flat has 0"):
        split_of(5, "bodies")
    with pytest.raises(UsageError, match="has 10000000 seeds"):
        seeds_of("train", 1, 10_000_000, "bodies")


@pytest.mark.parametrize("bodies", [0.0, 0.25, 0.5, 1.0])
def test_a_mix_of_worlds_has_its_share_in_any_run_and_among_every_sixth(bodies: float) -> None:
    seeds = mixed_seeds("train", 1200, 600, bodies=bodies)
    shown = [world_of(seed) == "bodies" for seed in seeds]
    for part in (shown, shown[:100], shown[-100:], shown[5::6]):
        assert sum(part) / len(part) == pytest.approx(bodies, abs=0.03)
    assert {split_of(seed, world_of(seed)) for seed in seeds} == {"train"} and len(set(seeds)) == 1200
    assert not set(seeds) & set(mixed_seeds("train", 600, bodies=1 - bodies))


def test_a_mix_without_bodies_is_the_flat_worlds_seeds() -> None:
    assert mixed_seeds("validation", 9, 4, bodies=0) == seeds_of("validation", 9, 4)
    with pytest.raises(UsageError, match=r"share of scenes with bodies must be in 0..1, got 1.5"):
        mixed_seeds("train", 3, bodies=1.5)


def test_the_page_on_the_gym_has_every_seed_range_and_names_every_action_and_family() -> None:
    page = (Path(__file__).parents[2] / "docs" / "gym.md").read_text(encoding="utf-8")
    for split in SPLITS:
        assert f"| {split} | " + " | ".join(str(seed_range(split, world).start) for world in WORLDS) in page
    for name in (*ACTIONS, *HELD_OUT_ACTIONS, *FAMILIES, *HELD_OUT_FAMILIES):
        assert f"`{name}`" in page
