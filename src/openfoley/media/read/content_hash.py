"""A file's identity: the sha256 of its bytes, as `sha256sum` prints it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from openfoley.errors import MediaError
from openfoley.media.read.opening import shown

BLOCK_BYTES = 1 << 22


def file_hash(path: str | Path) -> str:
    """64 hexadecimal digits. MediaError where the file cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(BLOCK_BYTES):
                digest.update(block)
    except OSError as error:
        raise MediaError(f"{shown(path)} cannot be read: {error.strerror}") from None
    return digest.hexdigest()
