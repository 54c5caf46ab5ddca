"""Folders, arrays and records on disk; failed writes raise an OutputError of one line."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from openfoley.media.write.atomic import cannot_write, whole_file

NOT_RESERVABLE = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
"""Errors of file systems without preallocation."""


def write_json(path: Path, value: Any, indent: int | None = None) -> None:
    """Write the file atomically."""
    with whole_file(path) as file:
        file.write((json.dumps(value, indent=indent) + "\n").encode())


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
