"""Models side by side at several step counts: SALSA-V's Table 2 and Figure 5, and ablations, on the same clips.

Gym scenes of 8 s from the evaluation seeds, no prompt, each model at its usual guidance. Models that share encoders
share the features of a clip, so that only sampling and decoding are repeated.

Costs some 8 s of processor time for a clip and model (six step counts, 63 steps in all).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from openfoley.errors import UsageError
from openfoley.evaluation.metrics.f1 import f1_difference, f1_of, visible_sums
from openfoley.evaluation.metrics.matching import match_closest
from openfoley.evaluation.metrics.spectral import mel_distance_db, stft_distance, swsd
from openfoley.evaluation.metrics.sync import ERROR_TOLERANCE_S
from openfoley.evaluation.reports.sounds import gym_sounds
from openfoley.evaluation.stats.pooled import mean_of, median_of
from openfoley.evaluation.studies.clips import write_clip
from openfoley.evaluation.studies.requests import StepsRequest
from openfoley.evaluation.studies.study import SEED, Progress, Row, Study, change, figure, onsets, shown, table
from openfoley.flow.settings import SHORTCUT
from openfoley.generators.base import Generator
from openfoley.gym.scene import sample_scene
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline, load
from openfoley.request import Request
from openfoley.types import Conditions

FIRST_SEED = 7_000_000  # within the evaluation split
DURATION_S = 8.0
DISTANCES = {
    "swsd": swsd,
    "mel_db": mel_distance_db,
    "stft": lambda a, b, _: stft_distance(a, b),
}


def run(request: StepsRequest, progress: Progress | None = None) -> dict[str, Any]:
    """A shortcut model is "NAME, shortcut" in the table. Raises UsageError if two models have the same
    name."""
    names = [Path(model).name for model in (*request.models, *request.without_sync)]
    names += [f"{Path(model).name}, shortcut" for model in request.shortcut]
    if not names or len(set(names)) < len(names):
        raise UsageError(f"models need distinct names, got {'; '.join(names) or 'none'}")
    every = (*request.models, *request.without_sync, *request.shortcut)
    loaded = {model: load(model, request.device) for model in every}
    plain = [Entrant(loaded[model]) for model in request.models]
    unsynced_ones = [Entrant(without_sync(loaded[model])) for model in request.without_sync]
    stepping = [Entrant(loaded[model], Request.of(seed=SEED, solver=SHORTCUT)) for model in request.shortcut]
    entrants = dict(zip(names, (*plain, *unsynced_ones, *stepping), strict=True))
    study = Study(request, {name: loaded[model] for name, model in zip(names, every, strict=True)})
    rows = study.scenes(FIRST_SEED, lambda seed: _row(study, entrants, seed), progress)
    most = max(request.steps)
    figures = {name: {str(count): _at(rows, name, count, most) for count in request.steps} for name in entrants}
    return study.finish(figures, _table(figures))


@dataclass(frozen=True)
class Entrant:
    """A row of the table: a model and how it is sampled."""

    pipeline: Pipeline
    request: Request = field(default_factory=lambda: Request.of(seed=SEED))


P = TypeVar("P")


class WithoutSync(Generic[P]):
    """A generator whose sync features are absent, as `use_sync=False` trains one."""

    def __init__(self, generator: Generator[P]) -> None:
        self.latent_dim, self.window_latents = generator.latent_dim, generator.window_latents
        self.accepts_known, self.reads_whole_video = generator.accepts_known, generator.reads_whole_video
        self.defaults, self.supported_options = generator.defaults, generator.supported_options
        self.velocity, self.trained_step, self._prepare = generator.velocity, generator.trained_step, generator.prepare

    def prepare(self, conditions: Conditions, latents: int) -> P:
        return self._prepare(conditions.without("sync"), latents)


def without_sync(pipeline: Pipeline) -> Pipeline:
    return Pipeline(replace(pipeline.model, generator=WithoutSync(pipeline.model.generator)))


def _row(study: Study[StepsRequest], entrants: dict[str, Entrant], seed: int) -> Row:
    scene = sample_scene(seed, DURATION_S, split="evaluation", silent=False, aspect=1.0)
    clip = write_clip(study.folder / "clips", str(seed), scene)
    source, true, seen = Source.file(clip.video), clip.audio().samples, clip.truth.only(True)
    row: Row = {"seed": seed}
    for name, one in entrants.items():
        row[name] = {}
        for count in study.request.steps:
            (made,) = gym_sounds(one.pipeline, source, Request.of(one.request, steps=count), [SEED], study.store)
            times = onsets(made).times_s
            found, events = match_closest(times, seen.scored_s, ERROR_TOLERANCE_S)
            row[name][str(count)] = {
                "sums": visible_sums(times, clip.truth),
                "errors_ms": (1000 * (times[found] - seen.scored_s[events])).tolist(),
                **{key: distance(made.samples, true, made.sample_rate) for key, distance in DISTANCES.items()},
            }
    return row


def _at(rows: Sequence[Row], name: str, count: int, most: int) -> dict[str, Any]:
    mine = [row[name][str(count)] for row in rows]
    sums = [one["sums"] for one in mine]
    median, bounds = median_of([np.abs(one["errors_ms"]) for one in mine])
    return {
        "f1": f1_of(sums),
        "minus_most_steps": f1_difference(sums, [row[name][str(most)]["sums"] for row in rows]),
        "median_error_ms": {"value": median, "interval": bounds},
        **{key: mean_of([one[key] for one in mine]) for key in DISTANCES},
    }


def _table(figures: dict[str, Any]) -> list[str]:
    rows = []
    for name, by_steps in figures.items():
        for count, one in by_steps.items():
            gap, error = one["minus_most_steps"], one["median_error_ms"]
            rows.append(
                f"{name} | {count} | {figure(one['f1'])} | {change(gap)} "
                f"| {error['value']:.1f} {shown(error['interval'], 1)} "
                f"| {one['swsd']['mean']:.4g} | {one['mel_db']['mean']:.2f} | {one['stft']['mean']:.3f}"
            )
    columns = "model | steps | F1 ±50 ms | F1 - F1 at most steps | median error, ms"
    return table(f"{columns} | SWSD | log-mel, dB | STFT distance", rows)
