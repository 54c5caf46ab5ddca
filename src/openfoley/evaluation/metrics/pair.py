"""Is what is heard what is seen? Events of the picture against events of the sound of the same clip, each found by a
detector that knows the other modality not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from openfoley.data.pairs.pair import Pair, PairForm
from openfoley.evaluation.metrics.f1 import pooled_f1
from openfoley.evaluation.metrics.matching import match

TOLERANCE_S = 0.0625
"""Of an event seen and one heard: half a frame at 8 a second (docs/log.md, J3)."""


class Embedder(Protocol):
    """Features of clips for Frechet distances; `name` stands with every figure."""

    @property
    def name(self) -> str: ...

    def features(self, modality: Any, pairs: Sequence[Pair], form: PairForm) -> Float[np.ndarray, "clips dim"]:
        """modality: "picture" or "sound"."""
        ...


def agreement(
    seen_s: Sequence[np.ndarray], heard_s: Sequence[np.ndarray], tolerance_s: float = TOLERANCE_S
) -> Float[np.ndarray, "clips 3"]:
    """Of each clip: events that are seen and heard within the tolerance, heard, seen; times in s, as
    `metrics.f1.clip_sums` counts hits, detections and events."""
    rows = [(len(match(heard, seen, tolerance_s)[0]), len(heard), len(seen))
            for seen, heard in zip(seen_s, heard_s, strict=True)]  # fmt: skip
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def agreement_f1(sums: Float[np.ndarray, "clips 3"]) -> float:
    """Pooled over clips: 2 x agreeing / (heard + seen); 0 where nothing is heard or seen."""
    return float(pooled_f1(sums.sum(0, keepdims=True))[0])
