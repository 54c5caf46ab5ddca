"""Outputs appear whole or not at all: write beside the target under another name, then rename."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import sys
import time
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from openfoley.errors import OutputError, UsageError
from openfoley.media.read.opening import reason, shown
from openfoley.media.settings import DISK_FULL
from openfoley.media.write.locks import try_lock

TEMPORARY = ".openfoley-"
JUST_MADE_S = 5.0  # between a file's making and its lock


def check_output(path: str | Path, inputs: Sequence[str | Path] = (), force: bool = False) -> Path:
    """`path` as a Path that may be written; UsageError or OutputError before any work is done for it."""
    path = Path(path)
    try:
        if path.is_dir():
            raise UsageError(f"output {shown(path)} is a directory; give a file name")
        if not path.name or not path.parent.is_dir():
            raise UsageError(f"the folder of output {shown(path)} does not exist; create {shown(path.parent)} first")
        for source in inputs:
            if path.exists() and Path(source).exists() and path.samefile(source):
                raise UsageError(f"output {shown(path)} is the input itself; give another name")
        if path.exists() and not path.is_file():
            raise UsageError(f"output {shown(path)} is not a regular file; give another name")
        if path.exists() and not force:
            raise UsageError(f"output {shown(path)} exists; replace it with force=True, or give another name")
        probe = _beside(path)
        try:
            probe.touch()
        finally:
            probe.unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise cannot_write(path, error) from error
    return path


def make_folder(folder: Path) -> None:
    """Create the folder and its parents if missing; UsageError if it is a file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"the output {str(folder)!r} is a file; pass a folder") from None
    except OSError as error:
        raise cannot_write(folder, error) from error


@contextmanager
def replace_when_done(path: str | Path, force: bool = False, within: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path in the same folder with the same suffix; it becomes `path` when the block succeeds. A
    symbolic link stays: the file that it points to is replaced.

    within: a folder for the temporary file (if it is on the same disk), where it is cleared away after a kill, too.

    If the block fails the temporary file is removed, `path` is left as it was, and an operating system error (disk
    full, no permission) comes out as a one-line OutputError.
    """
    path = check_output(path, force=force)
    if path.is_symlink():
        path = check_output(path.resolve(), force=force)
    _clear_stale(path.parent)
    temporary = _beside(path)
    if within is not None and within.stat().st_dev == path.parent.stat().st_dev:
        temporary = within / temporary.name
    lock = _held(temporary)
    try:
        yield temporary
        if path.exists() and not force:
            raise UsageError(f"output {shown(path)} appeared meanwhile; replace it with force=True")
        os.replace(temporary, path)
    except (OSError, *_media_errors()) as error:
        raise cannot_write(path, error) from error
    finally:
        if lock is not None:
            os.close(lock)
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Replace a file by what is written into it: it is on disk before it has its name, so that a kill at any instant
    leaves the old one or the new one. OutputError, for a folder that is not there too: it is one of ours."""
    try:
        path.parent.stat()
    except OSError as error:
        raise cannot_write(path, error) from error
    with replace_when_done(path, force=True) as unfinished, open(unfinished, "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _beside(path: Path) -> Path:
    return path.parent / f"{TEMPORARY}{secrets.token_hex(8)}.partial{path.suffix}"


def _held(temporary: Path) -> int | None:
    """Make the temporary file and lock it, so that other processes see that somebody writes it.

    Only where a lock does not keep the file's own process from opening it again (Windows).
    """
    if os.name == "nt":
        return None
    try:
        lock = os.open(temporary, os.O_CREAT | os.O_RDWR, 0o666)
    except OSError as error:
        raise cannot_write(temporary, error) from error
    try_lock(lock)
    return lock


def _clear_stale(folder: Path) -> None:
    """Remove temporary files and folders whose process was killed: nobody holds their lock."""
    for path in folder.glob(f"{TEMPORARY}*.partial*") if os.name != "nt" else ():
        try:
            lock = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        try:
            if try_lock(lock) and os.fstat(lock).st_nlink and os.fstat(lock).st_mtime < time.time() - JUST_MADE_S:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        finally:
            os.close(lock)


class TemporaryFolder:
    """A folder in `parent` that goes with its owner; those whose process was killed are removed before. OSError if it
    cannot be made."""

    def __init__(self, parent: Path, mode: int = 0o777) -> None:
        _clear_stale(parent)
        self.path = _beside(parent / "folder")
        self.path.mkdir(mode)
        lock = None if os.name == "nt" else os.open(self.path, os.O_RDONLY)
        if lock is not None:
            try_lock(lock)
        self.remove = weakref.finalize(self, _remove, self.path, lock)

    def __enter__(self) -> Path:
        return self.path

    def __exit__(self, *_: object) -> None:
        self.remove()


def _remove(folder: Path, lock: int | None) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if lock is not None:
        os.close(lock)


def cannot_write(path: Path, error: Exception) -> OutputError:
    """What to say of an error while writing."""
    if getattr(error, "errno", None) in DISK_FULL:
        return OutputError(f"cannot write {shown(path)}: the disk is full; free some space and run again")
    if getattr(error, "errno", None) == errno.ENAMETOOLONG:
        return OutputError(f"cannot write {shown(path)}: the name is too long; give a shorter one, or rename the input")
    return OutputError(f"cannot write {shown(path)} ({reason(error)}); choose another folder")


def _media_errors() -> tuple[type[Exception], ...]:
    """What PyAV raises; nothing where it is not loaded: trainings do without it."""
    if "av" not in sys.modules:
        return ()
    from av.error import FFmpegError

    return (FFmpegError,)
