"""Synchronization: detected events of a recording against the exact events of its scene.

Scored are discrete audible events, one detection each, within 25, 50 or 100 ms. An unmatched detection in (or within
the tolerance of) an ignored span - continuous sound, inaudible event, inside of a rattle - is ignored. `visible`
scores only the events in the picture, the others becoming ignored spans; `off_screen` the reverse.

F1 of dense events is high by chance, so there are two controls: the sounds of other clips (cyclic shifts over the
clips with events), and as many events at random times. corrected = (F1 - shuffled) / (1 - shuffled).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import ConstantInputWarning, spearmanr

from openfoley.data.onset_detector import Onsets
from openfoley.evaluation.metrics.f1 import clip_sums, pooled_f1, score
from openfoley.evaluation.metrics.matching import Counts, match_closest
from openfoley.evaluation.metrics.recall import RecallIn, recall_by_gap, recall_by_level
from openfoley.evaluation.metrics.truth import Truth
from openfoley.evaluation.stats.bootstrap import LOOP_DRAWS, NO_INTERVAL, Estimate, Interval, interval, ratio_interval
from openfoley.evaluation.stats.pooled import median_of

TOLERANCES_S = (0.025, 0.050, 0.100)
ERROR_TOLERANCE_S = 0.100
"""Errors and loudness are read from the pairs within this tolerance, so that an error above 50 ms still shows."""

SHUFFLES = 20
RANDOM_DRAWS = 5
FEWEST_FOR_RANKS = 5
"""Matched events that a clip needs for a rank correlation of its own."""


@dataclass(frozen=True)
class Score:
    """Pooled precision, recall and F1 at one tolerance, with the interval of F1 and the controls."""

    tolerance_ms: int
    precision: float
    recall: float
    f1: float
    f1_interval: Interval
    shuffled: float
    shuffled_highest: float
    random: float
    corrected: float
    corrected_interval: Interval


@dataclass(frozen=True)
class ClipScore:
    """One clip: events, detections, and (precision, recall, f1) by tolerance in ms over all scored events."""

    name: str
    events: int
    visible_events: int
    detections: int
    silent: bool
    scores: dict[str, tuple[float, float, float]]
    median_abs_error_ms: float
    loudness_rank_correlation: float


@dataclass(frozen=True)
class SyncReport:
    """All metrics of `evaluate sync`."""

    clips: int
    silent_clips: int
    events: int
    visible_events: int
    detections: int
    everything: list[Score]
    visible: list[Score]
    off_screen: list[Score]
    median_abs_error_ms: Estimate
    median_signed_error_ms: Estimate
    silent_false_per_minute: Estimate
    loudness_pooled: Estimate
    loudness_within: Estimate
    recall_by_gap: list[RecallIn]
    recall_by_level: list[RecallIn]
    per_clip: list[ClipScore]

    def f1(self, tolerance_ms: int = 50, *, of: str = "visible") -> Score:
        """The score at a tolerance; `of`: everything, visible or off_screen."""
        return next(score for score in getattr(self, of) if score.tolerance_ms == tolerance_ms)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; undefined ones are None."""
        return _plain(asdict(self))


def sync_report(detected: Sequence[Onsets], truths: Sequence[Truth], *, seed: int = 0) -> SyncReport:
    """The metrics of clips, given as detected onsets and truths in the same order. seed: for controls and
    resampling."""
    if len(detected) != len(truths) or not truths:
        raise ValueError(f"need as many recordings as truths and at least one, got {len(detected)} and {len(truths)}")
    pairs = [_pairs(onsets, truth) for onsets, truth in zip(detected, truths, strict=True)]
    seen, unseen = [truth.only(True) for truth in truths], [truth.only(False) for truth in truths]
    return SyncReport(
        clips=len(truths),
        silent_clips=sum(not truth.has_audible for truth in truths),
        events=sum(len(truth.scored_s) for truth in truths),
        visible_events=sum(len(truth.scored_s) for truth in seen),
        detections=sum(len(onsets) for onsets in detected),
        everything=[_scores(detected, truths, tolerance, seed) for tolerance in TOLERANCES_S],
        visible=[_scores(detected, seen, tolerance, seed) for tolerance in TOLERANCES_S],
        off_screen=[_scores(detected, unseen, tolerance, seed) for tolerance in TOLERANCES_S],
        median_abs_error_ms=_median([1000 * np.abs(pair[0]) for pair in pairs], seed),
        median_signed_error_ms=_median([1000 * pair[0] for pair in pairs], seed),
        silent_false_per_minute=_silent_false(detected, truths, seed),
        loudness_pooled=_pooled_ranks(pairs, seed),
        loudness_within=_within_ranks(pairs, seed),
        recall_by_gap=recall_by_gap([onsets.times_s for onsets in detected], truths, seed),
        recall_by_level=recall_by_level([onsets.times_s for onsets in detected], truths, seed),
        per_clip=[_clip(*each) for each in zip(detected, truths, pairs, strict=True)],
    )


def _pairs(onsets: Onsets, truth: Truth) -> np.ndarray:
    """Matched events of a clip as rows (error s, detected loudness, true loudness), [3, n]."""
    rows, columns = match_closest(onsets.times_s, truth.scored_s, ERROR_TOLERANCE_S)
    errors = onsets.times_s[rows] - truth.scored_s[columns]
    return np.stack([errors, onsets.loudness_db[rows], truth.loudness_db[columns]])


def _scores(detected: Sequence[Onsets], truths: Sequence[Truth], tolerance_s: float, seed: int) -> Score:
    times = [onsets.times_s for onsets in detected]
    sums = clip_sums(times, truths, tolerance_s)
    pooled = Counts(*(int(value) for value in sums.sum(0)))
    shuffled = _shuffled(times, truths, tolerance_s, sums, seed)
    chance = float(np.mean(shuffled)) if len(shuffled) else float("nan")
    low, high = ratio_interval(pooled_f1, sums, seed=seed)

    def corrected(f1: float) -> float:
        return (f1 - chance) / (1 - chance) if chance < 1 else float("nan")

    return Score(
        tolerance_ms=round(1000 * tolerance_s),
        precision=pooled.precision,
        recall=pooled.recall,
        f1=pooled.f1,
        f1_interval=(low, high),
        shuffled=chance,
        shuffled_highest=float(np.max(shuffled)) if len(shuffled) else float("nan"),
        random=_random(times, truths, tolerance_s, seed),
        corrected=corrected(pooled.f1),
        corrected_interval=(corrected(low), corrected(high)),
    )


def _shuffled(
    times: Sequence[np.ndarray], truths: Sequence[Truth], tolerance_s: float, sums: np.ndarray, seed: int
) -> list[float]:
    """F1 with each clip's sound taken from another clip, over up to SHUFFLES cyclic shifts. Only clips with events
    are shifted (an empty one would lower the control); the false events of the others are added unchanged."""
    with_events = [k for k, truth in enumerate(truths) if len(truth.scored_s)]
    shifts = np.random.default_rng(seed).permutation(np.arange(1, len(with_events)))[:SHUFFLES]
    rest = np.delete(sums, with_events, axis=0).sum(0)
    chosen = [truths[k] for k in with_events]
    values = []
    for shift in shifts:
        borrowed = [times[k] for k in np.roll(with_events, shift)]
        values.append(float(pooled_f1((clip_sums(borrowed, chosen, tolerance_s).sum(0) + rest)[None])[0]))
    return values


def _random(times: Sequence[np.ndarray], truths: Sequence[Truth], tolerance_s: float, seed: int) -> float:
    """F1 of as many events as were detected in each clip, at uniformly random times."""
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(RANDOM_DRAWS):
        drawn = [rng.uniform(0, truth.duration_s, len(t)) for t, truth in zip(times, truths, strict=True)]
        values.append(pooled_f1(clip_sums(drawn, truths, tolerance_s).sum(0)[None])[0])
    return float(np.mean(values))


def _median(values: Sequence[np.ndarray], seed: int) -> Estimate:
    """Median over all events of all clips."""
    return Estimate(*median_of(values, seed), sum(map(len, values)))


def _silent_false(detected: Sequence[Onsets], truths: Sequence[Truth], seed: int) -> Estimate:
    """False events per minute in clips without any audible event."""
    silent = [
        (len(onsets), truth.duration_s / 60)
        for onsets, truth in zip(detected, truths, strict=True)
        if not truth.has_audible
    ]
    if not silent:
        return Estimate(float("nan"), NO_INTERVAL, 0)
    sums = np.array(silent, dtype=np.float64)
    value = float(sums[:, 0].sum() / sums[:, 1].sum())
    return Estimate(value, ratio_interval(lambda pooled: pooled[:, 0] / pooled[:, 1], sums, seed=seed), len(silent))


def rank_correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rho; nan for fewer than two values or a constant one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)
        result: Any = spearmanr(first, second)
    return float(result.statistic)


def _pooled_ranks(pairs: Sequence[np.ndarray], seed: int) -> Estimate:
    """Rank correlation of detected with true loudness over all matched events."""

    def of(indices: np.ndarray) -> float:
        chosen = np.concatenate([pairs[k] for k in indices], axis=1)
        return rank_correlation(chosen[1], chosen[2])

    several = sum(pair.shape[1] > 0 for pair in pairs) > 1
    bounds = interval(of, len(pairs), seed=seed, draws=LOOP_DRAWS) if several else NO_INTERVAL
    return Estimate(of(np.arange(len(pairs))), bounds, sum(pair.shape[1] for pair in pairs))


def _within_ranks(pairs: Sequence[np.ndarray], seed: int) -> Estimate:
    """Mean over clips of the rank correlation within each, for clips with enough matched events."""
    inside = np.array([rank_correlation(pair[1], pair[2]) for pair in pairs if pair.shape[1] >= FEWEST_FOR_RANKS])
    inside = inside[np.isfinite(inside)]
    if not len(inside):
        return Estimate(float("nan"), NO_INTERVAL, 0)
    bounds = interval(lambda indices: float(inside[indices].mean()), len(inside), seed=seed, draws=LOOP_DRAWS)
    return Estimate(float(inside.mean()), bounds, len(inside))


def _clip(onsets: Onsets, truth: Truth, pair: np.ndarray) -> ClipScore:
    counts = {str(round(1000 * tolerance)): score(onsets.times_s, truth, tolerance) for tolerance in TOLERANCES_S}
    return ClipScore(
        name=truth.name,
        events=len(truth.scored_s),
        visible_events=int(truth.visible.sum()),
        detections=len(onsets),
        silent=not truth.has_audible,
        scores={name: (c.precision, c.recall, c.f1) for name, c in counts.items()},
        median_abs_error_ms=float(1000 * np.median(np.abs(pair[0]))) if pair.shape[1] else float("nan"),
        loudness_rank_correlation=rank_correlation(pair[1], pair[2]),
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return value
