"""What a long generation has done so far, on disk: killed at any moment, the same call resumes to the same bytes.

    folder/lock              held while a process works here
    folder/state.safetensors the request's key, how many windows are whole, and what each take needs to resume
    folder/<n>.f32           the samples of take n; beyond the length in the state they may be incomplete

After each window the samples are brought to the disk, then the state replaces the one before in one step.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from openfoley.errors import UsageError
from openfoley.media.read.opening import shown
from openfoley.media.sample_file import SampleFile
from openfoley.media.write.atomic import cannot_write
from openfoley.media.write.locks import try_lock
from openfoley.synthesis.assembler import TakeAssembler

FORMAT = 9  # of what is saved
STATE_NAME = "state.safetensors"
LOCK_NAME = "lock"


def discard(folder: Path) -> None:
    """Let a work folder disappear in one step; what a kill in the middle leaves is cleared by the next call."""
    gone = folder.with_name(f"{folder.name}.done")
    shutil.rmtree(gone, ignore_errors=True)
    if folder.exists():
        os.replace(folder, gone)
        shutil.rmtree(gone, ignore_errors=True)


def discard_unused(folder: Path) -> None:
    """`discard`, unless another process works there."""
    if not (folder / LOCK_NAME).exists():
        return
    lock = os.open(folder / LOCK_NAME, os.O_RDWR)
    try:
        if try_lock(lock):
            discard(folder)
    finally:
        os.close(lock)


class Work:
    """The work folder of one request. `open` makes it, or takes up what lies there."""

    def __init__(self, folder: Path, key: str, lock: int) -> None:
        self.folder, self.key, self._lock = folder, key, lock
        self.windows_done = 0
        self._tensors: dict[str, Tensor] = {}
        self._numbers: list[dict[str, int]] = []
        self._read()

    @classmethod
    def open(cls, folder: Path, key: str) -> Work:
        """UsageError if another process works there, or if the folder is no work folder; OutputError if it cannot be
        made. Work of another request (other settings, a changed video) is thrown away."""
        try:
            if folder.exists() and any(folder.iterdir()) and not (folder / LOCK_NAME).exists():
                raise UsageError(f"the work folder {shown(folder)} holds something else; move it away")
            folder.mkdir(exist_ok=True)
            lock = os.open(folder / LOCK_NAME, os.O_CREAT | os.O_RDWR, 0o644)
        except OSError as error:
            raise cannot_write(folder, error) from None
        if not try_lock(lock):
            os.close(lock)
            raise UsageError(f"another process is making this sound (it holds {shown(folder)}); wait for it")
        return cls(folder, key, lock)

    def samples(self, number: int, channels: int) -> SampleFile:
        """The samples of take `number` as far as the state vouches for them."""
        length = self._numbers[number]["length"] if self.windows_done else 0
        return SampleFile(channels, self.folder / f"{number}.f32", length)

    def restore(self, takes: Sequence[TakeAssembler], device: torch.device) -> int:
        """Bring fresh takes to where the state is; the number of windows that are whole."""
        for number, take in enumerate(takes) if self.windows_done else ():
            own = f"{number}."
            tensors = {name.removeprefix(own): t for name, t in self._tensors.items() if name.startswith(own)}
            take.restore(tensors, self._numbers[number], device)
        self._tensors = {}
        return self.windows_done

    def keeper(self, takes: Sequence[TakeAssembler[SampleFile]]) -> Callable[[int], None]:
        """To be called with the number of windows that are whole."""

        def keep(windows_done: int) -> None:
            for take in takes:
                take.samples.settle()
            self._write(windows_done, [take.state() for take in takes])

        return keep

    @property
    def has_state(self) -> bool:
        """Whether a window is whole: something to resume from."""
        return (self.folder / STATE_NAME).exists()

    def remove(self) -> None:
        """The sound is where it belongs; nothing of the work is left."""
        for path in (*self.folder.glob("*.f32"), *self.folder.glob("*.partial*"), self.folder / STATE_NAME):
            path.unlink(missing_ok=True)
        discard(self.folder)
        self.close()

    def close(self) -> None:
        """Leave the work for later."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __del__(self) -> None:
        self.close()

    def _write(self, windows_done: int, states: Sequence[tuple[dict[str, Tensor], dict[str, int]]]) -> None:
        from safetensors.torch import save

        tensors = {f"{number}.{name}": t for number, (own, _) in enumerate(states) for name, t in own.items()}
        status = {"key": self.key, "windows": windows_done, "takes": [numbers for _, numbers in states]}
        unfinished = self.folder / f"{STATE_NAME}.partial"
        try:
            with open(unfinished, "wb") as file:
                file.write(save(tensors, {"openfoley": json.dumps(status)}))
                file.flush()
                os.fsync(file.fileno())
            os.replace(unfinished, self.folder / STATE_NAME)
        except OSError as error:
            raise cannot_write(self.folder, error) from None

    def _read(self) -> None:
        """The state, if it is whole and of the same request."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.folder / STATE_NAME, "pt") as file:
                status: dict[str, Any] = json.loads((file.metadata() or {}).get("openfoley", "{}"))
                if status.get("key") != self.key:
                    return
                self._tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
        except (OSError, SafetensorError, ValueError):
            return
        self.windows_done, self._numbers = status["windows"], status["takes"]
        for number, numbers in enumerate(self._numbers):
            path = self.folder / f"{number}.f32"
            if not path.exists() or path.stat().st_size < 4 * numbers["length"]:
                self.windows_done = 0  # somebody was here
                return
