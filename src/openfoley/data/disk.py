"""Folders, arrays and records on the disk; what cannot be written is an OutputError of one line."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from openfoley.media.write.atomic import cannot_write

NOT_RESERVABLE = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})
"""What file systems say that cannot promise room."""


def make_folder(folder: Path) -> None:
    """And those above it; nothing if it is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error


def write_json(path: Path, value: Any, indent: int | None = None) -> None:
    """The file appears whole or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        partial.write_text(json.dumps(value, indent=indent) + "\n", encoding="utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def create_array(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> np.memmap:
    """A writable map of zeros whose room on the disk is taken at once. Raises OutputError where there is not enough: a
    map over a file with holes would end the process without a word when the disk is full."""
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
