"""One window beyond the training length against one window after the other (SALSA-V Figure 5, right).

Single-shot scenes of 10 to 60 s, generated at once and by iterative extension: F1 of visible events, SWSD and log-mel
distance to the true sound, paired by scene."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from openfoley.evaluation.bootstrap import interval
from openfoley.evaluation.spectral import mel_distance_db, swsd
from openfoley.evaluation.studies.clips import write_clip
from openfoley.evaluation.studies.study import Progress, Study, f1_difference, f1_of, onsets, shown, sums_of
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import seeds_of

FIRST_SEED = 6_000_000  # within the evaluation split
LENGTHS_S = (10, 20, 30, 45, 60)
WAYS = ("at_once", "extended")
SPARE_S = 0.5  # a window is a little longer than its clip, so that rounding to latents never makes it two


def run(
    model: str,
    out: Path,
    *,
    clips: int = 40,
    steps: int = 8,
    lengths: Sequence[int] = LENGTHS_S,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """`clips` scenes of every length."""
    study = Study("lengths", out, {"model": model, "steps": steps, "lengths": list(lengths)}, device)
    seeds = seeds_of("evaluation", clips, FIRST_SEED)
    rows = study.rows(clips, lambda k: _row(study, seeds[k], lengths, steps), progress)
    figures = {str(length): _at([row[str(length)] for row in rows]) for length in lengths}
    return study.finish(figures, _table(figures))


def _row(study: Study, seed: int, lengths: Sequence[int], steps: int) -> dict[str, Any]:
    row: dict[str, Any] = {"seed": seed}
    for length in lengths:
        scene = sample_scene(seed, float(length), split="evaluation", silent=False, aspect=1.0, single_shot=True)
        clip = write_clip(study.folder / "clips", f"{seed}-{length}", scene)
        true, row[str(length)] = clip.audio().samples, {}
        for way, window in (("at_once", length + SPARE_S), ("extended", None)):
            asked = {"steps": steps, "cuts": "none", "seed": 1, "window": window, "store": study.store}
            made = study.sound(
                f"{seed}-{length}-{way}", lambda asked=asked, clip=clip: study.pipeline.generate(clip.video, **asked)
            )
            count = min(made.samples.shape[-1], true.shape[-1])
            ours, theirs = made.samples[:, :count], true[:, :count]
            row[str(length)][way] = {
                "sums": sums_of(onsets(made).times_s, clip.truth),
                "swsd": swsd(ours, theirs, made.sample_rate),
                "mel_db": mel_distance_db(ours.mean(0), theirs.mean(0), made.sample_rate),
            }
    return row


def _at(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for way in WAYS:
        figures[way] = {"f1": f1_of([row[way]["sums"] for row in rows])}
        for name in ("swsd", "mel_db"):
            values = np.array([row[way][name] for row in rows], dtype=np.float64)
            bounds = interval(lambda i, v=values: float(np.nanmean(v[i])), len(values))
            figures[way][name] = {"mean": float(np.nanmean(values)), "interval": bounds}
    figures["extended_minus_at_once"] = f1_difference(*([row[way]["sums"] for row in rows] for way in reversed(WAYS)))
    return figures


def _table(figures: dict[str, Any]) -> str:
    lines = [
        "| length, s | way | F1 ±50 ms | SWSD | log-mel distance, dB | extended - at once, F1 |",
        "|---|---|---|---|---|---|",
    ]
    for length, figure in figures.items():
        gap = figure["extended_minus_at_once"]
        for way in WAYS:
            one = figure[way]
            change = f"{gap['difference']:+.3f} {shown(gap['interval'])}" if way == "extended" else ""
            f1 = f"{one['f1']['f1']:.3f} {shown(one['f1']['interval'])}"
            distances = f"{one['swsd']['mean']:.5g} | {one['mel_db']['mean']:.2f}"
            lines.append(f"| {length} | {way} | {f1} | {distances} | {change} |")
    return "\n".join(lines)
