"""One window longer than in training against iterative extension (SALSA-V Figure 5, right).

The first 10 to 60 s of single-shot scenes, generated at once and by iterative extension: F1 of visible events, SWSD and
log-mel distance to the true sound, paired by scene. Rows (`variations`) vary the extension; the others are compared
with the first.

Costs 60 s of processor time for a scene (10, 20, 30, 45 and 60 s; without 45 s 46 s), nearly half of it the windows
that are as long as the scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from openfoley.evaluation.metrics.f1 import f1_difference, f1_of, visible_sums
from openfoley.evaluation.metrics.spectral import mel_distance_db, swsd
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.stats.pooled import mean_of
from openfoley.evaluation.studies.clips import RATE, only_in, pictures_of, true_sound
from openfoley.evaluation.studies.requests import LengthsRequest
from openfoley.evaluation.studies.study import SEED, Progress, Row, Study, change, figure, onsets, study_of, table
from openfoley.evaluation.studies.variations import varied
from openfoley.gym.scene import sample_scene
from openfoley.media.source import Source
from openfoley.request import Request

FIRST_SEED = 6_000_000  # within the evaluation split
WAYS = ("at_once", "extended")
MARGIN_S = 0.5  # a window is a little longer than its clip, so that rounding to latents never makes it two


def run(request: LengthsRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Scenes as long as the longest of `lengths` (s)."""
    study = study_of(request)
    by_row = study.scenes_by_row(request.rows, FIRST_SEED, partial(_row, study), progress)
    first, *others = request.rows
    lengths = [str(length) for length in request.lengths]
    figures: dict[str, Any] = {length: _at([row[length] for row in by_row[first]]) for length in lengths}
    for length in lengths:
        own = [row[length] for row in by_row[first]]
        figures[length]["rows"] = {name: _beside([row[length] for row in by_row[name]], own) for name in others}
    return study.finish(figures, _table(figures))


def _row(study: Study[LengthsRequest], seed: int, name: str) -> Row:
    """At once only for the first row: it has one window."""
    lengths = study.request.lengths
    longest = max(lengths)
    scene = sample_scene(seed, float(longest), split="evaluation", silent=False, aspect=1.0, single_shot=True)
    audio, record = true_sound(scene)
    pictures = pictures_of(scene)
    row: Row = {"seed": seed}
    for length in lengths:
        part = Source.tensor(pictures[: int(length * RATE)], RATE)
        truth = only_in(from_dict(record), 0.0, length)
        row[str(length)] = {}
        for way, window in (("at_once", length + MARGIN_S), ("extended", None)):
            if way == "at_once" and name != study.request.rows[0]:
                continue
            asked = Request.of(steps=study.request.steps, cuts="none", window=window, seed=SEED)
            asked = varied(asked, name) if way == "extended" else asked
            made = study.sound(part, asked, name)
            count = min(made.samples.shape[-1], round(length * audio.sample_rate))
            ours, theirs = made.samples[:, :count], audio.samples[:, :count]
            row[str(length)][way] = {
                "sums": visible_sums(onsets(made).times_s, truth),
                "swsd": swsd(ours, theirs, made.sample_rate),
                "mel_db": mel_distance_db(ours.mean(0), theirs.mean(0), made.sample_rate),
            }
    return row


def _at(rows: Sequence[Row]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for way in WAYS:
        figures[way] = _of_way(rows, way)
    figures["extended_minus_at_once"] = f1_difference(*([row[way]["sums"] for row in rows] for way in reversed(WAYS)))
    return figures


def _of_way(rows: Sequence[Row], way: str) -> dict[str, Any]:
    figures: dict[str, Any] = {"f1": f1_of([row[way]["sums"] for row in rows])}
    return figures | {name: mean_of([row[way][name] for row in rows]) for name in ("swsd", "mel_db")}


def _beside(rows: Sequence[Row], first: Sequence[Row]) -> dict[str, Any]:
    """Another row's extension beside the first row's."""
    sums = [[row["extended"]["sums"] for row in part] for part in (rows, first)]
    return {**_of_way(rows, "extended"), "minus_first_row": f1_difference(*sums)}


def _table(figures: dict[str, Any]) -> list[str]:
    rows = []
    for length, by_way in figures.items():
        for way in WAYS:
            one = by_way[way]
            gap = change(by_way["extended_minus_at_once"]) if way == "extended" else ""
            distances = f"{one['swsd']['mean']:.5g} | {one['mel_db']['mean']:.2f}"
            rows.append(f"{length} | {way} | {figure(one['f1'])} | {distances} | {gap}")
        for name, one in by_way["rows"].items():
            distances = f"{one['swsd']['mean']:.5g} | {one['mel_db']['mean']:.2f}"
            gap = f"{change(one['minus_first_row'])} to the first row"
            rows.append(f"{length} | extended, {name} | {figure(one['f1'])} | {distances} | {gap}")
    return table("length, s | way | F1 ±50 ms | SWSD | log-mel distance, dB | extended - at once, F1", rows)
