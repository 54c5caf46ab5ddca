"""A file's identity: the sha256 of its bytes, as `sha256sum` prints it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import BinaryIO

from openfoley.errors import MediaError
from openfoley.media.read.opening import shown

BLOCK_BYTES = 1 << 22


def file_hash(path: str | Path) -> str:
    """64 hexadecimal digits. MediaError where the file cannot be read."""
    try:
        with open(path, "rb") as file:
            return hash_of(file)
    except OSError as error:
        raise MediaError(f"{shown(path)} cannot be read: {error.strerror}") from None


def hash_of(file: BinaryIO) -> str:
    """As `file_hash`, of what is left of an open file."""
    digest = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()
