"""Precision and recall of hard-cut detection on multi-shot scenes and on single shots with much motion.

Scenes are rendered, written as H.264 and read back as in the pipeline. A detection within one frame of a true cut is
a hit; each cut is matched at most once.

Costs some 1.5 s of processor time for a scene.
"""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from openfoley.evaluation.metrics.matching import match
from openfoley.evaluation.stats.bootstrap import ratio_interval
from openfoley.evaluation.studies.clips import RATE, write_clip
from openfoley.evaluation.studies.requests import ScenesRequest
from openfoley.evaluation.studies.study import Progress, Row, Study, table
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import seeds_of
from openfoley.media.source import Source

FIRST_SEED = 1_000_000  # within the split
SLACK_FRAMES = 1.0
DURATION_S = 30.0
SETS = ("shots", "one shot")


def run(request: ScenesRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Scenes of 30 s with cuts, and as many without."""
    study = Study(request, {})
    rows = study.rows(len(SETS) * request.clips, lambda k: _row(study, k), progress)
    figures = {}
    for place, name in enumerate(SETS):
        counts = np.array([row["counts"] for row in rows[place :: len(SETS)]], dtype=np.float64)
        figures[name] = _figures(counts)
    return study.finish(figures, _table(figures))


def _row(study: Study[ScenesRequest], number: int) -> Row:
    """[detected and true, detected, true] cuts of one scene; the sets alternate."""
    place, split = number % len(SETS), study.request.split
    (seed,) = seeds_of(split, 1, FIRST_SEED + place * 500_000 + number // len(SETS), study.request.world)
    scene = sample_scene(seed, DURATION_S, split=split, aspect=1.0, single_shot=SETS[place] == "one shot")
    clip = write_clip(study.folder / "gym", f"{seed}", scene, with_sound=False)
    true = np.array([ceil(shot.start_s * RATE - 1e-9) for shot in scene.shots[1:]], dtype=np.float64)
    named = np.array([float(time * RATE) for time in Source.file(clip.video).cuts()], dtype=np.float64)
    clip.video.unlink()
    return {"counts": [len(match(named, true, SLACK_FRAMES)[0]), len(named), len(true)]}


def _figures(counts: np.ndarray) -> dict[str, Any]:
    found, named, true = counts.sum(0)
    minutes = len(counts) * DURATION_S / 60

    def recall(pooled: np.ndarray) -> np.ndarray:
        return pooled[:, 0] / np.maximum(pooled[:, 2], 1)

    return {
        "cuts": int(true),
        "named": int(named),
        "precision": float(found / named) if named else None,
        "recall": float(found / true) if true else None,
        "recall_interval": ratio_interval(recall, counts) if true else None,
        "false_per_minute": float((named - found) / minutes),
        "minutes": minutes,
    }


def _table(figures: dict[str, Any]) -> list[str]:
    rows = []
    for name, one in figures.items():
        precision, recall = (f"{v:.3f}" if v is not None else "" for v in (one["precision"], one["recall"]))
        false = f"{one['false_per_minute']:.2f}"
        rows.append(f"{name} | {one['minutes']:.0f} | {one['cuts']} | {precision} | {recall} | {false}")
    return table("scenes | minutes | cuts | precision | recall | false cuts a minute", rows)
