"""Does synchronization drift over ten minutes? F1 in the last minute of a long multi-shot scene, generated after nine
others, against a fresh start on the same frames of that minute. Paired by scene.

By default the sound continues over every cut, so that ten minutes are one chain of windows. With cuts "auto" every
shot of the Gym (3 to 10 s) starts afresh, so that no drift could accumulate.

Costs some 2 minutes of processor time for a scene of ten minutes, most of it encoders and sampling. 32 scenes have
1,905 events.
"""

from __future__ import annotations

from typing import Any

from openfoley.errors import UsageError
from openfoley.evaluation.metrics.f1 import f1_difference, f1_of, visible_sums
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.studies.clips import RATE, excerpt, pictures_of, times_in, true_sound
from openfoley.evaluation.studies.requests import LongformRequest
from openfoley.evaluation.studies.study import Progress, Row, Study, change, figure, onsets, study_of, table
from openfoley.gym.picture import frame_count
from openfoley.gym.scene import sample_scene
from openfoley.media.source import Source
from openfoley.request import Request
from openfoley.types import Audio

FIRST_SEED = 2_000_000  # within the evaluation split, away from those of the report
LAST_S = 60.0  # scored at the end
BEFORE_S = 1.0  # s of sound before it for the detector, so that decaying sound is not detected as an onset


def run(request: LongformRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Scenes of `minutes` minutes; the last one is scored. The rule at cuts is the same for both."""
    if 60 * request.minutes < LAST_S:
        raise UsageError(f"minutes must be at least {LAST_S / 60:g}, got {request.minutes:g}")
    study = study_of(request)
    rows = study.scenes(FIRST_SEED, lambda seed: _row(study, seed), progress)
    late, fresh = [row["late"] for row in rows], [row["fresh"] for row in rows]
    figures = {"late": f1_of(late), "fresh": f1_of(fresh), "late_minus_fresh": f1_difference(late, fresh)}
    return study.finish(figures, _table(figures, request))


def _row(study: Study[LongformRequest], seed: int) -> Row:
    request = study.request
    start_s, end_s = 60.0 * request.minutes - LAST_S, 60.0 * request.minutes
    scene = sample_scene(seed, end_s, split="evaluation", silent=False, aspect=1.0)
    _, record = true_sound(excerpt(scene, start_s, end_s))
    pictures, truth = pictures_of(scene), from_dict(record)
    asked = Request.of(seed=seed % 1000, steps=request.steps, cuts=request.cuts)
    whole = study.sound(Source.tensor(pictures, RATE), asked)
    fresh = study.sound(Source.tensor(pictures[frame_count(start_s, RATE) :], RATE), asked)
    before_s = min(BEFORE_S, start_s)
    late = Audio(whole.samples[:, round((start_s - before_s) * whole.sample_rate) :], whole.sample_rate)
    return {
        "seed": seed,
        "late": visible_sums(times_in(onsets(late).times_s, before_s, before_s + LAST_S), truth),
        "fresh": visible_sums(onsets(fresh).times_s, truth),
    }


def _table(figures: dict[str, Any], request: LongformRequest) -> list[str]:
    late, fresh, gap = figures["late"], figures["fresh"], figures["late_minus_fresh"]
    both = ((f"minute {request.minutes:g}", late), ("fresh start", fresh))
    rows = [f"{name} | {figure(one)} | {one['events']} | {one['clips']}" for name, one in both]
    rows.append(f"difference | {change(gap)}, p = {gap['p']:.2g} | |")
    return table(f"visible events, ±50 ms, cuts {request.cuts} | F1 | events | clips", rows)
