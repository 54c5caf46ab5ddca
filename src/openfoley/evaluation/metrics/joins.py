"""How joins of two windows sound beside other instants: steps of energy, and events near them.

Energy delta (ours: LD-LAudio, arXiv 2508.11074, names an EnergyDelta 10ms without a formula): at each join

    |RMS of the 10 ms after - RMS of the 10 ms before|     in waveform units (full scale 1), and their ratio in dB

averaged over the joins. Its distance to the truth is |mean - mean of the true sound at the same instants|: a fade that
takes away what the true sound has is as far from it as a step too much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from openfoley.evaluation.metrics.f1 import MAIN_TOLERANCE_S
from openfoley.evaluation.metrics.matching import match
from openfoley.evaluation.metrics.truth import Truth
from openfoley.evaluation.stats.bootstrap import ratio_interval
from openfoley.evaluation.stats.pooled import Figure, paired_difference, value_of

STEP_S = 0.010
FLOOR_POWER = 1e-8  # -80 dB: floor of levels
NEAR_S = 0.2  # behind a join, and on both sides of it
REGIONS = {"behind": (0.0, NEAR_S), "around": (-NEAR_S, NEAR_S)}
"""From and to, s after a join."""


def energy_deltas(
    mono: Float[Tensor, " time"], sample_rate: int, times_s: Sequence[float], gap_s: float = 0.0
) -> Float[np.ndarray, "joins 2"]:
    """Of each instant: in waveform units, and in dB. gap_s: what lies between the two parts, for fades."""
    width, half = round(STEP_S * sample_rate), round(gap_s / 2 * sample_rate)
    deltas = np.zeros((len(times_s), 2))
    for row, time in enumerate(times_s):
        low, high = round(time * sample_rate) - half, round(time * sample_rate) + half
        before, after = (float(part.square().mean()) for part in (mono[low - width : low], mono[high : high + width]))
        levels_db = [10 * np.log10(power + FLOOR_POWER) for power in (before, after)]
        deltas[row] = abs(after**0.5 - before**0.5), abs(levels_db[1] - levels_db[0])
    return deltas


def delta_sums(ours: Float[np.ndarray, "joins 2"], true: Float[np.ndarray, "joins 2"]) -> list[float]:
    """Of one clip, to be pooled: [joins, waveform units, dB, those of the true sound]."""
    return [float(len(ours)), *ours.sum(0).tolist(), *true.sum(0).tolist()]


def delta_figures(sums: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Energy delta over the joins of all clips, that of the true sound, and the distance between, with intervals."""
    table, figures = np.asarray(sums, dtype=np.float64), {}
    for unit, column in (("waveform", 1), ("db", 2)):
        for name, figure in (
            ("mean", _mean(column)), ("true", _mean(column + 2)), ("to_true", distance_to_true(column))
        ):  # fmt: skip
            figures[f"{unit}_{name}"] = {"value": value_of(figure, table), "interval": ratio_interval(figure, table)}
    return figures


def delta_change(ours: Sequence[Sequence[float]], base: Sequence[Sequence[float]], unit: str = "waveform") -> dict:
    """The distance to the true sound's energy delta beside that of `base`, paired by clip: their ratio (0.6 is 40 %
    nearer) and their difference, with intervals. unit: waveform or db."""
    figure = distance_to_true(1 if unit == "waveform" else 2)
    tables = [np.asarray(one, dtype=np.float64) for one in (ours, base)]
    both, half = np.concatenate(tables, axis=1), tables[0].shape[1]

    def ratio(pooled: np.ndarray) -> np.ndarray:
        return figure(pooled[:, :half]) / np.maximum(figure(pooled[:, half:]), 1e-12)

    return {
        "ratio": value_of(ratio, both),
        "ratio_interval": ratio_interval(ratio, both),
        **paired_difference(figure, *tables),
    }


def _mean(column: int) -> Figure:
    return lambda pooled: pooled[:, column] / np.maximum(pooled[:, 0], 1)


def distance_to_true(column: int) -> Figure:
    """Of pooled `delta_sums`; column: 1 in waveform units, 2 in dB."""
    return lambda pooled: np.abs(_mean(column)(pooled) - _mean(column + 2)(pooled))


def event_sums_by_region(
    detected_s: Float[np.ndarray, " n"], truth: Truth, joins_s: Sequence[float]
) -> dict[str, list[float]]:
    """[hits, detections, events] of the visible events within NEAR_S behind a join, around it, and elsewhere (away from
    both), of one clip. Events and detections are matched over the whole clip; a hit lies where its event does, another
    detection where it is itself."""
    seen = truth.only(True)
    detected_s = detected_s[(detected_s >= 0) & (detected_s <= seen.duration_s)]
    answered, found = match(detected_s, seen.scored_s, MAIN_TOLERANCE_S)
    rest = np.delete(detected_s, answered)
    spans = seen.ignored_spans
    ignored = (rest[:, None] >= spans[:, 0] - MAIN_TOLERANCE_S) & (rest[:, None] <= spans[:, 1] + MAIN_TOLERANCE_S)
    false, hits = rest[~ignored.any(axis=1)], seen.scored_s[found]

    def counted(region: str) -> list[float]:
        counts = [_count_in(region, times, joins_s) for times in (hits, false, seen.scored_s)]
        return [counts[0], counts[0] + counts[1], counts[2]]

    return {region: counted(region) for region in (*REGIONS, "elsewhere")}


def _count_in(region: str, times_s: np.ndarray, joins_s: Sequence[float]) -> float:
    low_s, high_s = REGIONS.get(region, REGIONS["around"])
    after = np.asarray(times_s)[:, None] - np.asarray(joins_s, dtype=np.float64)[None]
    within = float(((after >= low_s) & (after < high_s)).any(axis=1).sum())
    return within if region in REGIONS else len(times_s) - within


def precision_behind(sums: Sequence[Mapping[str, Sequence[float]]]) -> dict[str, Any]:
    """Precision behind joins, elsewhere, and their ratio with its interval, over the clips of
    `event_sums_by_region`."""
    table = np.array([[*one["behind"][:2], *one["elsewhere"][:2]] for one in sums], dtype=np.float64)

    def share(first: int) -> Figure:
        return lambda pooled: pooled[:, first] / np.where(pooled[:, first + 1] > 0, pooled[:, first + 1], np.nan)

    def ratio(pooled: np.ndarray) -> np.ndarray:
        elsewhere = share(2)(pooled)
        return share(0)(pooled) / np.where(elsewhere > 0, elsewhere, np.nan)

    return {
        "behind": value_of(share(0), table),
        "elsewhere": value_of(share(2), table),
        "ratio": value_of(ratio, table),
        "interval": ratio_interval(ratio, table),
        "detections": int(table[:, 1].sum()),
        "clips": len(table),
    }
