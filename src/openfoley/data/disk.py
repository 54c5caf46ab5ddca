"""Folders, arrays and records on disk; failed writes raise an OutputError of one line."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from openfoley.errors import UsageError
from openfoley.media.read.opening import shown
from openfoley.media.write.atomic import cannot_write, make_folder, whole_file

NOT_RESERVABLE = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
"""Errors of file systems without preallocation."""


def write_json(path: Path, value: Any, indent: int | None = None) -> None:
    """Write the file atomically."""
    with whole_file(path) as file:
        file.write((json.dumps(value, indent=indent) + "\n").encode())


def claim_folder(folder: Path, record: Path, about: Any) -> None:
    """Begin an output folder, or continue in one: `record`, a file in it, says what it is made of. UsageError where it
    was begun with something else, or where other things are in the folder."""
    check_claim(folder, record, about)
    if not record.is_file():
        make_folder(record.parent)
        write_json(record, about)


def check_claim(folder: Path, record: Path, about: Any) -> None:
    """What `claim_folder` refuses, before work; writes nothing."""
    if record.is_file():
        if json.loads(record.read_text()) != json.loads(json.dumps(about)):
            raise UsageError(
                f"{shown(folder)} was begun with other input or settings; choose another folder or delete it"
            )
    elif folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"the output {shown(folder)} holds other things; give a folder that is empty or not there")


def create_array(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> np.memmap:
    """A writable map of zeros, preallocated on disk. Raises OutputError if there is not enough space: on a full disk a
    map over a sparse file would kill the process without a message."""
    try:
        array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        with open(path, "r+b") as file:
            _reserve(file.fileno(), os.fstat(file.fileno()).st_size)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise cannot_write(path, error) from error
    return array


def _reserve(descriptor: int, size: int) -> None:
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(descriptor, 0, size)
    except OSError as error:
        if error.errno not in NOT_RESERVABLE:
            raise
