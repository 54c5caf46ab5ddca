"""The project file on disk: written atomically, the previous version kept, one process at a time."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count
from pathlib import Path

from openfoley.errors import OutputError, UsageError
from openfoley.media.read.opening import shown
from openfoley.media.write.atomic import cannot_write, whole_file
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
            with whole_file(folder / PREVIOUS_NAME) as file:
                file.write(before)
        with whole_file(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise cannot_write(path, error) from None


def _keep_older_format(folder: Path, before: bytes) -> None:
    """Keep a file of an earlier format beside the project, under a unique name."""
    found = json.loads(before).get("format")
    if found == FORMAT:
        return
    names = (f"project.format-{found}{extra}.json" for extra in chain([""], (f".{n}" for n in count(2))))
    name = next(n for n in names if not (folder / n).exists() or (folder / n).read_bytes() == before)
    with whole_file(folder / name) as file:
        file.write(before)
    logger.warning("%s is converted from format %s to format %s, which an older OpenFoley cannot read; "
                   "the old file is kept as %s", FILE_NAME, found, FORMAT, name)  # fmt: skip


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
