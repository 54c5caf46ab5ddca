"""The second after a hard cut between shots that sound differently: event F1 and material accuracy.

Four ways to generate the sound: detected cuts ("auto"), the true cuts ("given"), the sound continued over
every cut ("carry"), and a fresh start on the second shot alone ("fresh"). Scored are the visible events of the first
second after each cut, and the accuracy of the material at those that are detected.

Costs 6 s of processor time for a scene (a quarter of them have no cut that can be scored) and 2 minutes for the judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from openfoley.evaluation.metrics.f1 import f1_of, pooled_f1, visible_sums
from openfoley.evaluation.metrics.material import material_accuracy, material_sums, share_as_asked
from openfoley.evaluation.metrics.truth import Truth, from_dict
from openfoley.evaluation.reports.judge import trained_judge
from openfoley.evaluation.stats.pooled import paired_difference
from openfoley.evaluation.studies.clips import RATE, only_in, pictures_of, times_in, true_sound
from openfoley.evaluation.studies.requests import CutsRequest
from openfoley.evaluation.studies.study import SEED, Progress, Row, Study, change, figure, onsets, study_of, table
from openfoley.gym.records import Scene, Shot
from openfoley.gym.scene import sample_scene
from openfoley.judges.material import MaterialClassifier
from openfoley.media.source import Source
from openfoley.request import Cut, Request

FIRST_SEED = 5_000_000  # within the evaluation split
DURATION_S = 20.0
AFTER_S = 1.0  # the second that is scored
WAYS = ("auto", "given", "carry", "fresh")


def run(request: CutsRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Scenes of 20 s with a cut or more between shots of different materials."""
    study = study_of(request)
    judge = trained_judge(study.workspace, request.judge, request.world)
    rows = study.scenes(FIRST_SEED, lambda seed: _row(study, judge, seed), progress)
    figures: dict[str, Any] = {}
    for way in WAYS:
        sums, materials = (np.array([row[kind][way] for row in rows]) for kind in ("sums", "materials"))
        figures[way] = {"events": f1_of(sums), "material": material_accuracy(materials)}
        if way != "carry":
            figures[way]["against_carry"] = _against(rows, way, "carry")
        if way in ("auto", "given"):
            figures[way]["against_fresh"] = _against(rows, way, "fresh")
    figures["cuts"] = int(sum(row["cuts"] for row in rows))
    figures["scenes"] = {"all": len(rows), "all cuts found to the frame": sum(row["found"] for row in rows)}
    return study.finish(figures, _table(figures))


def scored_cuts(scene: Scene, truth: Truth) -> list[int]:
    """Shots that begin with a cut between different materials, with a visible event in their first second."""
    chosen = []
    for number in range(1, len(scene.shots)):
        before, after = (
            {o.material for act in scene.shots[k].performances for o in act.objects} for k in (number - 1, number)
        )
        start = scene.shots[number].start_s
        if before and after and not before & after and len(only_in(truth.only(True), start, start + AFTER_S).scored_s):
            chosen.append(number)
    return chosen


def _row(study: Study[CutsRequest], judge: MaterialClassifier, seed: int) -> Row | None:
    steps = study.request.steps
    scene = sample_scene(seed, DURATION_S, split="evaluation", silent=False, aspect=1.0)
    _, record = true_sound(scene)
    truth = from_dict(record)
    chosen = scored_cuts(scene, truth)
    if not chosen:
        return None
    end = _end_frame(scene.shots[chosen[-1]])  # nothing is scored in later shots
    frames = pictures_of(scene)[:end]
    whole = Source.tensor(frames, RATE)
    true_cuts = [Cut(_first_frame(shot) / RATE, "reset") for shot in scene.shots[1 : chosen[-1] + 1]]
    found = whole.cuts() == tuple(cut.time for cut in true_cuts)
    made = {way: study.sound(whole, Request.of(cuts=way, steps=steps, seed=SEED)) for way in ("auto", "carry")}
    # the same shots, none so short that "auto" continues the sound: bit-identical
    made["given"] = made["auto"] if found else study.sound(whole, Request.of(cuts=true_cuts, steps=steps, seed=SEED))
    detected = {way: onsets(audio) for way, audio in made.items()}
    sums = {way: np.zeros(3) for way in WAYS}
    materials = {way: np.zeros(3) for way in WAYS}
    for number in chosen:
        shot = scene.shots[number]
        second = only_in(truth, shot.start_s, shot.start_s + AFTER_S)
        first = _first_frame(shot)
        alone = Source.tensor(frames[first : _end_frame(shot)], RATE)
        fresh = study.sound(alone, Request.of(cuts="none", steps=steps, seed=SEED))
        sounds = {way: (audio, detected[way], shot.start_s) for way, audio in made.items()}
        sounds["fresh"] = (fresh, onsets(fresh), shot.start_s - float(first / RATE))
        for way, (audio, found_events, start_s) in sounds.items():
            times = times_in(found_events.times_s, start_s, start_s + AFTER_S)
            sums[way] += visible_sums(times, second)
            materials[way] += material_sums(judge, audio, times, second, start_s=start_s)
    return {
        "seed": seed,
        "cuts": len(chosen),
        "found": found,
        "sums": {way: value.tolist() for way, value in sums.items()},
        "materials": {way: value.tolist() for way, value in materials.items()},
    }


def _first_frame(shot: Shot) -> int:
    return ceil(shot.start_s * RATE - 1e-9)


def _end_frame(shot: Shot) -> int:
    return ceil(shot.end_s * RATE - 1e-9)


def _against(rows: Sequence[Row], way: str, other: str) -> dict[str, Any]:
    """Differences in events and materials between two ways, with paired p-values."""
    return {
        name: paired_difference(figure, *(np.array([row[kind][one] for row in rows]) for one in (way, other)))
        for name, kind, figure in (("events", "sums", pooled_f1), ("material", "materials", share_as_asked))
    }


def _table(figures: dict[str, Any]) -> list[str]:
    rows = []
    for way in WAYS:
        events, material = figures[way]["events"], figures[way]["material"]
        gaps = [_gap(figures[way].get(key)) for key in ("against_carry", "against_fresh")]
        cells = way, figure(events), str(events["events"]), figure(material, "accuracy"), *gaps
        rows.append(" | ".join(cells))
    columns = "F1 ±50 ms | events | right material | against carry: F1, material | against fresh: F1, material"
    return table(f"1 s after {figures['cuts']} cuts | {columns}", rows)


def _gap(against: dict[str, Any] | None) -> str:
    both = (against["events"], against["material"]) if against else ()
    return ", ".join(f"{change(one)} (p = {one['p']:.2g})" for one in both)
