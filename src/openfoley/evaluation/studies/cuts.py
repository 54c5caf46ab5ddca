"""The second after a hard cut between shots that sound differently: how well do events and materials come out?

Four ways to make the same sound: cuts found and used ("auto"), the true cuts given ("given"), the sound carried on over
every cut ("carry"), and a fresh start on the second shot alone ("fresh"). Scored are the visible events of the first
second after each cut, and the material that a judge hears at those that were found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from openfoley.evaluation.bootstrap import ratio_interval
from openfoley.evaluation.matching import match_closest
from openfoley.evaluation.material import CLASSES, MaterialClassifier
from openfoley.evaluation.onsets import Onsets
from openfoley.evaluation.studies.clips import (
    RATE,
    Clip,
    excerpt,
    frames_of,
    only_in,
    times_in,
    write_clip,
)
from openfoley.evaluation.studies.judge import trained_judge
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
from openfoley.evaluation.sync import MAIN_TOLERANCE_S
from openfoley.evaluation.truth import Truth
from openfoley.gym.records import Scene
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import seeds_of
from openfoley.longform.shots import Cut
from openfoley.types import Audio

FIRST_SEED = 5_000_000  # within the evaluation split
DURATION_S = 20.0
AFTER_S = 1.0  # the second that is scored
FRESH_S = 3.0  # of a shot that starts afresh: its shortest length
WAYS = ("auto", "given", "carry", "fresh")


def run(
    model: str,
    out: Path,
    *,
    clips: int = 200,
    steps: int = 8,
    judge: Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Scenes of 20 s with a cut or more between shots of different materials."""
    study = Study("cuts", out, {"model": model, "steps": steps}, device)
    heard = trained_judge(out, judge)
    seeds = seeds_of("evaluation", clips, FIRST_SEED)
    rows = study.rows(clips, lambda k: _row(study, heard, seeds[k], steps), progress)
    figures: dict[str, Any] = {}
    for way in WAYS:
        right = np.array([row["materials"][way] for row in rows])
        figures[way] = {"events": f1_of([row["sums"][way] for row in rows]), "material": _share(right)}
        if way != "carry":
            figures[way]["against_carry"] = _against(rows, way, "carry")
        if way in ("auto", "given"):
            figures[way]["against_fresh"] = _against(rows, way, "fresh")
    figures["cuts"] = int(sum(row["cuts"] for row in rows))
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
    if len(scene.shots) < 2:
        return None
    pictures: list[Tensor] = []

    def frames() -> Tensor:
        if not pictures:
            pictures.append(frames_of(scene))
        return pictures[0]

    clip = write_clip(study.folder / "clips", str(seed), scene, lambda: iter([frames()]))
    chosen = scored_cuts(scene, clip.truth)
    if not chosen:
        return None
    true_cuts = [Cut(Fraction(ceil(shot.start_s * RATE - 1e-9), 1) / RATE, "reset") for shot in scene.shots[1:]]
    whole: dict[str, Audio] = {}
    for way, cuts in (("auto", "auto"), ("given", true_cuts), ("carry", "carry")):
        asked = {"steps": steps, "cuts": cuts, "seed": 1, "store": study.store}
        whole[way] = study.sound(f"{seed}-{way}", lambda asked=asked: study.pipeline.generate(clip.video, **asked))
    sums = {way: np.zeros(3) for way in WAYS}
    materials = {way: np.zeros(2) for way in WAYS}
    found = {way: onsets(audio) for way, audio in whole.items()}
    for number in chosen:
        start = scene.shots[number].start_s
        truth = only_in(clip.truth, start, start + AFTER_S)
        for way, audio in whole.items():
            heard = _score(judge, audio, found[way], truth, start)
            sums[way] += heard[0]
            materials[way] += heard[1]
        audio, begun = _fresh(study, scene, number, frames, clip, steps)
        heard = _score(judge, audio, onsets(audio), truth, start - begun)
        sums["fresh"] += heard[0]
        materials["fresh"] += heard[1]
    return {
        "seed": seed,
        "cuts": len(chosen),
        "sums": {way: value.tolist() for way, value in sums.items()},
        "materials": {way: value.tolist() for way, value in materials.items()},
    }


def _fresh(study: Study, scene: Scene, number: int, frames: Any, clip: Clip, steps: int) -> tuple[Audio, float]:
    """The sound of a shot's beginning alone, and the time (s) of its first frame in the scene."""
    first = ceil(scene.shots[number].start_s * RATE - 1e-9)
    last = min(first + round(FRESH_S * RATE), ceil(scene.shots[number].end_s * RATE - 1e-9))
    begun = float(first / RATE)
    name = f"{clip.name}-shot{number}"

    def pictures() -> Iterator[Tensor]:
        yield frames()[first:last]

    part = write_clip(
        study.folder / "clips", name, excerpt(scene, begun, float(last / RATE)), pictures, with_sound=False
    )
    asked = {"steps": steps, "cuts": "none", "seed": 1, "store": study.store}
    return study.sound(name, lambda: study.pipeline.generate(part.video, **asked)), begun


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
        f"| 1 s after {figures['cuts']} cuts | F1 ±50 ms | events | right material | against carry: F1, material |",
        "|---|---|---|---|---|",
    ]
    for way in WAYS:
        events, material, against = (figures[way].get(key) for key in ("events", "material", "against_carry"))
        gap = ""
        if against:
            gap = ", ".join(
                f"{a['difference']:+.3f} (p = {a['p']:.2g})" for a in (against["events"], against["material"])
            )
        lines.append(
            f"| {way} | {events['f1']:.3f} {shown(events['interval'])} | {events['events']} "
            f"| {material['right']:.3f} {shown(material['interval'])} | {gap} |"
        )
    return "\n".join(lines)
