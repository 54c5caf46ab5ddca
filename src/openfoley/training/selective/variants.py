"""Variants of SelVA's first stage, each one change of the shipped training, for tables of equal steps.

The sheet of open questions: does the number of [SUP] tokens matter, and their start (SelVA's five zeros stay equal to
each other for ever)? Is attention needed? Is a frozen trunk? What do noisy labels cost, and labels without attributes?
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from openfoley.errors import UsageError
from openfoley.training.selective.encoder import SelectiveEncoderTraining

Change = Callable[[SelectiveEncoderTraining], SelectiveEncoderTraining]
NOISY_SHARE = 0.3  # of the sources, in the variants with noisy labels
SHIPPED = "shipped"


def _selection(settings: SelectiveEncoderTraining, **changes: Any) -> SelectiveEncoderTraining:
    return replace(settings, selection=replace(settings.selection, **changes))


def _draws(settings: SelectiveEncoderTraining, **changes: Any) -> SelectiveEncoderTraining:
    return replace(settings, draws=replace(settings.draws, **changes))


VARIANTS: Mapping[str, Change] = {
    SHIPPED: replace,
    "sup-0": partial(_selection, supplementary=0),
    "sup-1": partial(_selection, supplementary=1),
    "sup-10": partial(_selection, supplementary=10),
    "sup-zero-start": partial(_selection, start="zero"),
    "concatenation": partial(_selection, mixing="concatenation"),
    "full-training": partial(replace, trained="all"),
    "wrong-labels": partial(_draws, wrong_share=NOISY_SHARE),
    "coarse-labels": partial(_draws, coarse_share=NOISY_SHARE),
    "labels-only": partial(_draws, labels_only=True),
}
"""By name. labels-only: no attributes ("the metal one"), no other wordings."""


def variant(settings: SelectiveEncoderTraining, name: str) -> SelectiveEncoderTraining:
    """UsageError for a name that is none of VARIANTS."""
    if name not in VARIANTS:
        raise UsageError(f"unknown variant {name!r}; use one of {', '.join(VARIANTS)}")
    return VARIANTS[name](settings)
