"""Is a join of two windows audible? A classifier trained to distinguish joins from other instants.

Clips are single-shot scenes of several windows, each with the sounds of two seeds. Candidates are on the latent
grid: joins, and OTHERS times as many away from them. The input is a log-mel spectrogram of the half second around
each, at equal loudness. Scores come from classifiers trained on other clips (cross-validation by clip). In a positive
control the windows are generated separately, without context, and concatenated: the classifier must detect those
joins. In a negative control it gets the true sound at the same instants, where there is no join.

Where two windows are crossfaded (`timeline.plan.OVERLAP_LATENTS`) the instant of a join is the middle of the
fade. The level jump is |dB of the 10 ms after - dB of the 10 ms before|, at joins against elsewhere; and, as a fade has
no jump at its middle, between the 10 ms before and the 10 ms after an interval of the fade's length.

Costs 45 s of processor time for a clip of 60 s (16 joins), and then 20 s for each in training the classifiers.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.stats import mannwhitneyu
from torch import Tensor, nn

from openfoley.data.gym_cache import FRAME_RATE as RATE
from openfoley.evaluation.reports.sounds import gym_sounds
from openfoley.evaluation.stats.bootstrap import LOOP_DRAWS, interval
from openfoley.evaluation.studies.clips import pictures_of, true_sound
from openfoley.evaluation.studies.requests import JoinsRequest
from openfoley.evaluation.studies.study import Progress, Row, Study, figure, shown, study_of, table
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import seeds_of
from openfoley.judges.joins import RECIPE, train_join_classifier
from openfoley.media.source import Source
from openfoley.media.spectrogram import log_mel
from openfoley.pipeline import Pipeline
from openfoley.request import Request

FIRST_SEED = {"evaluation": 3_000_000, "validation": 300_000}  # within the split
AROUND_S = 0.25  # on each side of an instant
AWAY_S = 0.6  # other instants keep this far from joins and from the ends
OTHERS = 4  # other instants for each join
JUMP_S = 0.010
FLOOR_POWER = 1e-8  # -80 dB: floor of level measurements
MELS, FFT, HOP = 48, 512, 110  # 2.5 ms at 44.1 kHz
KINDS = ("soft", "hard", "true")
GAPS = ("jump", "jump_over_the_fade")
TAKES = (1, 2)  # seeds
FOLDS = 4


def run(request: JoinsRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Clips of `duration` s, generated with two seeds each."""
    study, clips = study_of(request), request.clips
    seeds = seeds_of(request.split, clips, FIRST_SEED[request.split], request.world)
    rows = study.rows(clips, lambda k: _row(study, seeds[k]), progress)
    soft, hard, true = study.workspace.sections(
        {
            f"auc-{kind}-of-{clips}": lambda kind=kind: _auc([_examples(study, row, kind) for row in rows])
            for kind in KINDS
        }
    ).values()
    figures = {"soft": soft, "hard": hard, "true": true, **{gap: _jump_ratio(rows, gap) for gap in GAPS}}
    return study.finish(figures, _table(figures))


def _row(study: Study[JoinsRequest], seed: int) -> Row:
    """Generate; keep the spectrograms of instants as an array, and the level jumps."""
    request, duration = study.request, study.request.duration
    scene = sample_scene(seed, duration, split=request.split, silent=False, aspect=1.0, single_shot=True)
    frames = pictures_of(scene)
    rate: Fraction = study.pipeline.model.codec.latent_rate
    asked = Request.of(steps=request.steps, reference_guidance=request.reference_guidance, cuts="none")
    plan = study.pipeline.plan(Source.tensor(frames, RATE), asked)
    joins = [float((one.first_new + Fraction(one.window.crossfaded, 2)) / rate) for one in plan[1:]]
    gaps = dict(zip(GAPS, (0.0, max(float(one.window.crossfaded / rate) for one in plan)), strict=True))
    sounds = study.sounds(Source.tensor(frames, RATE), asked, TAKES)
    sample_rate = sounds[0].sample_rate
    takes = [sound.samples.mean(0) for sound in sounds]
    apart = made_apart(study.pipeline, frames, [0.0, *joins, duration], steps=request.steps)
    true = true_sound(scene)[0].samples.mean(0)
    pictures: dict[str, list[tuple[Tensor, Tensor]]] = {kind: [] for kind in KINDS}  # at joins, elsewhere
    jumps: dict[str, list[float]] = {f"{gap}_{where}": [] for gap in GAPS for where in ("joins", "elsewhere")}
    for number, (take, hard) in enumerate(zip(takes, apart, strict=True)):
        others = other_instants(joins, duration, float(rate), OTHERS * len(joins), len(TAKES) * seed + number)
        for kind, sound in (("soft", take), ("hard", hard), ("true", true)):
            if kind != "true" or number == 0:  # the true sound is the same for both
                at_joins, elsewhere = (pictures_at(sound, sample_rate, instants) for instants in (joins, others))
                pictures[kind].append((at_joins, elsewhere))
        for gap, length_s in gaps.items():
            jumps[f"{gap}_joins"] += level_jumps_db(take, sample_rate, joins, length_s)
            jumps[f"{gap}_elsewhere"] += level_jumps_db(take, sample_rate, others, length_s)
    soft, hard, really = (
        torch.cat([part for parts in zip(*pictures[kind], strict=True) for part in parts]).half().numpy()
        for kind in KINDS
    )
    np.savez_compressed(study.folder / "sounds" / f"{seed}.npz", soft=soft, hard=hard, true=really)
    return {"seed": seed, "joins": len(TAKES) * len(joins), **jumps}


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


def level_jumps_db(
    mono: Float[Tensor, " time"], sample_rate: int, times_s: Sequence[float], gap_s: float = 0.0
) -> list[float]:
    """Level difference between the JUMP_S before and after an interval of `gap_s` around each instant."""
    width, half = round(JUMP_S * sample_rate), round(gap_s / 2 * sample_rate)
    jumps = []
    for time in times_s:
        low, high = round(time * sample_rate) - half, round(time * sample_rate) + half
        parts = mono[low - width : low], mono[high : high + width]
        powers = [float(part.square().mean()) + FLOOR_POWER for part in parts]
        jumps.append(abs(10 * float(np.log10(powers[1] / powers[0]))))
    return jumps


def _examples(study: Study[JoinsRequest], row: Row, kind: str) -> tuple[Tensor, Tensor]:
    """Spectrograms of a clip, and which of them are joins (the first ones)."""
    pictures = torch.from_numpy(np.load(study.folder / "sounds" / f"{row['seed']}.npz")[kind]).float()
    joins = row["joins"] // len(TAKES) if kind == "true" else row["joins"]
    return pictures, (torch.arange(len(pictures)) < joins).float()


def auc_of(scores: np.ndarray, labels: np.ndarray) -> float:
    """Area under the ROC curve: the chance that a join scores above another instant. nan without both."""
    joins, others = scores[labels == 1], scores[labels == 0]
    if not len(joins) or not len(others):
        return float("nan")
    return float(mannwhitneyu(joins, others, method="asymptotic").statistic / (len(joins) * len(others)))


def _auc(clips: Sequence[tuple[Tensor, Tensor]]) -> dict[str, Any]:
    """AUC over the instants of all clips, each scored by a classifier trained without its clip."""
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
    labels = [clip[1].numpy() for clip in clips]

    def auc(rows: np.ndarray) -> float:
        return auc_of(np.concatenate([scores[k] for k in rows]), np.concatenate([labels[k] for k in rows]))

    return {
        "auc": auc(np.arange(len(clips))),
        "interval": interval(auc, len(clips), draws=LOOP_DRAWS),
        "joins": int(sum(map(np.sum, labels))),
        "others": int(sum((1 - label).sum() for label in labels)),
        "clips": len(clips),
    }


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
    rows = []
    for name, one in zip(names, (figures[kind] for kind in KINDS), strict=True):
        rows.append(f"AUC, {name} | {figure(one, 'auc')} | {one['joins']} | {one['others']} | {one['clips']}")
    for gap, one in ((gap, figures[gap]) for gap in GAPS):
        levels = f"{one['joins_db']:.2f} / {one['elsewhere_db']:.2f} dB"
        ratio = f"{one['ratio']:.2f} {shown(one['interval'], 2)}"
        rows.append(f"level {gap.replace('_', ' ')}, joins / elsewhere | {levels} = {ratio} | | |")
    return table("joins against other instants | value | joins | others | clips", rows)
