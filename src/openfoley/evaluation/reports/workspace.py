"""The folder of a report or a study: finished results, sounds and features are kept, so that an interrupted run
resumes, and processes that use the same folder share the work."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from openfoley.data.disk import create_array
from openfoley.data.gym_cache import FULL_SCALE
from openfoley.errors import UsageError
from openfoley.media.write.atomic import whole_file
from openfoley.media.write.locks import try_lock

logger = logging.getLogger(__name__)

FORMAT = 6
"""Of the stored results; a folder of another format holds another report."""
ROWS_AT_ONCE = 4
"""Clips of an array that one process computes under one lock."""
POLL_S = 2.0
"""Poll interval for the results of other processes."""


class Workspace:
    """`folder/sections/*.json` hold results, `folder/sounds/*.npy` int16 sounds. identity: of the report; another one
    in the same folder is refused."""

    def __init__(self, folder: Path, identity: dict[str, Any]):
        self.folder = folder
        for name in ("sections", "sounds", "features", "gym", "pictures"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        about, identity = folder / "about.json", json.loads(json.dumps({"format": FORMAT, **identity}))
        if about.is_file() and json.loads(about.read_text()) != identity:
            raise UsageError(f"{folder} holds a report on something else ({about.read_text()}); choose another folder")
        write_whole(about, json.dumps(identity))

    def section(self, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The results of a section, computed once."""
        path = self._section(name)
        if not path.is_file():
            begun = time.monotonic()
            figures = compute()
            figures["seconds"] = round(time.monotonic() - begun, 1)
            write_whole(path, json.dumps(figures))
            logger.info("report: %s done in %.0f s", name, figures["seconds"])
        return json.loads(path.read_text())

    def section_in_turn(self, name: str, compute: Callable[[], dict[str, Any]]) -> bool:
        """`section`, unless another process is computing it: then False at once."""
        return _in_turn(self._section(name), lambda: self.section(name, compute))

    def kept_section(self, name: str) -> dict[str, Any] | None:
        """The results of a finished section."""
        path = self._section(name)
        return json.loads(path.read_text()) if path.is_file() else None

    def sections(self, computations: Mapping[str, Callable[[], dict[str, Any]]]) -> dict[str, dict[str, Any]]:
        """The results of all these sections, shared between processes. A computation may use sections and sounds
        that come before its own."""
        self.share({self._section(n): lambda n=n, c=c: self.section(n, c) for n, c in computations.items()})
        return {name: self.section(name, compute) for name, compute in computations.items()}

    def share(self, tasks: Mapping[Path, Callable[[], Any]]) -> None:
        """Run every task whose file is missing; a task writes its file atomically. Processes that share a folder divide
        the tasks, and all return when all tasks are finished."""
        while missing := [path for path in tasks if not path.is_file()]:
            if not any(_in_turn(path, tasks[path]) for path in missing):
                self.wait()

    def wait(self) -> None:
        """Wait until another process may have finished a task."""
        time.sleep(POLL_S)

    def _section(self, name: str) -> Path:
        return self.folder / "sections" / f"{name}.json"

    def sounds(self, name: str, shape: tuple[int, ...], make: Callable[[range], Tensor]) -> np.ndarray:
        """int16 sounds of this shape; `make(rows)` computes those of some clips, float. Resumes a partial array."""
        path = self.folder / "sounds" / f"{name}.npy"
        self.share({path: lambda: _empty_array(path, shape)})
        array = np.load(path, mmap_mode="r+")
        if array.shape != shape:
            raise UsageError(f"{path} has shape {array.shape}, expected {shape}; choose another folder")

        def fill(rows: range, done: Path) -> None:
            array[rows.start : rows.stop] = (make(rows).clamp(-1, 1) * FULL_SCALE).round().short().numpy()
            array.flush()
            write_whole(done, "")
            logger.info("report: %s %d .. %d of %d", name, rows.start, rows.stop - 1, shape[0])

        tasks = {}
        for rows in blocks(shape[0]):
            done = path.with_suffix(f".{rows.start:05d}.done")
            tasks[done] = lambda rows=rows, done=done: fill(rows, done)
        self.share(tasks)
        return np.load(path, mmap_mode="r")


def blocks(count: int) -> list[range]:
    """Rows 0 ... count - 1 in chunks."""
    return [range(first, min(first + ROWS_AT_ONCE, count)) for first in range(0, count, ROWS_AT_ONCE)]


def _in_turn(path: Path, make: Callable[[], Any]) -> bool:
    """Make a file, unless another process is making it: then False at once."""
    place = path.with_name(f"{path.name}.lock")
    with open(place, "w") as handle:
        if not try_lock(handle.fileno()):
            return False
        if not path.is_file():
            make()
        place.unlink(missing_ok=True)
    return True


def _empty_array(path: Path, shape: tuple[int, ...]) -> None:
    for done in path.parent.glob(f"{path.stem}.*.done"):  # of an array that was removed
        done.unlink()
    partial = path.with_suffix(".partial")
    create_array(partial, np.int16, shape)
    partial.replace(path)


def write_whole(path: Path, text: str) -> None:
    """Write the file atomically, also if two processes or threads write it."""
    with whole_file(path) as file:
        file.write(text.encode())
