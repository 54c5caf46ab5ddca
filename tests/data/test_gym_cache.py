import errno
import json
import os
from pathlib import Path

import pytest

from openfoley.data.gym_cache import FINISHED, GymCache
from openfoley.errors import OutputError, UsageError


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
