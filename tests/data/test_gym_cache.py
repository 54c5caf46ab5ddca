from pathlib import Path

from openfoley.data.gym_cache import GymCache


def test_of_every_so_many_scenes_the_last_is_silent(tmp_path: Path) -> None:
    cache = GymCache.build(tmp_path / "cache", [1, 2, 3, 7], split="train", workers=1, silent_every=2)
    assert not cache.sound[1].any() and not cache.sound[3].any()
    assert cache.sound[0].any() and cache.sound[2].any()
