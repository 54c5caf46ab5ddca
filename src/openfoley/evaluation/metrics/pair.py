"""Agreement of picture and sound: visible against audible events of the same clip, each detected from its own modality
alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float

from openfoley.data.pairs.pair import Modality, Pair, PairForm
from openfoley.evaluation.metrics.f1 import pooled_f1
from openfoley.evaluation.metrics.matching import match

TOLERANCE_S = 0.0625
"""Between a visible and an audible event: half a frame at 8 a second (docs/log.md, J3)."""


class Embedder(Protocol):
    """Features of clips for Frechet distances; `name` stands with every figure."""

    @property
    def name(self) -> str: ...

    def features(self, modality: Modality, pairs: Sequence[Pair], form: PairForm) -> Float[np.ndarray, "clips dim"]: ...


class EventJudge(Embedder, Protocol):
    """Detected events of clips. size: pixels of the pictures that it was trained on. about: with its `ceilings`."""

    @property
    def size(self) -> int: ...

    @property
    def about(self) -> dict[str, Any]: ...

    def events(self, modality: Modality, pairs: Sequence[Pair], form: PairForm) -> list[np.ndarray]:
        """Times (s) in each clip."""
        ...


def agreement(
    visible_s: Sequence[np.ndarray], audible_s: Sequence[np.ndarray], tolerance_s: float = TOLERANCE_S
) -> Float[np.ndarray, "clips 3"]:
    """Of each clip: pairs of a visible and an audible event within the tolerance, audible events, visible events;
    times in s, as `metrics.f1.clip_sums` counts hits, detections and events."""
    rows = [(len(match(audible, visible, tolerance_s)[0]), len(audible), len(visible))
            for visible, audible in zip(visible_s, audible_s, strict=True)]  # fmt: skip
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def agreement_f1(sums: Float[np.ndarray, "clips 3"]) -> float:
    """Pooled over clips: 2 x agreeing / (audible + visible); 0 without events."""
    return float(pooled_f1(sums.sum(0, keepdims=True))[0])
