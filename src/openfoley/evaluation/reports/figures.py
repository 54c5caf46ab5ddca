"""Metrics of one set of clips: timing relative to the ceiling, materials, bandwidth and decay. Sounds are int16
[clips, 2, time]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int16
from torch import Tensor

from openfoley.data.gym_cache import FULL_SCALE
from openfoley.data.gym_cache import SAMPLE_RATE as RATE
from openfoley.data.onset_detector import Onsets, detect
from openfoley.evaluation.metrics.f1 import MAIN_TOLERANCE_S, relative_f1, visible_sums
from openfoley.evaluation.metrics.matching import match_closest
from openfoley.evaluation.metrics.material import AS_SEEN, material_accuracy, material_sums
from openfoley.evaluation.metrics.spectral import (
    bandwidth,
    isolated,
    mean_power_spectrum,
    mel_distance_db,
    rise_time_ms,
    si_sdr_db,
    stft_distance,
    t20_s,
)
from openfoley.evaluation.metrics.truth import Truth
from openfoley.evaluation.stats.bootstrap import interval
from openfoley.judges.material import MaterialClassifier
from openfoley.types import Audio

SILENT_POWER = 1e-9
"""Mean square (-90 dB) below which a sound counts as silent: the rest is rounding error."""
T20_BEFORE_S, T20_AFTER_S = 0.10, 0.30
SPECTRUM_DRAWS = 200


def samples_of(sounds: Int16[np.ndarray, "clips 2 time"], index: int) -> Float[Tensor, "2 time"]:
    """One int16 sound as float32."""
    return torch.from_numpy(np.array(sounds[index])).float() / FULL_SCALE


def onsets_of(sounds: np.ndarray) -> list[Onsets]:
    """Detected events of every sound."""
    return [detect(samples_of(sounds, k), RATE) for k in range(len(sounds))]


def relative_to(found: Sequence[Onsets], ceiling: Sequence[Onsets], truths: Sequence[Truth]) -> dict[str, Any]:
    """F1 on visible events relative to the ceiling's, and the difference, with paired intervals."""
    sums = ([visible_sums(o.times_s, t) for o, t in zip(each, truths, strict=True)] for each in (found, ceiling))
    return relative_f1(*sums)


def materials_of(
    judge: MaterialClassifier,
    sounds: np.ndarray,
    found: Sequence[Onsets],
    truths: Sequence[Truth],
    asked: Sequence[Mapping[str, str]] | None = None,
) -> dict[str, Any]:
    """The classifier's accuracy at detected visible events. asked: for each clip a map from the true to the
    prompted material; None is the true one."""
    sums = [
        material_sums(judge, Audio(samples_of(sounds, k), RATE), onsets.times_s, truth, asked[k] if asked else AS_SEEN)
        for k, (onsets, truth) in enumerate(zip(found, truths, strict=True))
    ]
    return material_accuracy(sums)


def reach_and_decay(
    made: np.ndarray, true: np.ndarray, found: Sequence[Onsets], truths: Sequence[Truth]
) -> dict[str, Any]:
    """Bandwidth of the mean spectrum and decay after isolated events, generated relative to true; mel and STFT
    distances."""
    spectra: list[list[np.ndarray]] = [[], []]
    distances, decays, rises = [], [], []
    for k, (onsets, truth) in enumerate(zip(found, truths, strict=True)):
        ours, theirs = samples_of(made, k), samples_of(true, k)
        if theirs.square().mean() > SILENT_POWER:
            distances.append(
                (mel_distance_db(ours, theirs, RATE), stft_distance(ours, theirs), si_sdr_db(ours, theirs))
            )
            if ours.square().mean() > SILENT_POWER:
                for store, sound in zip(spectra, (ours, theirs), strict=True):
                    power = mean_power_spectrum(sound)
                    store.append(power / float(power.sum()))  # every clip counts the same, loud or not
        for time_s, next_s in isolated(truth.scored_s, truth.duration_s, T20_BEFORE_S, T20_AFTER_S):
            rows, _ = match_closest(onsets.times_s, np.array([time_s]), MAIN_TOLERANCE_S)
            if len(rows):
                at = float(onsets.times_s[rows[0]])
                decays.append((t20_s(ours, RATE, at, next_s), t20_s(theirs, RATE, time_s, next_s)))
                rises.append((rise_time_ms(ours, RATE, at), rise_time_ms(theirs, RATE, time_s)))
    return {
        "distances": dict(zip(("mel_db", "stft", "si_sdr_db"), np.mean(distances, 0).tolist(), strict=True)),
        "bandwidth": _bandwidth_ratios(np.array(spectra[0]), np.array(spectra[1]), len(distances)),
        "t20": _median_ratio(np.array(decays).reshape(-1, 2)),
        "rise_ms": _median_ratio(np.array(rises).reshape(-1, 2)),
    }


def _bandwidth_ratios(made: np.ndarray, true: np.ndarray, of: int) -> dict[str, Any]:
    """Bandwidth of the mean normalised spectra, and the ratio of their 99 % roll-offs with an interval over clips. of:
    clips with audible true sound, also if the generated one is silent (these misses count in the recall)."""
    clips = len(made)
    if not clips:
        made = true = np.zeros((1, 2))  # no bandwidth: nan
    ours, theirs = (asdict(bandwidth(spectra.mean(0), RATE)) for spectra in (made, true))

    def ratio(rows: np.ndarray) -> float:
        one, other = (bandwidth(spectra[rows].mean(0), RATE).roll_off_99_hz for spectra in (made, true))
        return one / other

    return {
        "made": ours,
        "true": theirs,
        "ratio": {name: ours[name] / theirs[name] for name in ours},
        "roll_off_99_interval": interval(ratio, len(true), draws=SPECTRUM_DRAWS),
        "clips": clips,
        "of": of,
    }


def _median_ratio(pairs: np.ndarray) -> dict[str, Any]:
    """Medians of (generated, true) pairs with both defined, and their count of those with a true value."""
    both = pairs[np.isfinite(pairs).all(1)]
    of_true = int(np.isfinite(pairs[:, 1]).sum())
    if len(both) < 2:
        return {"made": None, "true": None, "ratio": None, "interval": None, "events": len(both), "of": of_true}
    made, true = np.median(both, 0)

    def ratio(rows: np.ndarray) -> float:
        return float(np.median(both[rows, 0]) / max(np.median(both[rows, 1]), 1e-9))

    bounds = interval(ratio, len(both), draws=SPECTRUM_DRAWS)
    result = {"made": float(made), "true": float(true), "ratio": float(made / max(true, 1e-9))}
    return {**result, "interval": bounds, "events": len(both), "of": of_true}
