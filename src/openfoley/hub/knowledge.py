"""Compares prompts with the vocabulary in a model's card. Nothing heavy is imported here."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence

from openfoley.hub.cards import CARDS

logger = logging.getLogger(__name__)

FOR_REAL_FOOTAGE = "mmaudio-large-44k-v2"
SELECTS_IN_REAL_FOOTAGE = "selva-large-44k"


def unknown_words(model: str, texts: Iterable[str | None]) -> list[str]:
    """The words of prompts that are in no training caption, if the model's card lists these."""
    card = CARDS.get(model)
    if card is None or not card.words:
        return []
    words = [word for text in texts if text for word in re.findall(r"[^\W\d_]+", text.lower())]
    return [word for word in dict.fromkeys(words) if word not in card.words]


def real_footage_words(model: str, selects: bool = False) -> str:
    """The model for real footage and its download size; empty if this one is for real footage. selects: the request
    selects by text, so the model must be one that does."""
    own = CARDS.get(model)
    if own is not None and own.files:
        return ""
    card = CARDS.get(SELECTS_IN_REAL_FOOTAGE if selects else FOR_REAL_FOOTAGE)
    return "" if card is None else f"--model {card.name} (a download of {card.download_bytes / 1e9:.1f} GB)"


def warn_of_words(model: str, texts: Iterable[str | None], selects: bool = False) -> None:
    """Warn once about words that are not in the model's training captions. selects: as in `real_footage_words`."""
    if unknown := unknown_words(model, texts):
        logger.warning(
            "%s never saw the words %s: it knows Gym-like scenes (openfoley models %s lists its words); for real "
            "footage there is %s", model, ", ".join(unknown), model, real_footage_words(model, selects),
        )  # fmt: skip


def warn_of_unseen(model: str, words: Sequence[str]) -> None:
    """Warn once about words that a model which keeps its own list does not know."""
    if words:
        logger.warning("%s never saw the words %s; they count as one unknown word", model, ", ".join(words))
