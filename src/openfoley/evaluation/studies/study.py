"""A figure over many clips that may take hours: every clip's numbers are kept, and an interrupted study goes on.

The same command, started once for each core with OMP_NUM_THREADS=1, shares the clips between the processes. What the
studies' docstrings call processor time is that of one core, for a Gym-size model at 8 steps.

out/about.json            what the study is about; another study in the same folder is refused
out/sections/<clip>.json  the numbers of a clip
out/clips                 what is true of the scenes
out/features              features of videos, where a study makes files
out/results.json, .md     the figures
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from openfoley.evaluation.metrics.onsets import Onsets, detect
from openfoley.evaluation.metrics.sync import MAIN_TOLERANCE_S, clip_sums, pooled_f1
from openfoley.evaluation.metrics.truth import Truth
from openfoley.evaluation.reports.screening import Screening
from openfoley.evaluation.reports.workspace import Workspace, write_whole
from openfoley.evaluation.stats.bootstrap import ratio_interval
from openfoley.generators.base import SAMPLING
from openfoley.hub.fingerprint import fingerprint
from openfoley.pipeline import Pipeline, load
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.types import Audio

Progress = Callable[[float, float], None]

FORMAT = 4  # of the clips' numbers; a folder of another format is another study


class Study:
    """A study's folder and what all studies need. about: everything that the figures depend on."""

    def __init__(self, name: str, out: Path, about: dict[str, Any], device: str = "cpu") -> None:
        self.name, self.folder, self.device = name, out, device
        self.pipeline: Pipeline = load(about["model"], device)
        self.about = {
            "study": name,
            "format": FORMAT,
            "sampling": SAMPLING,
            **about,
            "weights": weights(self.pipeline),
            "device": device,
        }
        self.workspace = Workspace(out, self.about)
        self.store = FeatureStore(out / "features")

    def rows(
        self,
        count: int,
        compute: Callable[[int], dict[str, Any] | None],
        progress: Progress | None = None,
        *,
        candidates: int | None = None,
    ) -> list[dict[str, Any]]:
        """The numbers of clips 0 ... count - 1, each computed once; clips that give None are left out. With
        `candidates` clips to choose from, the first `count` that give something.

        Processes that run the same study in one folder take a clip each in turn, and all have the rows in the end.
        """
        while True:
            found: list[dict[str, Any]] = []
            missing: list[int] = []
            for number in range(candidates or count):
                if len(found) + len(missing) == count:
                    break
                row = self.workspace.kept_section(_section(number))
                if row is None:
                    missing.append(number)
                elif "left_out" not in row:
                    found.append(row)
            if progress is not None:
                progress(count - len(missing), count)
            if not missing:
                return found
            if not any(self._computed(number, compute) for number in missing):
                self.workspace.wait()

    def _computed(self, number: int, compute: Callable[[int], dict[str, Any] | None]) -> bool:
        """Compute a clip, unless another process is at it."""
        return self.workspace.section_in_turn(_section(number), lambda: compute(number) or {"left_out": 1})

    def screening(self, name: str, record: dict[str, Any], pictures: Sequence[Tensor]) -> Screening:
        """A scene's pictures; its record is kept as clips/<name>.json."""
        path = self.folder / "clips" / f"{name}.json"
        path.parent.mkdir(exist_ok=True)
        write_whole(path, json.dumps(record))
        return Screening(path, pictures)

    def finish(self, figures: dict[str, Any], table: str) -> dict[str, Any]:
        """Write results.json and results.md; the record."""
        record = {"about": self.about, "figures": figures}
        write_whole(self.folder / "results.json", json.dumps(record, indent=1))
        write_whole(self.folder / "results.md", table + "\n")
        return record


def weights(pipeline: Pipeline) -> str:
    """Which weights they are, in short."""
    return fingerprint(pipeline.model)[:16]


def _section(number: int) -> str:
    return f"clip-{number:05d}"


def onsets(audio: Audio) -> Onsets:
    return detect(audio.samples, audio.sample_rate)


def sums_of(times_s: np.ndarray, truth: Truth) -> list[float]:
    """[hits, detections, events] within 50 ms of a clip's visible events."""
    return clip_sums([times_s], [truth.only(True)], MAIN_TOLERANCE_S)[0].tolist()


def f1_of(sums: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Pooled F1 of [clips, 3] sums with its interval."""
    table = np.asarray(sums, dtype=np.float64).reshape(-1, 3)
    return {
        "f1": float(pooled_f1(table.sum(0, keepdims=True))[0]),
        "interval": ratio_interval(pooled_f1, table),
        "events": int(table[:, 2].sum()),
        "clips": len(table),
    }


def f1_difference(ours: Sequence[Sequence[float]], theirs: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Pooled F1 of one minus the other's over the same clips, with a paired interval and a two-sided p-value of a
    permutation test (clips' signs flipped)."""
    both = np.concatenate([np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)], axis=1)

    def difference(pooled: np.ndarray) -> np.ndarray:
        return pooled_f1(pooled[:, :3]) - pooled_f1(pooled[:, 3:])

    value = float(difference(both.sum(0, keepdims=True))[0])
    return {
        "difference": value,
        "interval": ratio_interval(difference, both),
        "p": permutation_p(both, difference, value),
    }


PERMUTATIONS = 10_000


def permutation_p(
    both: np.ndarray, statistic: Callable[[np.ndarray], np.ndarray], value: float, seed: int = 0
) -> float:
    """Two-sided p-value of a paired statistic of pooled sums: [clips, 2k], the halves exchanged clip by clip."""
    half = both.shape[1] // 2
    swap = np.random.default_rng(seed).random((PERMUTATIONS, len(both))) < 0.5
    swapped = np.concatenate([both[:, half:], both[:, :half]], axis=1)
    pooled = both.sum(0) + swap @ (swapped - both)
    extreme = np.abs(statistic(pooled)) >= abs(value) - 1e-12
    return float((extreme.sum() + 1) / (PERMUTATIONS + 1))


def shown(interval: Sequence[float], digits: int = 3) -> str:
    return f"({interval[0]:.{digits}f} .. {interval[1]:.{digits}f})"


def hardware(device: str) -> str:
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else f"{torch.get_num_threads()} CPU threads"
