"""Does a long sound drift? F1 and level of single minutes along a long multi-shot scene, each against the first of
them, and the last against a fresh start on the same frames. Paired by scene.

By default the sound continues over every cut, so that the scene is one chain of windows. With cuts "auto" every shot
of the Gym (3 to 10 s) starts afresh, so that no drift could accumulate. In the world "long" sounds last over cuts, too.
The level is the power of a minute in dB, minus that of its true sound. Rows (`variations`) are compared minute by
minute with the first.

Costs some 2 minutes of processor time for a scene of ten minutes and a row, most of it encoders and sampling, 6 for one
of thirty. 32 scenes of ten minutes have 1,905 events in the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch

from openfoley.errors import UsageError
from openfoley.evaluation.metrics.f1 import f1_difference, f1_of, visible_sums
from openfoley.evaluation.metrics.joins import FLOOR_POWER
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.stats.pooled import mean_of
from openfoley.evaluation.studies.clips import RATE, excerpt, pictures_of, times_in, true_sound
from openfoley.evaluation.studies.requests import LongformRequest
from openfoley.evaluation.studies.study import Progress, Row, Study, change, figure, onsets, shown, study_of, table
from openfoley.evaluation.studies.variations import varied
from openfoley.gym.picture import frame_count
from openfoley.gym.scene import sample_scene
from openfoley.media.source import Source
from openfoley.request import Request
from openfoley.types import Audio

FIRST_SEED = 2_000_000  # within the evaluation split, away from those of the report
LAST_S = 60.0  # scored at the end of each mark
BEFORE_S = 1.0  # s of sound before it for the detector, so that decaying sound is not detected as an onset


def run(request: LongformRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Scenes as long as the longest of `minutes`. The rule at cuts is the same for all."""
    shortest = min(request.minutes, default=0.0)
    if 60 * shortest < LAST_S:
        raise UsageError(f"minutes must be at least {LAST_S / 60:g}, got {shortest:g}")
    study = study_of(request)
    by_row = study.scenes_by_row(request.rows, FIRST_SEED, partial(_row, study), progress)
    first = by_row[request.rows[0]]
    rows = {name: _figures(own, first if n else None, request) for n, (name, own) in enumerate(by_row.items())}
    figures = {**rows[request.rows[0]], "rows": rows}
    return study.finish(figures, _table(figures, request))


def _row(study: Study[LongformRequest], seed: int, name: str) -> Row:
    request, minutes = study.request, sorted(study.request.minutes)
    end_s = 60.0 * minutes[-1]
    scene = sample_scene(seed, end_s, split="evaluation", silent=False, aspect=1.0)
    pictures = pictures_of(scene)
    varied_request = varied(Request.of(seed=seed % 1000, steps=request.steps, cuts=request.cuts), name)
    whole = study.sound(Source.tensor(pictures, RATE), varied_request, name)
    row: Row = {"seed": seed, "minutes": {}}
    truth = None
    for minute in minutes:
        start_s = 60.0 * minute - LAST_S
        true, record = true_sound(excerpt(scene, start_s, 60.0 * minute))
        truth, before_s = from_dict(record), min(BEFORE_S, start_s)
        first, last = (round(s * whole.sample_rate) for s in (start_s - before_s, 60.0 * minute))
        part = Audio(whole.samples[:, first:last], whole.sample_rate)
        own = part.samples[:, round(before_s * whole.sample_rate) :]
        row["minutes"][f"{minute:g}"] = {
            "sums": visible_sums(times_in(onsets(part).times_s, before_s, before_s + LAST_S), truth),
            "level_db": _level_db(own) - _level_db(true.samples),
        }
    end = Source.tensor(pictures[frame_count(end_s - LAST_S, RATE) :], RATE)
    fresh = study.sound(end, varied_request, name)
    assert truth is not None, "the request has minutes"
    return {**row, "fresh": visible_sums(onsets(fresh).times_s, truth)}


def _level_db(samples: torch.Tensor) -> float:
    return 10 * float(np.log10(float(samples.square().mean()) + FLOOR_POWER))


def _figures(rows: Sequence[Row], first: Sequence[Row] | None, request: LongformRequest) -> dict[str, Any]:
    """Of one row of the study. first: the row that it is compared with."""
    names = [f"{minute:g}" for minute in sorted(request.minutes)]

    def sums(of: Sequence[Row], minute: str) -> list[list[float]]:
        return [row["minutes"][minute]["sums"] for row in of]

    late, fresh = sums(rows, names[-1]), [row["fresh"] for row in rows]
    figures: dict[str, Any] = {
        "late": f1_of(late),
        "fresh": f1_of(fresh),
        "late_minus_fresh": f1_difference(late, fresh),
    }
    levels = {name: [row["minutes"][name]["level_db"] for row in rows] for name in names}
    figures["minutes"] = {
        name: {
            **f1_of(sums(rows, name)),
            "minus_first_minute": f1_difference(sums(rows, name), sums(rows, names[0])),
            "level_db": mean_of(levels[name]),
            "level_minus_first_minute": mean_of([a - b for a, b in zip(levels[name], levels[names[0]], strict=True)]),
            **({} if first is None else {"minus_first_row": f1_difference(sums(rows, name), sums(first, name))}),
        }
        for name in names
    }
    return figures


def _table(figures: dict[str, Any], request: LongformRequest) -> list[str]:
    late, fresh, gap = figures["late"], figures["fresh"], figures["late_minus_fresh"]
    both = ((f"minute {max(request.minutes):g}", late), ("fresh start", fresh))
    lines = [f"{name} | {figure(one)} | {one['events']} | {one['clips']}" for name, one in both]
    lines.append(f"difference | {change(gap)}, p = {gap['p']:.2g} | |")
    along = [
        f"{name} | {minute} | {figure(one)} | {change(one['minus_first_minute'])} | "
        f"{one['level_minus_first_minute']['mean']:+.2f} {shown(one['level_minus_first_minute']['interval'], 2)} | "
        + (change(one["minus_first_row"]) if "minus_first_row" in one else "")
        for name, row in figures["rows"].items()
        for minute, one in row["minutes"].items()
    ]
    head = "row | minute | F1 | minus the first minute's | level minus the first minute's, dB | minus the first row's"
    return [
        *table(f"visible events, ±50 ms, cuts {request.cuts} | F1 | events | clips", lines),
        "",
        *table(head, along),
    ]
