"""Is a join of two windows audible? A classifier trained to distinguish joins from other instants.

Clips are single-shot scenes of several windows, each with the sounds of two seeds. Candidates are on the latent
grid: joins, and OTHERS times as many away from them. The input is a log-mel spectrogram of the half second around
each, at equal loudness. Scores come from classifiers trained on other clips (cross-validation by clip). In a positive
control the windows are generated separately, without context, and concatenated: the classifier must detect those
joins. In a negative control it gets the true sound at the same instants, where there is no join.

Where two windows are crossfaded (`timeline.plan.OVERLAP_S`) the instant of a join is the middle of the
fade. The level jump is |dB of the 10 ms after - dB of the 10 ms before|, at joins against elsewhere; and, as a fade has
no jump at its middle, between the 10 ms before and the 10 ms after an interval of the fade's length.

Every row (`variations`) has its own sounds, plan and joins on the same clips, and the classifier of the same recipe. Of
each there are also the Energy delta beside the true sound's, the events near joins (`metrics.joins`), and the level of
lasting sounds (`metrics.lasting`).

Costs 45 s of processor time for a clip of 60 s (16 joins), and then 20 s for each in training the classifiers; each
further row 25 s and 14 s, with join=swap 40 s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.stats import mannwhitneyu
from torch import Tensor, nn

from openfoley.data.gym_cache import FRAME_RATE as RATE
from openfoley.data.onset_detector import detect
from openfoley.evaluation.metrics.f1 import f1_difference, f1_of
from openfoley.evaluation.metrics.joins import (
    FLOOR_POWER,
    delta_change,
    delta_figures,
    delta_sums,
    energy_deltas,
    event_sums_by_region,
    precision_behind,
)
from openfoley.evaluation.metrics.lasting import (
    covered_windows,
    lasting_change,
    lasting_figures,
    spreads_db,
    window_levels_db,
)
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.reports.sounds import gym_sounds
from openfoley.evaluation.stats.bootstrap import LOOP_DRAWS, interval
from openfoley.evaluation.studies.clips import pictures_of, true_sound
from openfoley.evaluation.studies.requests import JoinsRequest
from openfoley.evaluation.studies.study import Progress, Row, Study, change, figure, shown, study_of, table
from openfoley.evaluation.studies.variations import section_of, varied
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import seeds_of
from openfoley.judges.joins import RECIPE, train_join_classifier
from openfoley.media.source import Source
from openfoley.media.spectrogram import log_mel
from openfoley.pipeline import Pipeline
from openfoley.request import Request
from openfoley.timeline.plan import join_place

FIRST_SEED = {"evaluation": 3_000_000, "validation": 300_000}  # within the split
AROUND_S = 0.25  # on each side of an instant
AWAY_S = 0.6  # other instants keep this far from joins and from the ends
OTHERS = 4  # other instants for each join
MELS, FFT, HOP = 48, 512, 110  # 2.5 ms at 44.1 kHz
KINDS = ("soft", "hard", "true")
GAPS = ("jump", "jump_over_the_fade")
TAKES = (1, 2)  # seeds
FOLDS = 4


def run(request: JoinsRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Clips of `duration` s, generated with two seeds each, for every row of the request."""
    study, clips = study_of(request), request.clips
    seeds = seeds_of(request.split, clips, FIRST_SEED[request.split], request.world)
    by_row = {
        row: study.rows(clips, lambda k, row=row: _row(study, seeds[k], row), progress, of=section_of(row))
        for row in request.rows
    }
    first = request.rows[0]
    kinds = [(row, kind) for row in request.rows for kind in KINDS if kind != "hard" or row == first]
    scored = study.workspace.sections(
        {
            section_of(row, f"scores-{kind}-of-{clips}"): lambda row=row, kind=kind: _scores(
                [_examples(study, one, kind, row) for one in by_row[row]]
            )
            for row, kind in kinds
        }
    )
    scores = {pair: one for pair, one in zip(kinds, scored.values(), strict=True)}
    rows = {row: _figures(by_row[row], scores[row, "soft"], scores[row, "true"]) for row in request.rows}
    for row in request.rows[1:]:
        rows[row]["beside_first"] = _beside((by_row[row], scores[row, "soft"]), (by_row[first], scores[first, "soft"]))
    figures = {**rows[first], "hard": _auc_figure(scores[first, "hard"]), "rows": rows}
    return study.finish(figures, _table(figures))


def _row(study: Study[JoinsRequest], seed: int, name: str) -> Row:
    """Generate as a row of the study asks; keep the spectrograms of instants as an array, the level jumps, and what the
    metrics need."""
    request, duration = study.request, study.request.duration
    scene = sample_scene(seed, duration, split=request.split, silent=False, aspect=1.0, single_shot=True)
    frames = pictures_of(scene)
    rate: Fraction = study.pipeline.model.codec.latent_rate
    base = Request.of(steps=request.steps, reference_guidance=request.reference_guidance, cuts="none")
    varied_request = varied(base, name)
    plan = [one.window for one in study.pipeline.plan(Source.tensor(frames, RATE), varied_request)]
    places = [join_place(one, other) for one, other in pairwise(plan)]
    joins = [float(place / rate) for place, _ in places]
    gaps = dict(zip(GAPS, (0.0, max((float(both / rate) for _, both in places), default=0.0)), strict=True))
    sounds = study.sounds(Source.tensor(frames, RATE), varied_request, TAKES, name)
    sample_rate = sounds[0].sample_rate
    takes = [sound.samples.mean(0) for sound in sounds]
    audio, record = true_sound(scene)
    true, truth, covered = audio.samples.mean(0), from_dict(record), covered_windows(record)
    kinds: dict[str, list[tuple[Float[Tensor, " time"], int]]] = {
        "soft": [(take, n) for n, take in enumerate(takes)], "true": [(true, 0)]  # the same for both seeds
    }  # fmt: skip
    if name == request.rows[0]:
        apart = made_apart(study.pipeline, frames, [0.0, *joins, duration], steps=request.steps)
        kinds["hard"] = [(take, n) for n, take in enumerate(apart)]
    others = [
        other_instants(joins, duration, float(rate), OTHERS * len(joins), len(TAKES) * seed + n)
        for n in range(len(TAKES))
    ]
    arrays = {
        kind: torch.cat(
            [pictures_at(one, sample_rate, joins) for one, _ in own]
            + [pictures_at(one, sample_rate, others[n]) for one, n in own]
        )
        for kind, own in kinds.items()
    }
    halves: dict[str, Any] = {kind: one.half().numpy() for kind, one in arrays.items()}
    np.savez_compressed(_array(study, seed, name), **halves)
    jumps: dict[str, list[float]] = {f"{gap}_{where}": [] for gap in GAPS for where in ("joins", "elsewhere")}
    row: Row = {"seed": seed, "joins": len(TAKES) * len(joins), "delta": [], "events": [], "lasting": []}
    steps_true, true_levels = energy_deltas(true, sample_rate, joins), window_levels_db(true, sample_rate, covered)
    for take, elsewhere in zip(takes, others, strict=True):
        for gap, length_s in gaps.items():
            jumps[f"{gap}_joins"] += energy_deltas(take, sample_rate, joins, length_s)[:, 1].tolist()
            jumps[f"{gap}_elsewhere"] += energy_deltas(take, sample_rate, elsewhere, length_s)[:, 1].tolist()
        row["delta"].append(delta_sums(energy_deltas(take, sample_rate, joins), steps_true))
        row["events"].append(event_sums_by_region(detect(take, sample_rate).times_s, truth, joins))
        row["lasting"].append(spreads_db(window_levels_db(take, sample_rate, covered).tolist(), true_levels.tolist()))
    return {**row, **jumps}


def _array(study: Study[JoinsRequest], seed: int, name: str) -> Path:
    """The spectrograms of a clip of a row."""
    return study.folder / "sounds" / f"{section_of(name, str(seed))}.npz"


def other_instants(joins: Sequence[float], duration: float, rate: float, count: int, seed: int) -> list[float]:
    """Instants on the latent grid at least AWAY_S from joins and ends, drawn without repetition."""
    grid = np.arange(1, int(duration * rate)) / rate
    marks = np.array([0.0, *joins, duration])
    free = grid[np.abs(grid[:, None] - marks).min(1) >= AWAY_S]
    chosen = np.random.default_rng(seed).choice(free, min(count, len(free)), replace=False)
    return sorted(chosen.tolist())


def made_apart(
    pipeline: Pipeline, frames: UInt8[Tensor, "frames 3 side side"], edges_s: Sequence[float], steps: int
) -> list[Float[Tensor, " time"]]:
    """One mono sound for each take: every part between two edges is generated separately from its own frames
    and seed, then concatenated."""
    takes: list[list[Tensor]] = [[] for _ in TAKES]
    for number, (start, end) in enumerate(pairwise(edges_s)):
        first, last = floor(start * RATE), ceil(end * RATE)
        seeds = [take + len(TAKES) * number for take in TAKES]
        sounds = gym_sounds(
            pipeline, Source.tensor(frames[first:last], RATE), Request.of(steps=steps, cuts="none"), seeds
        )
        for take, sound in zip(takes, sounds, strict=True):
            low, high = (round(edge * sound.sample_rate) for edge in (start, end))
            before = round(first / RATE * sound.sample_rate)
            take.append(sound.samples.mean(0)[low - before : high - before])
    return [torch.cat(pieces) for pieces in takes]


def pictures_at(
    mono: Float[Tensor, " time"], sample_rate: int, times_s: Sequence[float]
) -> Float[Tensor, "n 1 mels frames"]:
    """Log-mel spectrograms around instants of a sound, each at equal loudness."""
    reach = round(AROUND_S * sample_rate)
    padded = nn.functional.pad(mono, (reach, reach))
    pieces = torch.stack([padded[round(t * sample_rate) : round(t * sample_rate) + 2 * reach] for t in times_s])
    level = pieces.square().mean(1, keepdim=True).sqrt().clamp_min(FLOOR_POWER**0.5)
    mel = log_mel(pieces / level * 0.1, sample_rate, n_fft=FFT, hop_length=HOP, n_mels=MELS, f_min=60.0, floor=1e-4)
    return mel[:, None] / 5 + 1


def _examples(study: Study[JoinsRequest], row: Row, kind: str, name: str) -> tuple[Tensor, Tensor]:
    """Spectrograms of a clip, and which of them are joins (the first ones)."""
    pictures = torch.from_numpy(np.load(_array(study, row["seed"], name))[kind]).float()
    joins = row["joins"] // len(TAKES) if kind == "true" else row["joins"]
    return pictures, (torch.arange(len(pictures)) < joins).float()


def auc_of(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a join scores above another instant. nan without both."""
    joins, others = scores[labels == 1], scores[labels == 0]
    if not len(joins) or not len(others):
        return float("nan")
    return float(mannwhitneyu(joins, others, method="asymptotic").statistic / (len(joins) * len(others)))


def _scores(clips: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Any]:
    """Of the instants of all clips, each from a classifier trained without its clip; labels: 1 where a join is."""
    scores: list[np.ndarray] = [np.zeros(0)] * len(clips)
    for fold in range(min(FOLDS, len(clips))):
        training = [clip for k, clip in enumerate(clips) if k % FOLDS != fold]
        if not training:
            continue
        model = train_join_classifier(torch.cat([c[0] for c in training]), torch.cat([c[1] for c in training]), RECIPE)
        held_out = range(fold, len(clips), FOLDS)
        with torch.inference_mode():
            values = {k: model(clips[k][0]).numpy() for k in held_out}
        every = np.concatenate(list(values.values()))
        for k in held_out:  # folds differ in scale
            scores[k] = (values[k] - every.mean()) / max(float(every.std()), 1e-6)
    return {
        "scores": [one.round(5).tolist() for one in scores],
        "labels": [clip[1].numpy().astype(int).tolist() for clip in clips],
    }


def _auc_over(scored: dict[str, Any]) -> Callable[[np.ndarray], float]:
    """The AUC of some of the clips of `_scores`."""

    def auc(clips: np.ndarray) -> float:
        return auc_of(*(np.concatenate([np.asarray(scored[name][k]) for k in clips]) for name in ("scores", "labels")))

    return auc


def _auc_figure(scored: dict[str, Any]) -> dict[str, Any]:
    """AUC over the instants of all clips, with its interval."""
    auc, clips = _auc_over(scored), len(scored["scores"])
    labels = [np.array(one) for one in scored["labels"]]
    return {
        "auc": auc(np.arange(clips)),
        "interval": interval(auc, clips, draws=LOOP_DRAWS),
        "joins": int(sum(one.sum() for one in labels)),
        "others": int(sum((1 - one).sum() for one in labels)),
        "clips": clips,
    }


def _figures(rows: Sequence[Row], soft: dict[str, Any], true: dict[str, Any]) -> dict[str, Any]:
    """Of one row of the study."""
    events = [one for row in rows for one in row["events"]]
    return {
        "soft": _auc_figure(soft),
        "true": _auc_figure(true),
        **{gap: _jump_ratio(rows, gap) for gap in GAPS},
        "energy_delta": delta_figures([_summed(row["delta"]) for row in rows]),
        "precision": precision_behind([_events(row) for row in rows]),
        "f1": f1_of([_every(row) for row in rows]),
        "f1_near": f1_of([_events(row)["around"] for row in rows]),
        "f1_elsewhere": f1_of([_events(row)["elsewhere"] for row in rows]),
        "lasting": lasting_figures([_mean_of_takes(row) for row in rows]),
        "events": len(events),
    }


def _beside(ours: tuple[Sequence[Row], dict[str, Any]], first: tuple[Sequence[Row], dict[str, Any]]) -> dict[str, Any]:
    """A row beside the first, paired by clip."""
    (rows, scored), (others, scored_first) = ours, first
    auc, auc_first, clips = _auc_over(scored), _auc_over(scored_first), len(rows)
    sums = [[_events(one) for one in part] for part in (rows, others)]

    def difference(chosen: np.ndarray) -> float:
        return auc(chosen) - auc_first(chosen)

    return {
        "auc": {
            "difference": difference(np.arange(clips)),
            "interval": interval(difference, clips, draws=LOOP_DRAWS),
        },
        "energy_delta": delta_change(
            [_summed(row["delta"]) for row in rows], [_summed(row["delta"]) for row in others]
        ),
        "f1": f1_difference(*([_every(row) for row in part] for part in (rows, others))),
        "f1_near": f1_difference(*([one["around"] for one in part] for part in sums)),
        "f1_elsewhere": f1_difference(*([one["elsewhere"] for one in part] for part in sums)),
        "lasting": lasting_change(*([_mean_of_takes(row) for row in part] for part in (rows, others))),
    }


def _summed(takes: Sequence[Sequence[float]]) -> list[float]:
    return np.sum(np.asarray(takes, dtype=np.float64), axis=0).tolist()


def _events(row: Row) -> dict[str, list[float]]:
    """Both takes of a clip."""
    return {region: _summed([one[region] for one in row["events"]]) for region in row["events"][0]}


def _every(row: Row) -> list[float]:
    """All events of both takes of a clip: those around joins and those away from them."""
    regions = _events(row)
    return _summed([regions["around"], regions["elsewhere"]])


def _mean_of_takes(row: Row) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in row["lasting"]])) for name in row["lasting"][0]}


def _jump_ratio(rows: Sequence[Row], gap: str) -> dict[str, Any]:
    """Ratio of the mean level jump at joins to that elsewhere."""
    at_joins, elsewhere = ([np.array(row[f"{gap}_{where}"]) for row in rows] for where in ("joins", "elsewhere"))

    def mean(of: Sequence[np.ndarray], clips: np.ndarray) -> float:
        return float(np.mean(np.concatenate([of[k] for k in clips])))

    def ratio(clips: np.ndarray) -> float:
        return mean(at_joins, clips) / max(mean(elsewhere, clips), 1e-9)

    everything = np.arange(len(rows))
    return {
        "joins_db": mean(at_joins, everything),
        "elsewhere_db": mean(elsewhere, everything),
        "ratio": ratio(everything),
        "interval": interval(ratio, len(everything), draws=LOOP_DRAWS),
    }


def _table(figures: dict[str, Any]) -> list[str]:
    names = ("windows with context", "windows made apart and joined hard", "the same instants of the true sound")
    lines = []
    for name, one in zip(names, (figures[kind] for kind in KINDS), strict=True):
        lines.append(f"AUC, {name} | {figure(one, 'auc')} | {one['joins']} | {one['others']} | {one['clips']}")
    for gap, one in ((gap, figures[gap]) for gap in GAPS):
        levels = f"{one['joins_db']:.2f} / {one['elsewhere_db']:.2f} dB"
        ratio = f"{one['ratio']:.2f} {shown(one['interval'], 2)}"
        lines.append(f"level {gap.replace('_', ' ')}, joins / elsewhere | {levels} = {ratio} | | |")
    head = (
        "row | AUC | Energy delta 10 ms / true | distance to true, beside the first | precision behind / elsewhere | "
        "F1 within 0.2 s | F1 of all events, minus the first's | lasting level, spread / true / against true, dB"
    )
    return [
        *table("joins against other instants | value | joins | others | clips", lines),
        "",
        *table(head, [_row_line(name, one) for name, one in figures["rows"].items()]),
    ]


def _row_line(name: str, one: dict[str, Any]) -> str:
    delta, precision, lasting = one["energy_delta"], one["precision"], one["lasting"]
    beside = one.get("beside_first")
    nearer = f"{delta['waveform_to_true']['value']:.4f}"
    if beside:
        nearer += f", {beside['energy_delta']['ratio']:.2f} {shown(beside['energy_delta']['ratio_interval'], 2)}"
    shares = f"{precision['behind']:.3f} / {precision['elsewhere']:.3f} = {precision['ratio']:.2f}"
    spread = " / ".join(f"{lasting[name]['mean']:.2f}" for name in ("own", "true", "against_true"))
    whole = figure(one["f1"]) + (f", {change(beside['f1'])}" if beside else "")
    deltas = f"{delta['waveform_mean']['value']:.4f} / {delta['waveform_true']['value']:.4f}"
    return (
        f"{name} | {figure(one['soft'], 'auc')} | {deltas} | {nearer} | {shares} {shown(precision['interval'], 2)} | "
        f"{figure(one['f1_near'])} | {whole} | {spread}"
    )
