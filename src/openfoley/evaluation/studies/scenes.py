"""How well hard cuts are found: scenes of several shots whose cuts are known, and single shots full of motion.

Scenes are rendered, written as H.264 and read back through the same pass that the pipeline uses. A cut counts as found
where a frame within one of the true first frame is named; each may be found once.

Costs some 1.5 s of processor time for a scene.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from openfoley.evaluation.metrics.matching import match
from openfoley.evaluation.reports.workspace import Workspace
from openfoley.evaluation.stats.bootstrap import ratio_interval
from openfoley.evaluation.studies.clips import RATE, write_clip
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import Split, seeds_of
from openfoley.media.scenes import cut_times

FIRST_SEED = 1_000_000  # within the split
SLACK_FRAMES = 1.0
SETS: dict[str, tuple[bool, float]] = {"shots": (False, 30.0), "one shot": (True, 30.0)}


def run(out: Path, *, clips: int = 50, split: Split = "validation", progress: Any = None) -> dict[str, Any]:
    """`clips` scenes of 30 s with cuts, and as many without."""
    workspace = Workspace(out, {"study": "scenes", "split": split})
    figures: dict[str, Any] = {}
    for place, (name, (single, duration)) in enumerate(SETS.items()):
        rows = []
        for k, seed in enumerate(seeds_of(split, clips, FIRST_SEED + place * 500_000)):
            section = f"{name.replace(' ', '-')}-{k:05d}"
            rows.append(
                workspace.section(section, lambda s=seed, one=single, d=duration: _row(out, s, split, d, one))["counts"]
            )
            if progress is not None:
                progress(place * clips + k + 1, len(SETS) * clips)
        figures[name] = _figures(np.array(rows, dtype=np.float64), duration)
    record = {"about": {"split": split, "clips": clips}, "figures": figures}
    (out / "results.md").write_text(table(record) + "\n", encoding="utf-8")
    return record


def _row(out: Path, seed: int, split: Split, duration: float, single: bool) -> dict[str, Any]:
    """[found, named, true] cuts of one scene."""
    scene = sample_scene(seed, duration, split=split, aspect=1.0, single_shot=single)
    clip = write_clip(out / "gym", f"{seed}", scene, with_sound=False)
    true = np.array([ceil(shot.start_s * RATE - 1e-9) for shot in scene.shots[1:]], dtype=np.float64)
    named = np.array([float(time * RATE) for time in cut_times(clip.video)], dtype=np.float64)
    clip.video.unlink()
    hits = len(match(named, true, SLACK_FRAMES)[0])
    return {"counts": [hits, len(named), len(true)]}


def _figures(counts: np.ndarray, duration: float) -> dict[str, Any]:
    found, named, true = counts.sum(0)
    minutes = len(counts) * duration / 60

    def share(column: int):
        return lambda pooled: pooled[:, 0] / np.maximum(pooled[:, column], 1)

    return {
        "cuts": int(true),
        "named": int(named),
        "precision": float(found / named) if named else None,
        "recall": float(found / true) if true else None,
        "recall_interval": ratio_interval(share(2), counts) if true else None,
        "false_per_minute": float((named - found) / minutes),
        "minutes": minutes,
    }


def table(record: dict[str, Any]) -> str:
    lines = ["| scenes | minutes | cuts | precision | recall | false cuts a minute |", "|---|---|---|---|---|---|"]
    for name, one in record["figures"].items():
        precision, recall = (f"{v:.3f}" if v is not None else "" for v in (one["precision"], one["recall"]))
        false = f"{one['false_per_minute']:.2f}"
        lines.append(f"| {name} | {one['minutes']:.0f} | {one['cuts']} | {precision} | {recall} | {false} |")
    return "\n".join(lines)
