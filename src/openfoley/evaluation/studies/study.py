"""A resumable study over many clips: every clip's results are kept.

The same command, started once per core with OMP_NUM_THREADS=1, shares the clips between the processes. Processor time
in the studies' docstrings is that of one core, for a Gym-size model at 8 steps.

out/about.json            the study's identity; another study in the same folder is refused
out/sections/<clip>.json  the results of a clip
out/clips                 files that a study needs
out/features              features of the pictures
out/results.json, .md     the figures
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar

from openfoley.data.onset_detector import Onsets, detect
from openfoley.evaluation.reports.sounds import gym_sounds
from openfoley.evaluation.reports.workspace import Workspace, write_whole
from openfoley.evaluation.studies.requests import ModelRequest, StudyRequest
from openfoley.evaluation.studies.variations import DEFAULT_ROW, adapters_of, section_of
from openfoley.generators.sampling import SAMPLING
from openfoley.gym.seeds import seeds_of
from openfoley.hub.adapters import with_adapters
from openfoley.hub.fingerprint import fingerprint
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline, load
from openfoley.request import Request
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.timeline.plan import OVERLAP_S
from openfoley.types import Audio

Progress = Callable[[float, float], None]
Row = dict[str, Any]
SEED = 1  # of the sounds, if a study needs only one
Asked = TypeVar("Asked", bound=StudyRequest)
ModelAsked = TypeVar("ModelAsked", bound=ModelRequest)


class Study(Generic[Asked]):
    """A study's folder, its request and the models that it compares by name."""

    def __init__(
        self, request: Asked, pipelines: Mapping[str, Pipeline], more: Mapping[str, Any] | None = None
    ) -> None:
        """more: of its identity."""
        self.request, self.folder, self.pipelines = request, request.out, dict(pipelines)
        weights = {name: fingerprint(pipeline.model)[:16] for name, pipeline in pipelines.items()}
        self.about = {
            "study": request.study,
            "sampling": SAMPLING,
            "overlap_s": float(OVERLAP_S),  # of requests that name none
            **request.identity,
            "weights": weights,
            **(more or {}),
        }
        self.workspace = Workspace(self.folder, self.about)
        self.store = FeatureStore(self.folder / "features")
        self._of_rows: dict[Path, Pipeline] = {}

    @property
    def pipeline(self) -> Pipeline:
        """Of a study of one model."""
        (one,) = self.pipelines.values()
        return one

    def pipeline_of(self, row: str) -> Pipeline:
        """Of a row (`variations`): with the adapters that it names."""
        if (path := adapters_of(row)) is None:
            return self.pipeline
        if path not in self._of_rows:
            self._of_rows[path] = replace(self.pipeline, model=with_adapters(self.pipeline.model, path))
        return self._of_rows[path]

    def rows(
        self,
        count: int,
        compute: Callable[[int], Row | None],
        progress: Progress | None = None,
        *,
        candidates: int | None = None,
        of: str = "clip",
    ) -> list[Row]:
        """The results of clips 0 ... count - 1, each computed once, without those that are None. With `candidates`
        clips to choose from, the first `count` that are not None. of: the set of clips, if a study has several.

        Processes that run the same study in one folder divide the clips, and all return all rows.
        """
        while True:
            found: list[Row] = []
            missing: list[int] = []
            for number in range(candidates or count):
                if len(found) + len(missing) == count:
                    break
                row = self.workspace.kept_section(_section(of, number))
                if row is None:
                    missing.append(number)
                elif "left_out" not in row:
                    found.append(row)
            if progress is not None:
                progress(count - len(missing), count)
            if not missing:
                return found
            if not any(self._computed(_section(of, number), number, compute) for number in missing):
                self.workspace.wait()

    def _computed(self, name: str, number: int, compute: Callable[[int], Row | None]) -> bool:
        """Compute a clip, unless another process is computing it."""
        return self.workspace.section_in_turn(name, lambda: compute(number) or {"left_out": 1})

    def scenes(
        self,
        first: int,
        compute: Callable[[int], Row | None],
        progress: Progress | None,
        *,
        candidates: int = 1,
        of: str = "clip",
    ) -> list[Row]:
        """`rows` of evaluation scenes, by their seeds from the `first`-th on. candidates: scenes to choose from for
        each."""
        seeds = seeds_of("evaluation", candidates * self.request.clips, first, self.request.world)
        return self.rows(self.request.clips, lambda k: compute(seeds[k]), progress, candidates=len(seeds), of=of)

    def scenes_by_row(
        self, names: Sequence[str], first: int, compute: Callable[[int, str], Row | None], progress: Progress | None
    ) -> dict[str, list[Row]]:
        """`scenes` of each row (`variations`) of the study: the same seeds with other options."""
        return {
            name: self.scenes(first, lambda seed, name=name: compute(seed, name), progress, of=section_of(name))
            for name in names
        }

    def sounds(self, source: Source, request: Request, seeds: Sequence[int], row: str = DEFAULT_ROW) -> list[Audio]:
        """One for each seed, 44.1 kHz, stereo; all sounds of a source share its features. row: whose adapters."""
        return gym_sounds(self.pipeline_of(row), source, request, seeds, self.store)

    def sound(self, source: Source, request: Request, row: str = DEFAULT_ROW) -> Audio:
        return self.sounds(source, request, [request.sampling.seed], row)[0]

    def finish(self, figures: dict[str, Any], table: Sequence[str]) -> dict[str, Any]:
        """Write results.json and results.md (the lines of a table); the record."""
        record = {"about": {**self.about, "clips": self.request.clips}, "figures": figures}
        write_whole(self.folder / "results.json", json.dumps(record, indent=1))
        write_whole(self.folder / "results.md", "\n".join(table) + "\n")
        return record


def study_of(request: ModelAsked) -> Study[ModelAsked]:
    """The study of one model."""
    return Study(request, {request.model: load(request.model, request.device)})


def _section(of: str, number: int) -> str:
    return f"{of}-{number:05d}"


def onsets(audio: Audio) -> Onsets:
    return detect(audio.samples, audio.sample_rate)


def figure(one: dict[str, Any], name: str = "f1") -> str:
    """A cell of a table: a figure with its interval."""
    return f"{one[name]:.3f} {shown(one['interval'])}"


def change(gap: dict[str, Any]) -> str:
    """A cell: a paired difference with its interval."""
    return f"{gap['difference']:+.3f} {shown(gap['interval'])}"


def table(columns: str, rows: Iterable[str]) -> list[str]:
    """Lines of Markdown. columns, rows: cells with " | " between them."""
    return [f"| {columns} |", "|---" * (columns.count("|") + 1) + "|", *(f"| {row} |" for row in rows)]


def shown(interval: Sequence[float], digits: int = 3) -> str:
    return f"({interval[0]:.{digits}f} .. {interval[1]:.{digits}f})"
