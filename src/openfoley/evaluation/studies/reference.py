"""Does the generated sound match the timbre of a reference? (SALSA-V section A.2, Figure 6.)

The context is c seconds of a clip's true sound from just before its first contact, for c from 0 to 2.5 s. The sound
generated for the rest of the clip is compared with the true rest: SWSD (Algorithm 1) and a per-clip embedding
distance. The rest begins at the longest context for every c, so that all are measured on the same sound. mode
"reference" puts the context in front of the window as `--reference` does; "extend" continues the true sound in place,
as in the paper.

Costs 11 s of processor time for a clip (seven contexts), nine tenths of it sampling and decoding, and 2 minutes for the
judge.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import wilcoxon
from torch import Tensor

from openfoley.errors import UsageError
from openfoley.evaluation.metrics.embedding import features, frechet
from openfoley.evaluation.metrics.f1 import f1_difference, f1_of, visible_sums
from openfoley.evaluation.metrics.spectral import swsd
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.reports.judge import trained_judge
from openfoley.evaluation.reports.sounds import as_gym
from openfoley.evaluation.stats.pooled import mean_of
from openfoley.evaluation.studies.clips import RATE, only_in, pictures_of, times_in, true_sound
from openfoley.evaluation.studies.requests import ReferenceRequest
from openfoley.evaluation.studies.study import SEED, Progress, Row, Study, change, onsets, study_of, table
from openfoley.gym.files import SAMPLE_RATE
from openfoley.gym.scene import sample_scene
from openfoley.judges.material import MaterialClassifier
from openfoley.media.source import Source
from openfoley.media.write.atomic import replace_when_done
from openfoley.media.write.sound_file import AudioWriter
from openfoley.request import Request
from openfoley.synthesis.job import reference_latents
from openfoley.types import Audio

logger = logging.getLogger(__name__)

FIRST_SEED = 4_000_000  # within the evaluation split
DURATION_S = 10.0
DISTANCES = ("swsd", "embedding")
BEFORE_S, APART_S = 0.05, 0.2  # s from a context's start to its first contact; s that other events keep from its end
SHORTEST_REST_S = 2.0  # s that must be left to compare


def run(request: ReferenceRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Clips of 10 s in which the object that sounds first sounds again later (others are left out)."""
    study = study_of(request)
    judge = trained_judge(study.workspace, request.judge, request.world)
    rows = study.scenes(FIRST_SEED, lambda seed: _row(study, judge, seed), progress, candidates=4)
    figures = {f"{c:g}": _at(rows, k, request.contexts) for k, c in enumerate(request.contexts)}
    return study.finish(figures, _table(figures))


def _row(study: Study[ReferenceRequest], judge: MaterialClassifier, seed: int) -> Row | None:
    contexts = study.request.contexts
    scene = sample_scene(seed, DURATION_S, split="evaluation", silent=False, aspect=1.0, single_shot=True)
    true, record = true_sound(scene)
    longest = max(contexts)
    start = context_start(record, longest)
    if start is None:
        return None
    sounds = {c: _context(study, f"{seed}-{c:g}", true, start, c) for c in contexts if c}
    try:
        reference_latents(study.pipeline.model, Request.of(reference=sounds[longest]))
    except UsageError as error:  # clipped
        logger.info("clip %d is left out: %s", seed, error)
        return None
    clip = Source.tensor(pictures_of(scene), RATE)
    begin = start + longest
    rest, theirs = only_in(from_dict(record), begin, DURATION_S), _from(true, begin)
    true_features = features(judge, theirs, true.sample_rate)
    row: Row = {"seed": seed, "swsd": [], "embedding": [], "sums": []}
    for context in contexts:
        made = _generated(study, clip, sounds.get(context), context)
        ours = _from(made, begin)
        row["swsd"].append(swsd(ours, theirs, made.sample_rate))
        row["embedding"].append(frechet(features(judge, ours, made.sample_rate), true_features))
        row["sums"].append(visible_sums(times_in(onsets(made).times_s, begin, DURATION_S), rest))
    return row


def _from(audio: Audio, start_s: float) -> Tensor:
    return audio.samples[:, round(start_s * audio.sample_rate) :]


def context_start(record: dict[str, Any], longest_s: float) -> float | None:
    """Just before the first audible contact, if its object sounds again after the longest context, so that the context
    is informative; else None. record: of a scene of DURATION_S."""
    audible = [e for e in record["events"] if e.get("audible") and not e.get("continuous")]
    if not audible:
        return None
    start = max(0.0, audible[0]["time_s"] - BEFORE_S)
    again = any(
        e["object_id"] == audible[0]["object_id"] and e["time_s"] > start + longest_s + APART_S for e in audible[1:]
    )
    return start if again and start + longest_s + SHORTEST_REST_S <= DURATION_S else None


def _context(study: Study[ReferenceRequest], name: str, true: Audio, start_s: float, context_s: float) -> Path:
    """`context_s` of the true sound from `start_s` as a file; with mode "extend" from the clip's beginning."""
    path = study.folder / "clips" / f"{name}.wav"
    path.parent.mkdir(exist_ok=True)
    first, last = (round(t * true.sample_rate) for t in (start_s, start_s + context_s))
    with replace_when_done(path, force=True) as place, AudioWriter(place, true.sample_rate, 2, "24") as writer:
        writer.write(true.samples[:, first if study.request.mode == "reference" else 0 : last])
    return path


def _generated(study: Study[ReferenceRequest], clip: Source, sound: Path | None, context_s: float) -> Audio:
    """sound: of the context, if there is one."""
    request = study.request
    asked = Request.of(steps=request.steps, cuts="none", seed=SEED)
    if sound is None:
        return study.sound(clip, asked)
    asked = Request.of(asked, reference_guidance=request.reference_guidance)
    if request.mode == "reference":
        return study.sound(clip, Request.of(asked, reference=sound))
    extended = study.pipeline.extend(clip, asked, sound=sound, context=context_s, store=study.store)
    return as_gym(extended.audio, round(DURATION_S * SAMPLE_RATE))


def _at(rows: Sequence[Row], k: int, contexts: Sequence[float]) -> dict[str, Any]:
    """Results of one context length, and against no context (the first)."""
    figures: dict[str, Any] = {"context_s": contexts[k], "clips": len(rows)}
    for name in DISTANCES:
        values = np.array([row[name] for row in rows], dtype=np.float64)
        values = values[np.isfinite(values).all(1)]
        change = values[:, k] - values[:, 0]
        test: Any = wilcoxon(change, alternative="less") if k and np.any(change) else None
        figures[name] = {
            **mean_of(values[:, k]),
            "change": float(change.mean()),
            "p": float(test.pvalue) if test else None,
            "clips": len(values),
        }
    sums = [[row["sums"][j] for row in rows] for j in (k, 0)]
    figures["f1"] = {**f1_of(sums[0]), "against_none": f1_difference(*sums) if k else None}
    return figures


def _table(figures: dict[str, Any]) -> list[str]:
    rows = []
    for figure in figures.values():
        cells = [f"{figure['context_s']:g}"]
        for name in DISTANCES:
            one = figure[name]
            cells.append(f"{one['mean']:.5g} ({one['interval'][0]:.5g} .. {one['interval'][1]:.5g})")
            cells.append("" if one["p"] is None else f"{one['p']:.2g}")
        gap = figure["f1"]["against_none"]
        cells.append(f"{figure['f1']['f1']:.3f}" + (f", {change(gap)}" if gap else ""))
        rows.append(f"{' | '.join(cells)} | {figure['clips']}")
    return table("context, s | SWSD | p (below none) | embedding distance | p (below none) | F1 ±50 ms | clips", rows)
