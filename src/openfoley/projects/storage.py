"""The project file on disk: written whole or not at all, the version before kept, one process at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from openfoley.errors import OutputError, UsageError
from openfoley.media.atomic import DISK_FULL
from openfoley.media.locks import try_lock
from openfoley.media.source import shown
from openfoley.projects.record import FILE_NAME, PREVIOUS_NAME, Record, from_text, to_text

LOCK_NAME = ".lock"


def read_project(folder: Path) -> Record:
    """The record in a project folder. UsageError for a folder that is none, or for a file with a mistake."""
    path = folder / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{shown(path)} is not text in UTF-8; mend it or go back to {PREVIOUS_NAME}") from None
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(
            f"{shown(folder)} is not a project: it holds no {FILE_NAME}; make one with `openfoley project new`"
        ) from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{shown(path)} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return from_text(text, path)


def write_project(folder: Path, record: Record, *, keep_previous: bool = True) -> None:
    """Replace the project file; what it said before becomes project.previous.json (not for a further step of the same
    change). OutputError leaves both as they were, whatever happens in between."""
    path = folder / FILE_NAME
    from_text(text := to_text(record), path)  # what is written can be read
    try:
        if keep_previous and path.exists():
            _write_whole(folder / PREVIOUS_NAME, path.read_bytes())
        _write_whole(path, text.encode())
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> OutputError:
    """One line for a failed write."""
    if error.errno in DISK_FULL:
        return OutputError(
            f"cannot write {shown(path)}: the disk is full; free some space and run again, nothing is lost"
        )
    return OutputError(f"cannot write {shown(path)}: {error.strerror}")


def _write_whole(path: Path, data: bytes) -> None:
    """Beside its place, to the disk, then moved."""
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
    """Keep other processes from changing the project meanwhile. The operating system lets go when this process ends,
    however it ends, so that no stale lock is ever left."""
    path = folder / LOCK_NAME
    try:
        file = open(path, "a+b")  # noqa: SIM115 (closed below)
    except (FileNotFoundError, NotADirectoryError):
        read_project(folder)  # says that this is no project
        raise
    except OSError as error:
        raise cannot_write(path, error) from None
    with file:
        if not try_lock(file.fileno()):
            raise OutputError(
                f"another process is working on the project {shown(folder)}; wait until it has finished, then run again"
            )
        yield
