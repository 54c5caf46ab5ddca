import errno
import json
import os
import sys
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from body_scenes import SEED, crowded
from openfoley.cli import main
from openfoley.data.gym_cache import FINISHED, GymCache
from openfoley.data.stills import Stills
from openfoley.errors import OutputError, UsageError
from openfoley.gym import scene
from openfoley.gym.seeds import VERSIONS, seeds_of


class Inline(Executor):
    """In this process, where scenes can be replaced."""

    def map(self, function, *jobs, **_):
        return map(function, *jobs)


def test_a_disk_that_is_too_small_is_left_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.posix_fallocate, []

    def second_is_too_much(*arguments: int) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(*arguments)

    monkeypatch.setattr(os, "posix_fallocate", second_is_too_much)
    with pytest.raises(OutputError, match="sound.npy.*the disk is full"):
        GymCache.build(tmp_path / "cache", [1, 2], split="train", workers=1)
    assert not list((tmp_path / "cache").iterdir())


def test_of_every_so_many_scenes_the_last_is_silent(tmp_path: Path) -> None:
    cache = GymCache.build(tmp_path / "cache", [1, 2, 3, 7], split="train", workers=1, silent_every=2)
    assert not cache.sound[1].any() and not cache.sound[3].any()
    assert cache.sound[0].any() and cache.sound[2].any()
    assert [len(GymCache.build(tmp_path / "cache", [1, 2, 3, 7], split="train"))] == [4]  # opened as it is
    records = json.loads((tmp_path / "cache" / FINISHED).read_text())
    for other in ({**records[0], "gym": records[0]["gym"] - 1}, {k: v for k, v in records[0].items() if k != "gym"}):
        (tmp_path / "cache" / FINISHED).write_text(json.dumps([other, *records[1:]]))
        with pytest.raises(UsageError, match="another version of the Gym"):
            GymCache.build(tmp_path / "cache", [1, 2, 3, 7], split="train")


def test_one_cache_holds_scenes_of_both_worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hand_made = replace(crowded(3, 2, duration_s=8.0), seed=SEED)
    monkeypatch.setattr(scene, "_bodies", lambda: lambda *_, **__: hand_made)
    cache = GymCache.build(tmp_path / "cache", [3, SEED], split="train", pool=Inline())
    assert [record.get("world", "flat") for record in cache.truth] == ["flat", "bodies"]
    assert [record["gym"] for record in cache.truth] == [VERSIONS["flat"], VERSIONS["bodies"]]
    assert all(np.ptp(frames[0]) > 30 for frames in cache.frames) and cache.sound.any((1, 2)).all()
    assert len(GymCache.build(tmp_path / "cache", [3, SEED], split="train")) == 2  # opened as it is
    monkeypatch.setitem(VERSIONS, "bodies", VERSIONS["bodies"] + 1)
    with pytest.raises(UsageError, match="another version of the Gym"):
        GymCache.build(tmp_path / "cache", [3, SEED], split="train")


def test_scenes_of_bodies_without_the_extra_are_refused_before_anything_is_rendered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "warp", None)
    for kind in (GymCache, Stills):
        with pytest.raises(UsageError, match=r"pip install 'openfoley\[gym\]'"):
            kind.build(tmp_path / "cache", [3, SEED], split="train", workers=1)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--count 0", "count must be a whole number >= 1, got 0"),
        ("--count -1", "count must be a whole number >= 1, got -1"),
        ("--count 1 --workers 0", "workers must be a whole number >= 1, got 0"),
        ("--count 1 --silent-every 0", "silent every must be a whole number >= 1, got 0"),
        ("--count 1 --duration 0", "a whole number of seconds up to 3600, got 0"),
    ],
)
def test_numbers_that_make_no_cache_are_refused_before_anything_is_written(
    words: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "render", *words.split(), "--world", "bodies", "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line and not list(tmp_path.iterdir())


def test_a_cache_has_scenes_of_any_duration_and_no_other(tmp_path: Path) -> None:
    (seed,) = seeds_of("train", 1, world="long")
    cache = GymCache.build(tmp_path / "cache", [seed], split="train", pool=Inline(), duration_s=12.0)
    assert cache.duration_s == 12.0 and cache.frames.shape[:3] == (1, 288, 3) and cache.sound.shape == (1, 2, 529_200)
    assert cache.truth[0]["world"] == "long" and cache.frames[0, -1].std() > 1
    spans = [(e["time_s"], e["end_s"]) for e in cache.truth[0]["events"] if e.get("continuous") and e["audible"]]
    assert all(cache.sound[0, :, int(44_100 * (a + 0.05)) : int(44_100 * b)].any() for a, b in spans if b - a > 0.2)
    with pytest.raises(UsageError, match="holds scenes of 12 s, not 8; choose another folder"):
        GymCache.build(tmp_path / "cache", [seed], split="train")
    with pytest.raises(UsageError, match="whole number of seconds up to 3600, got 7.5"):
        GymCache.build(tmp_path / "other", [seed], split="train", duration_s=7.5)
