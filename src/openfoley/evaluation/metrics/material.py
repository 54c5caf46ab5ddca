"""Material accuracy: the classifier's predictions for the sound at detected visible events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from openfoley.evaluation.metrics.f1 import MAIN_TOLERANCE_S
from openfoley.evaluation.metrics.matching import match_closest
from openfoley.evaluation.metrics.truth import Truth
from openfoley.evaluation.stats.bootstrap import ratio_interval
from openfoley.evaluation.stats.pooled import value_of
from openfoley.judges.material import CLASSES, MaterialClassifier
from openfoley.types import Audio

AS_SEEN = {name: name for name in CLASSES}


def material_sums(
    judge: MaterialClassifier,
    sound: Audio,
    times_s: np.ndarray,
    truth: Truth,
    asked: Mapping[str, str] = AS_SEEN,
    start_s: float = 0.0,
) -> np.ndarray:
    """[prompted material, shown material, all] counts over a clip's detected visible events (within 50 ms).

    asked: from the true to the prompted material; events of other materials are ignored. start_s: time 0 of `times_s`
    and the ground truth within the sound.
    """
    seen = truth.only(True)
    rows, columns = match_closest(times_s, seen.scored_s, MAIN_TOLERANCE_S)
    pairs = [(r, seen.materials[c]) for r, c in zip(rows, columns, strict=True) if seen.materials[c] in asked]
    names = judge.names(sound.samples, sound.sample_rate, times_s[[r for r, _ in pairs]] + start_s)
    as_asked = sum(name == asked[true] for name, (_, true) in zip(names, pairs, strict=True))
    as_seen = sum(name == true for name, (_, true) in zip(names, pairs, strict=True))
    return np.array([as_asked, as_seen, len(pairs)], dtype=np.float64)


def share_as_asked(pooled: np.ndarray) -> np.ndarray:
    """Pooled `material_sums` [m, 3] -> [m]."""
    return pooled[:, 0] / np.maximum(pooled[:, 2], 1)


def material_accuracy(sums: Sequence[np.ndarray] | np.ndarray) -> dict[str, Any]:
    """Over the clips of `material_sums`: the share of events with the prompted, and with the shown material."""
    table = np.asarray(sums, dtype=np.float64).reshape(-1, 3)
    events = int(table[:, 2].sum())
    return {
        "accuracy": value_of(share_as_asked, table) if events else float("nan"),
        "seen_material": float(table[:, 1].sum() / events) if events else float("nan"),
        "interval": ratio_interval(share_as_asked, table),
        "events": events,
        "clips": int((table[:, 2] > 0).sum()),
    }
