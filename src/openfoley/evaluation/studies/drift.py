"""Does a sound lose the picture over ten minutes? Events of the last minute of a long multi-shot scene, generated after
nine others, against those of a fresh start on the same pictures of that minute. Paired by scene."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch import Tensor

from openfoley.evaluation.studies.clips import (
    CPU,
    RATE,
    SIDE,
    excerpt,
    times_in,
    write_clip,
)
from openfoley.evaluation.studies.study import Progress, Study, f1_difference, f1_of, onsets, shown, sums_of
from openfoley.gym.picture import FRAMES_AT_ONCE, frame_count, render_frames
from openfoley.gym.records import Scene
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import seeds_of

FIRST_SEED = 2_000_000  # within the evaluation split, away from those of the report
LAST_S = 60.0  # what is scored; a multiple of FRAMES_AT_ONCE frames, as is the length of a scene


def run(
    model: str,
    out: Path,
    *,
    clips: int = 40,
    minutes: float = 10,
    steps: int = 8,
    cuts: str = "auto",
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Scenes of `minutes` minutes; what is scored is the last one. cuts: the rule at cuts, the same for both."""
    study = Study("longform", out, {"model": model, "minutes": minutes, "steps": steps, "cuts": cuts}, device)
    seeds = seeds_of("evaluation", clips, FIRST_SEED)
    rows = study.rows(clips, lambda k: _row(study, seeds[k], minutes, steps, cuts), progress)
    late, fresh = [row["late"] for row in rows], [row["fresh"] for row in rows]
    figures = {"late": f1_of(late), "fresh": f1_of(fresh), "late_minus_fresh": f1_difference(late, fresh)}
    return study.finish(figures, _table(figures, minutes, cuts))


def _row(study: Study, seed: int, minutes: float, steps: int, cuts: str) -> dict[str, Any]:
    start_s, end_s = 60.0 * minutes - LAST_S, 60.0 * minutes
    scene = sample_scene(seed, end_s, split="evaluation", silent=False, aspect=1.0)
    folder = study.folder / "clips"
    last = excerpt(scene, start_s, end_s)
    short = write_clip(folder, f"{seed}-last", last, lambda: _pictures(scene, start_s, end_s))
    whole = write_clip(folder, f"{seed}-whole", scene, lambda: _pictures(scene, 0.0, end_s), with_sound=False)
    asked = {"steps": steps, "cuts": cuts, "seed": seed % 1000, "store": study.store}
    late = study.sound(f"{seed}-whole", lambda: study.pipeline.generate(whole.video, **asked))
    fresh = study.sound(f"{seed}-last", lambda: study.pipeline.generate(short.video, **asked))
    return {
        "seed": seed,
        "late": sums_of(times_in(onsets(late).times_s, start_s, end_s), short.truth),
        "fresh": sums_of(onsets(fresh).times_s, short.truth),
    }


def _pictures(scene: Scene, start_s: float, end_s: float) -> Iterator[Tensor]:
    """Frames of a stretch that begins on a multiple of FRAMES_AT_ONCE: to the bit those of the whole scene."""
    first, end = frame_count(start_s, RATE), frame_count(end_s, RATE)
    for k in range(first, end, FRAMES_AT_ONCE):
        count = min(FRAMES_AT_ONCE, end - k)
        yield render_frames(scene, k, count, rate=RATE, height=SIDE, width=SIDE, device=CPU, aspect=1.0)


def _table(figures: dict[str, Any], minutes: float, cuts: str) -> str:
    late, fresh, gap = figures["late"], figures["fresh"], figures["late_minus_fresh"]
    return "\n".join(
        (
            f"| visible events, ±50 ms, cuts {cuts} | F1 | events | clips |",
            "|---|---|---|---|",
            f"| minute {minutes:g} | {late['f1']:.3f} {shown(late['interval'])} | {late['events']} | {late['clips']} |",
            f"| fresh start | {fresh['f1']:.3f} {shown(fresh['interval'])} | {fresh['events']} | {fresh['clips']} |",
            f"| difference | {gap['difference']:+.3f} {shown(gap['interval'])}, p = {gap['p']:.2g} | | |",
        )
    )
