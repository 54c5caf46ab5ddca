"""The project file on disk: written atomically, the previous version kept, one process at a time."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path

from openfoley.errors import OutputError, UsageError
from openfoley.media.read.opening import shown
from openfoley.media.settings import DISK_FULL
from openfoley.media.write.locks import try_lock
from openfoley.projects.record import FILE_NAME, FORMAT, PREVIOUS_NAME, Record, from_text, to_text

logger = logging.getLogger(__name__)

LOCK_NAME = ".lock"


def read_project(folder: Path) -> Record:
    """The record in a project folder. UsageError for a folder that is not a project, or a file with a mistake."""
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{shown(path)} is not UTF-8 text; correct it or go back to {PREVIOUS_NAME}") from None
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"{shown(folder)} is not a project: it holds no {FILE_NAME}; make one with `openfoley project new`"
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{shown(path)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return from_text(text, path)


def write_project(folder: Path, record: Record, *, keep_previous: bool = True) -> None:
    """Replace the project file; the version before becomes project.previous.json (not for a further step of the same
    change). After an OutputError both are unchanged."""
    path = folder / FILE_NAME
    from_text(text := to_text(record), path)  # the written file must be readable
    try:
        before = path.read_bytes() if path.exists() else None
        if before is not None and keep_previous:
            _keep_older_format(folder, before)
            _write_whole(folder / PREVIOUS_NAME, before)
        _write_whole(path, text.encode())
    except OSError as error:
        raise cannot_write(path, error) from None


def _keep_older_format(folder: Path, before: bytes) -> None:
    """Keep a file of an earlier format beside the project, under a unique name."""
    found = json.loads(before).get("format")
    if found == FORMAT:
        return
    names = (f"project.format-{found}{extra}.json" for extra in chain([""], (f".{n}" for n in count(2))))
    name = next(n for n in names if not (folder / n).exists() or (folder / n).read_bytes() == before)
    _write_whole(folder / name, before)
    logger.warning("%s is converted from format %s to format %s, which an older OpenFoley cannot read; "
                   "the old file is kept as %s", FILE_NAME, found, FORMAT, name)  # fmt: skip


def cannot_write(path: Path, error: OSError) -> OutputError:
    """The error for a failed write."""
    if error.errno in DISK_FULL:
        return OutputError(
            f"cannot write {shown(path)}: the disk is full; free some space and run again, nothing is lost"
        )
    return OutputError(f"cannot write {shown(path)}: {error.strerror}")


def _write_whole(path: Path, data: bytes) -> None:
    """Write to a temporary file, sync, rename."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Lock the project against other processes. The operating system releases the lock when this process ends, so no
    stale lock remains."""
    path = folder / LOCK_NAME
    try:
        file = open(path, "a+b")  # noqa: SIM115 (closed below)
    except (FileNotFoundError, NotADirectoryError):
        read_project(folder)  # raises the error for a folder that is not a project
        raise
    except OSError as error:
        raise cannot_write(path, error) from None
    with file:
        if not try_lock(file.fileno()):
            raise OutputError(
                f"another process is working on the project {shown(folder)}; wait until it has finished, then run again"
            )
        yield
