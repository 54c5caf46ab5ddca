"""Does the sound take on the character of a reference? (SALSA-V section A.2, Figure 6.)

The first c seconds of a clip's true sound are the reference, for c from 0 to 2.5 s; what is generated for the rest of
the clip is compared with the true rest, which nobody has heard: SWSD (Algorithm 1) and a per-clip embedding distance.
The rest begins at the longest context for every c, so that all are measured on the same sound. mode "reference" puts
the context in front of the window as `--reference` does; "extend" continues it in its place, as in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

from openfoley.evaluation.bootstrap import interval
from openfoley.evaluation.longform.clips import Clip, only_in, times_in, write_clip
from openfoley.evaluation.longform.embedding import embedding_distance
from openfoley.evaluation.longform.judge import trained_judge
from openfoley.evaluation.longform.study import Progress, Study, f1_difference, f1_of, onsets, shown, sums_of
from openfoley.evaluation.spectral import swsd
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import seeds_of
from openfoley.media.atomic import replace_when_done
from openfoley.media.audio_files import AudioWriter
from openfoley.types import Audio

FIRST_SEED = 4_000_000  # within the evaluation split
DURATION_S = 10.0
CONTEXTS_S = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5)
DISTANCES = ("swsd", "embedding")


def run(
    model: str,
    out: Path,
    *,
    clips: int = 150,
    steps: int = 8,
    mode: str = "reference",
    contexts: Sequence[float] = CONTEXTS_S,
    reference_guidance: float | None = None,
    judge: Path | None = None,
    device: str = "cpu",
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Clips of 10 s whose first and further seconds sound of the same objects (others are left out)."""
    about = {"model": model, "steps": steps, "mode": mode, "contexts": list(contexts), "weight": reference_guidance}
    study = Study("reference", out, about, device)
    heard = trained_judge(out, judge)
    seeds = seeds_of("evaluation", 4 * clips, FIRST_SEED)
    rows: list[dict[str, Any]] = []
    for number, seed in enumerate(seeds):
        if len(rows) == clips:
            break
        row = study.workspace.section(
            f"clip-{number:05d}",
            lambda seed=seed: _row(study, heard, seed, steps, mode, contexts, reference_guidance) or {"left_out": 1},
        )
        rows += [] if "left_out" in row else [row]
        if progress is not None:
            progress(len(rows), clips)
    figures = {f"{c:g}": _at(rows, k, contexts) for k, c in enumerate(contexts)}
    return study.finish(figures, _table(figures))


def _row(
    study: Study, judge: Any, seed: int, steps: int, mode: str, contexts: Sequence[float], weight: float | None
) -> dict[str, Any] | None:
    scene = sample_scene(seed, DURATION_S, split="evaluation", silent=False, aspect=1.0, single_shot=True)
    clip = write_clip(study.folder / "clips", str(seed), scene)
    longest = max(contexts)
    if not sounds_in_both(clip, longest):
        return None
    true, row = clip.audio(), {"seed": seed, "swsd": [], "embedding": [], "sums": []}
    rest = only_in(clip.truth, longest, DURATION_S)
    for context in contexts:
        made = study.sound(
            f"{seed}-{context:g}", lambda context=context: _generated(study, clip, true, context, steps, mode, weight)
        )
        ours, theirs = (a.samples[:, round(longest * a.sample_rate) :] for a in (made, true))
        row["swsd"].append(swsd(ours, theirs, made.sample_rate))
        row["embedding"].append(embedding_distance(judge, ours, theirs, made.sample_rate))
        row["sums"].append(sums_of(times_in(onsets(made).times_s, longest, DURATION_S), rest))
    return row


def sounds_in_both(clip: Clip, context_s: float) -> bool:
    """Audible contacts of one object before and after `context_s`: the reference tells something of the rest."""
    heard = [e for e in clip.record["events"] if e.get("audible") and not e.get("continuous")]
    early = {e["object_id"] for e in heard if e["time_s"] < context_s - 0.2}
    return bool(early & {e["object_id"] for e in heard if e["time_s"] > context_s + 0.2})


def _generated(
    study: Study, clip: Clip, true: Audio, context: float, steps: int, mode: str, weight: float | None
) -> Any:
    asked: dict[str, Any] = {"steps": steps, "cuts": "none", "seed": 1, "store": study.store}
    if not context:
        return study.pipeline.generate(clip.video, **asked)
    asked["reference_guidance"] = weight
    if mode == "reference":
        return study.pipeline.generate(clip.video, reference=clip.sound, reference_span=(0.0, context), **asked)
    path = study.folder / "clips" / f"{clip.name}-{context:g}.wav"
    with replace_when_done(path, force=True) as place, AudioWriter(place, true.sample_rate, 2, "24") as writer:
        writer.write(true.samples[:, : round(context * true.sample_rate)])
    return study.pipeline.extend(clip.video, sound=path, context=context, **asked)


def _at(rows: Sequence[dict[str, Any]], k: int, contexts: Sequence[float]) -> dict[str, Any]:
    """Figures of one context length, and against none (the first)."""
    figures: dict[str, Any] = {"context_s": contexts[k], "clips": len(rows)}
    for name in DISTANCES:
        values = np.array([row[name] for row in rows], dtype=np.float64)
        values = values[np.isfinite(values).all(1)]
        change = values[:, k] - values[:, 0]
        less: Any = wilcoxon(change, alternative="less") if k and np.any(change) else None
        figures[name] = {
            "mean": float(values[:, k].mean()),
            "interval": interval(lambda i, v=values: float(v[i, k].mean()), len(values)),
            "change": float(change.mean()),
            "p": float(less.pvalue) if less is not None else None,
            "clips": len(values),
        }
    sums = [[row["sums"][j] for row in rows] for j in (k, 0)]
    figures["f1"] = {**f1_of(sums[0]), "against_none": f1_difference(*sums) if k else None}
    return figures


def _table(figures: dict[str, Any]) -> str:
    lines = [
        "| context, s | SWSD | p (below none) | embedding distance | p (below none) | F1 ±50 ms | clips |",
        "|---|---|---|---|---|---|---|",
    ]
    for figure in figures.values():
        cells = [f"{figure['context_s']:g}"]
        for name in DISTANCES:
            one = figure[name]
            cells.append(f"{one['mean']:.5g} ({one['interval'][0]:.5g} .. {one['interval'][1]:.5g})")
            cells.append("" if one["p"] is None else f"{one['p']:.2g}")
        gap = figure["f1"]["against_none"]
        change = f", {gap['difference']:+.3f} {shown(gap['interval'])}" if gap else ""
        lines.append(f"| {' | '.join(cells)} | {figure['f1']['f1']:.3f}{change} | {figure['clips']} |")
    return "\n".join(lines)
