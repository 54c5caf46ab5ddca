"""Float32 samples in a file: what is generated does not sit in memory."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from openfoley.errors import OutputError
from openfoley.media.settings import DISK_FULL

CHUNK_SAMPLES = 1 << 17  # read back about 3 s at a time


class SampleFile:
    """Float32 samples [channels, n] in a file: appended while generating, read in chunks.

    Without a path it is a temporary file without a name: it goes with its owner or its process, however that ends. With
    one it stays: what lies there up to `length` samples is kept, and writing continues after it.
    """

    def __init__(self, channels: int = 2, path: Path | None = None, length: int = 0) -> None:
        self.channels, self.length, self.path = channels, length, path
        self._where = f"in {tempfile.gettempdir()!r}" if path is None else repr(str(path))
        try:
            if path is None:
                self._file = tempfile.TemporaryFile()  # noqa: SIM115 (read until its owner goes)
            else:
                self._file = open(path, "ab")  # noqa: SIM115 (closed by close)
                self._file.truncate(length * channels * 4)
        except OSError as error:
            raise OutputError(f"no temporary file {self._where}: {error.strerror}") from None

    def append(self, samples: Tensor) -> None:
        """Samples [channels, n]."""
        interleaved = samples.detach().to("cpu", torch.float32).T.contiguous().numpy()
        with self._explained():
            self._file.seek(0, os.SEEK_END)
            self._file.write(interleaved.tobytes())
        self.length += samples.shape[-1]

    def settle(self) -> None:
        """Everything appended is on the disk, whatever happens to this process or to the machine."""
        with self._explained():
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Everything is written; reading goes on."""
        with self._explained():
            self._file.flush()
            if self.path is not None:
                self._file.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            why = "the disk is full; free some space and run again" if error.errno in DISK_FULL else error.strerror
            raise OutputError(f"cannot write the temporary file {self._where}: {why}") from None

    def chunks(self, size: int = CHUNK_SAMPLES) -> Iterator[Tensor]:
        """Samples [channels, <= size] in order."""
        yield from self.pieces(itertools.repeat(size))

    def mapped(self) -> Tensor:
        """All samples [channels, length] as they are in the file: what is read of them can be taken from memory again
        by the system. The file must be closed for writing."""
        if not self.length:
            return torch.zeros(self.channels, 0)
        samples = np.memmap(self.path or self._file, np.float32, "c", shape=(self.length, self.channels))
        return torch.from_numpy(samples).T

    def pieces(self, sizes: Iterable[int]) -> Iterator[Tensor]:
        """Samples [channels, size] in order, for each of `sizes` until the end."""
        place = 0
        with nullcontext(self._file) if self.path is None else open(self.path, "rb") as file:
            for size in sizes:
                file.seek(place)  # of a temporary file others may read, too
                data = file.read(size * self.channels * 4)
                if size and not data:
                    return
                place += len(data)
                yield torch.from_numpy(np.frombuffer(data, np.float32).reshape(-1, self.channels).T.copy())
