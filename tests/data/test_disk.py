"""A full disk is reported in one line, before anything is written into a sparse file."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from openfoley.data.disk import create_array, write_json
from openfoley.errors import OutputError
from openfoley.media.write.atomic import make_folder


def refuse(error: int) -> object:
    def fallocate(*_: int) -> None:
        raise OSError(error, os.strerror(error))

    return fallocate


def test_an_array_takes_its_room_at_once(tmp_path: Path) -> None:
    array = create_array(tmp_path / "a.npy", np.float16, (1000, 64))
    array[3] = 1
    array.flush()
    assert np.load(tmp_path / "a.npy").sum() == 64
    if hasattr(os, "posix_fallocate"):
        assert (tmp_path / "a.npy").stat().st_blocks * 512 >= 1000 * 64 * 2


def test_a_full_disk_leaves_no_array(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "posix_fallocate", refuse(errno.ENOSPC), raising=False)
    with pytest.raises(OutputError, match="a.npy.*the disk is full"):
        create_array(tmp_path / "a.npy", np.int16, (10, 2))
    assert not list(tmp_path.iterdir())


def test_where_room_cannot_be_promised_the_array_is_made_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "posix_fallocate", refuse(errno.EOPNOTSUPP), raising=False)
    assert create_array(tmp_path / "a.npy", np.int16, (10, 2)).shape == (10, 2)


def test_folders_and_records_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="cannot write"):
        make_folder(tmp_path / "file" / "folder")
    with pytest.raises(OutputError, match="cannot write"):
        write_json(tmp_path / "nowhere" / "x.json", {})
    write_json(tmp_path / "x.json", {"a": [1]})
    assert (tmp_path / "x.json").read_text() == '{"a": [1]}\n'
    assert {path.name for path in tmp_path.iterdir()} == {"file", "x.json"}
