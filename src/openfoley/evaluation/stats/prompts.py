"""Intervals and tests where each prompt has several seeds: prompts are drawn with repetition, then seeds within each.

Clips of one prompt share their content, so that they count less than clips of as many prompts. Intervals are
percentiles of the draws, which are narrow for few prompts (0.88 instead of 0.95 at 8, 0.92 at 20): ask for 100. Draws
of distances between distributions, which repeated clips make larger, are shifted to have the mean of all clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from openfoley.evaluation.stats.bootstrap import LEVEL, NO_INTERVAL

PROMPT_DRAWS = 2000
"""The smallest p-value is 0.001."""

Rows = Int[np.ndarray, " rows"]
Statistic = Callable[[Rows], float]
"""Of the clips with these indices, repeats allowed."""


def draws_of(prompts: Sequence[str], draws: int, seed: int = 0) -> Iterator[Rows]:
    """Indices of clips, once for each draw. prompts: of every clip."""
    rng = np.random.default_rng(seed)
    _, group, counts = np.unique(np.asarray(prompts), return_inverse=True, return_counts=True)
    by_prompt, firsts = np.argsort(group, kind="stable"), np.cumsum(counts) - counts
    for _ in range(draws):
        chosen = rng.integers(len(counts), size=len(counts))
        own, first = np.repeat(counts[chosen], counts[chosen]), np.repeat(firsts[chosen], counts[chosen])
        yield by_prompt[first + (rng.random(len(own)) * own).astype(np.int64)]


def estimate(
    statistic: Statistic, prompts: Sequence[str], draws: int = PROMPT_DRAWS, *, shifted: bool = False
) -> dict[str, Any]:
    """`value` of all clips and its `interval`. shifted: the draws to have their mean at the value."""
    value = statistic(np.arange(len(prompts)))
    if len({*prompts}) < 2:
        return {"value": value, "interval": NO_INTERVAL}
    found = _finite([statistic(rows) for rows in draws_of(prompts, draws)], value if shifted else None)
    return {"value": value, "interval": _interval(found)}


def paired_estimate(
    ours: Statistic, theirs: Statistic, prompts: Sequence[str], draws: int = PROMPT_DRAWS, *, shifted: bool = False
) -> dict[str, Any]:
    """`difference` ours - theirs of the same clips, its `interval` and two-sided `p`: twice the share of draws on the
    other side of 0 than most, at least 2 / draws."""
    every = np.arange(len(prompts))
    difference = ours(every) - theirs(every)
    if len({*prompts}) < 2:
        return {"difference": difference, "interval": NO_INTERVAL, "p": float("nan")}
    found = [ours(rows) - theirs(rows) for rows in draws_of(prompts, draws)]
    found = _finite(found, difference if shifted else None)
    fewer = int(min((found <= 0).sum(), (found >= 0).sum()))
    p = min(1.0, 2 * (fewer + 1) / (len(found) + 1))
    return {"difference": difference, "interval": _interval(found), "p": p}


def _finite(values: Sequence[float], mean: float | None) -> np.ndarray:
    """The finite ones, shifted to this mean."""
    found = np.array(values)
    found = found[np.isfinite(found)]
    return found if mean is None or not len(found) else found - found.mean() + mean


def _interval(values: np.ndarray) -> tuple[float, float]:
    if not len(values):
        return NO_INTERVAL
    low, high = np.quantile(values, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)
