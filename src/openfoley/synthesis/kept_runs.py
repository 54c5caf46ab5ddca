"""Features of a video that are read twice: first for the whole-video condition, then by the windows.

They are kept in memory up to a bound and in a temporary file beyond it, so that the pictures are decoded once; of a
video whose features are larger than `most_bytes` (a selective encoder's trunk) the pictures are decoded again.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from openfoley.media.sample_file import SampleFile
from openfoley.synthesis.feature_store import MOST_BYTES, NUMBER_BYTES
from openfoley.synthesis.features import FeatureRun

logger = logging.getLogger(__name__)
IN_MEMORY_BYTES = 8_000_000  # 8 min of the Gym's encoders


class KeptRuns:
    """A feed that can be opened again. compute: opens it by decoding; the first feed is to be read to its end."""

    def __init__(
        self, compute: Callable[[], Iterator[FeatureRun]], device: torch.device, most_bytes: int = MOST_BYTES
    ) -> None:
        self.compute, self.device, self.most_bytes = compute, device, most_bytes
        self._runs: list[tuple[str, int, bool, tuple[int, ...], Tensor | None]] = []  # features; None: in the file
        self._bytes = 0
        self._file: SampleFile | None = None
        self._is_whole = False

    def __call__(self) -> Iterator[FeatureRun]:
        """The runs, from the first on."""
        return self._replayed() if self._is_whole else self._recorded()

    def _recorded(self) -> Iterator[FeatureRun]:
        keeps, self._runs, self._bytes, self._file = True, [], 0, None
        for run in self.compute():
            keeps = keeps and self._keep(run)
            yield run
        self._is_whole = keeps

    def _keep(self, run: FeatureRun) -> bool:
        features = run.features.detach().to("cpu", torch.float32)
        size = features.numel() * NUMBER_BYTES
        if self._bytes + size > self.most_bytes:
            self._runs, self._file = [], None
            logger.warning("the features of this video are too large to keep: its pictures are decoded twice")
            return False
        held: Tensor | None = features
        if self._bytes + size > IN_MEMORY_BYTES:
            self._file, held = self._file or SampleFile(1), None
            self._file.append(features.reshape(1, -1))
        self._runs.append((run.name, run.shot, run.is_last, tuple(features.shape), held))
        self._bytes += size
        return True

    def _replayed(self) -> Iterator[FeatureRun]:
        """Read, not mapped: mapped pages would count as this process's memory."""
        sizes = [math.prod(shape) for *_, shape, held in self._runs if held is None]
        written = iter(()) if self._file is None else self._file.pieces(sizes)
        for name, shot, is_last, shape, held in self._runs:
            features = next(written)[0].reshape(shape) if held is None else held
            yield FeatureRun(name, shot, features.to(self.device), is_last)
