"""The folder of a report: finished figures and sounds are kept, so that an interrupted report continues where it
stopped."""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from openfoley.errors import UsageError
from openfoley.media.locks import try_lock

logger = logging.getLogger(__name__)

FULL_SCALE = 32767


class Workspace:
    """`folder/sections/*.json` hold figures, `folder/sounds/*.npy` int16 sounds. `identity`: what the report is
    about; another one in
    the same folder is refused."""

    def __init__(self, folder: Path, identity: dict[str, Any]):
        self.folder = folder
        for name in ("sections", "sounds", "gym", "pictures"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        about = folder / "about.json"
        if about.is_file() and json.loads(about.read_text()) != identity:
            raise UsageError(f"{folder} holds a report on something else ({about.read_text()}); choose another folder")
        write_whole(about, json.dumps(identity))

    def section(self, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The figures of a section, computed once."""
        path = self._section(name)
        if path.is_file():
            return json.loads(path.read_text())
        begun = time.monotonic()
        figures = compute()
        figures["seconds"] = round(time.monotonic() - begun, 1)
        write_whole(path, json.dumps(figures))
        logger.info("report: %s done in %.0f s", name, figures["seconds"])
        return json.loads(path.read_text())

    def section_in_turn(self, name: str, compute: Callable[[], dict[str, Any]]) -> bool:
        """`section`, unless another process is at it: then False at once."""
        place = self.folder / "sections" / f"{name}.lock"
        with open(place, "w") as handle:
            if not try_lock(handle.fileno()):
                return False
            self.section(name, compute)
            place.unlink(missing_ok=True)
        return True

    def kept_section(self, name: str) -> dict[str, Any] | None:
        """The figures of a section that is finished."""
        path = self._section(name)
        return json.loads(path.read_text()) if path.is_file() else None

    def _section(self, name: str) -> Path:
        return self.folder / "sections" / f"{name}.json"

    def sounds(self, name: str, shape: tuple[int, ...], make: Callable[[int], Iterator[Tensor]]) -> np.ndarray:
        """int16 sounds of this shape; `make(first)` yields float batches from clip `first` on. Continues a partial
        array."""
        path, done_path = self.folder / "sounds" / f"{name}.npy", self.folder / "sounds" / f"{name}.done"
        done = int(done_path.read_text()) if path.is_file() and done_path.is_file() else 0
        array = np.lib.format.open_memmap(path, mode="r+" if done else "w+", dtype=np.int16, shape=shape)
        if done and array.shape != shape:
            raise UsageError(f"{path} has shape {array.shape}, expected {shape}; choose another folder")
        if done < shape[0]:
            for batch in make(done):
                array[done : done + len(batch)] = (batch.clamp(-1, 1) * FULL_SCALE).round().short().numpy()
                done += len(batch)
                array.flush()
                write_whole(done_path, str(done))
                if done % 20 < len(batch) or done == shape[0]:
                    logger.info("report: %s %d/%d", name, done, shape[0])
        return np.load(path, mmap_mode="r")


def write_whole(path: Path, text: str) -> None:
    """The file appears whole or not at all, also where two processes or threads write it."""
    partial = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
