"""The second after a hard cut between shots that sound differently: how well do events and materials come out?

Four ways to make the same sound: cuts found and used ("auto"), the true cuts given ("given"), the sound carried on over
every cut ("carry"), and a fresh start on the second shot alone ("fresh"). Scored are the visible events of the first
second after each cut, and the material that a judge hears at those that were found.

Costs 6 s of processor time for a scene (a quarter of them have no cut that can be scored) and 2 minutes for the judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openfoley.evaluation.metrics.matching import match_closest
from openfoley.evaluation.metrics.onsets import Onsets
from openfoley.evaluation.metrics.sync import MAIN_TOLERANCE_S
from openfoley.evaluation.metrics.truth import Truth, from_dict
from openfoley.evaluation.reports.judge import trained_judge
from openfoley.evaluation.stats.bootstrap import ratio_interval
from openfoley.evaluation.studies.clips import RATE, only_in, pictures_of, times_in, true_sound
from openfoley.evaluation.studies.study import (
    Progress,
    Study,
    f1_difference,
    f1_of,
    onsets,
    permutation_p,
    shown,
    sums_of,
)
from openfoley.gym.records import Scene, Shot
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import seeds_of
from openfoley.judges.material import CLASSES, MaterialClassifier
from openfoley.timeline.shots import Cut
from openfoley.types import Audio

FIRST_SEED = 5_000_000  # within the evaluation split
DURATION_S = 20.0
AFTER_S = 1.0  # the second that is scored
WAYS = ("auto", "given", "carry", "fresh")


def run(
    model: str,
    out: Path,
    *,
    clips: int = 150,
    steps: int = 8,
    judge: Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Scenes of 20 s with a cut or more between shots of different materials."""
    study = Study("cuts", out, {"model": model, "steps": steps}, device)
    classifier = trained_judge(study.workspace, judge)
    seeds = seeds_of("evaluation", clips, FIRST_SEED)
    rows = study.rows(clips, lambda k: _row(study, classifier, seeds[k], steps), progress)
    figures: dict[str, Any] = {}
    for way in WAYS:
        right = np.array([row["materials"][way] for row in rows])
        figures[way] = {"events": f1_of([row["sums"][way] for row in rows]), "material": _share(right)}
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


def _row(study: Study, judge: MaterialClassifier, seed: int, steps: int) -> dict[str, Any] | None:
    scene = sample_scene(seed, DURATION_S, split="evaluation", silent=False, aspect=1.0)
    _, record = true_sound(scene)
    truth = from_dict(record)
    chosen = scored_cuts(scene, truth)
    if not chosen:
        return None
    end = _end_frame(scene.shots[chosen[-1]])  # nothing is scored in later shots
    frames = torch.cat(pictures_of(scene))[:end]
    whole = study.screening(str(seed), record, [frames])
    true_cuts = [Cut(_first_frame(shot) / RATE, "reset") for shot in scene.shots[1 : chosen[-1] + 1]]
    found = whole.cuts(whole.record) == tuple(cut.time for cut in true_cuts)
    made = {way: whole.sound(study.pipeline, cuts=way, steps=steps) for way in ("auto", "carry")}
    # the same shots, and none so short that "auto" carries on: the same sound to the bit
    made["given"] = made["auto"] if found else whole.sound(study.pipeline, cuts=true_cuts, steps=steps)
    detected = {way: onsets(audio) for way, audio in made.items()}
    sums = {way: np.zeros(3) for way in WAYS}
    materials = {way: np.zeros(2) for way in WAYS}
    for number in chosen:
        shot = scene.shots[number]
        second = only_in(truth, shot.start_s, shot.start_s + AFTER_S)
        first = _first_frame(shot)
        alone = study.screening(f"{seed}-shot{number}", {}, [frames[first : _end_frame(shot)]])
        fresh = alone.sound(study.pipeline, cuts="none", steps=steps)
        heard = {way: (audio, detected[way], shot.start_s) for way, audio in made.items()}
        heard["fresh"] = (fresh, onsets(fresh), shot.start_s - float(first / RATE))
        for way, (audio, times, start_s) in heard.items():
            events, right = _score(judge, audio, times, second, start_s)
            sums[way] += events
            materials[way] += right
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


def _score(
    judge: MaterialClassifier, audio: Audio, found: Onsets, truth: Truth, start: float
) -> tuple[np.ndarray, np.ndarray]:
    """[hits, detections, events] and [right materials, judged events] of the second from `start` on in the sound."""
    times = times_in(found.times_s, start, start + AFTER_S)
    seen = truth.only(True)
    rows, columns = match_closest(times, seen.scored_s, MAIN_TOLERANCE_S)
    pairs = [(r, c) for r, c in zip(rows, columns, strict=True) if seen.materials[c] in CLASSES]
    names = judge.names(audio.samples, audio.sample_rate, times[[r for r, _ in pairs]] + start) if pairs else []
    right = sum(name == seen.materials[c] for name, (_, c) in zip(names, pairs, strict=True))
    return np.array(sums_of(times, truth)), np.array([right, len(pairs)], dtype=np.float64)


def _share(sums: np.ndarray) -> dict[str, Any]:
    """Right materials of all judged, [clips, 2]."""
    table = np.asarray(sums, dtype=np.float64).reshape(-1, 2)
    return {
        "right": float(_ratio(table.sum(0, keepdims=True))[0]),
        "interval": ratio_interval(_ratio, table),
        "events": int(table[:, 1].sum()),
    }


def _ratio(pooled: np.ndarray) -> np.ndarray:
    return pooled[:, 0] / np.maximum(pooled[:, 1], 1)


def _against(rows: Sequence[dict[str, Any]], way: str, other: str) -> dict[str, Any]:
    """Events and materials of one way minus the other's, with paired p-values."""
    both = np.array([[*row["materials"][way], *row["materials"][other]] for row in rows]).reshape(-1, 4)

    def difference(pooled: np.ndarray) -> np.ndarray:
        return _ratio(pooled[:, :2]) - _ratio(pooled[:, 2:])

    value = float(difference(both.sum(0, keepdims=True))[0])
    return {
        "events": f1_difference(*([row["sums"][one] for row in rows] for one in (way, other))),
        "material": {
            "difference": value,
            "interval": ratio_interval(difference, both),
            "p": permutation_p(both, difference, value),
        },
    }


def _table(figures: dict[str, Any]) -> str:
    lines = [
        f"| 1 s after {figures['cuts']} cuts | F1 ±50 ms | events | right material | against carry: F1, material "
        "| against fresh: F1, material |",
        "|---|---|---|---|---|---|",
    ]
    for way in WAYS:
        events, material = figures[way]["events"], figures[way]["material"]
        gaps = [_gap(figures[way].get(key)) for key in ("against_carry", "against_fresh")]
        lines.append(
            f"| {way} | {events['f1']:.3f} {shown(events['interval'])} | {events['events']} "
            f"| {material['right']:.3f} {shown(material['interval'])} | {' | '.join(gaps)} |"
        )
    return "\n".join(lines)


def _gap(against: dict[str, Any] | None) -> str:
    both = (against["events"], against["material"]) if against else ()
    return ", ".join(f"{one['difference']:+.3f} {shown(one['interval'])} (p = {one['p']:.2g})" for one in both)
