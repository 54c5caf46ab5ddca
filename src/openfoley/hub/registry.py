"""Named models, and where they are on disk."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path

from openfoley.errors import UsageError, WeightsError
from openfoley.hub.cards import CARDS
from openfoley.hub.cards.base import Card
from openfoley.request import Defaults, Request

CONFIG_NAME = "config.json"
DEFAULT_MODEL = "salsa-v-gym"
SHIPPED_FOLDER = Path(__file__).parent / "weights"
SHIPPED = tuple(name for name, card in CARDS.items() if not card.files)
SELECTIVE_KINDS = ("selective-synchformer",)  # of sync encoders
CONFIGS = {"salsa-v": "openfoley.generators.salsa_v.config", "mmaudio": "openfoley.generators.mmaudio.config"}


def kind_in_folder(part: str, name_or_folder: str | os.PathLike[str]) -> str:
    """The kind of a part as a folder's config.json has it; empty if it does not say."""
    try:
        config = json.loads((find_model(name_or_folder) / CONFIG_NAME).read_text(encoding="utf-8"))
        return str(config[part]["kind"])
    except (OSError, ValueError, KeyError, TypeError):  # loading reports what is wrong with it
        return ""


def generator_kind(name_or_folder: str | os.PathLike[str]) -> str:
    """The kind, salsa-v or mmaudio, before anything is downloaded or loaded; empty if a folder does not say."""
    if (card := CARDS.get(os.fspath(name_or_folder))) is not None:
        return card.family
    return kind_in_folder("generator", name_or_folder)


def sampling_of(name_or_folder: str | os.PathLike[str]) -> tuple[Defaults, frozenset[str]]:
    """The model's sampling defaults and supported options, before it is downloaded or loaded."""
    module = import_module(CONFIGS.get(generator_kind(name_or_folder), CONFIGS["salsa-v"]))
    return module.DEFAULTS, module.SUPPORTED_OPTIONS


def check_selects(name_or_folder: str | os.PathLike[str], request: Request) -> None:
    """UsageError if the request selects by text and the model has no encoder for it; nothing is loaded."""
    if (asked := request.asks_selection) is None:
        return
    card = CARDS.get(os.fspath(name_or_folder))
    can = kind_in_folder("sync", name_or_folder) in SELECTIVE_KINDS if card is None else card.selects
    if not can:
        raise no_selection(asked, os.fspath(name_or_folder))


def no_selection(option: str, model: str) -> UsageError:
    """The error for an option that needs a selective encoder."""
    others = ", ".join(name for name, card in CARDS.items() if card.selects)
    return UsageError(f"{option} is not an option of {model}: no text selects in its encoders; those of {others} do")


def check_model(name_or_folder: str | os.PathLike[str]) -> None:
    """UsageError or WeightsError for a model that is neither present nor downloadable; nothing is read yet."""
    if published(name_or_folder) is None:
        find_model(name_or_folder)


def find_card(name: str) -> Card:
    """The card of a named model; UsageError lists the known names."""
    if name not in CARDS:
        raise UsageError(f"unknown model {name!r}; pass one of {', '.join(CARDS)}")
    return CARDS[name]


def published(name_or_folder: str | os.PathLike[str]) -> Card | None:
    """The card of a published model, whose files are downloaded; None for a shipped one or a folder."""
    card = CARDS.get(os.fspath(name_or_folder))
    return card if card is not None and card.files else None


def find_model(name_or_folder: str | os.PathLike[str]) -> Path:
    """The folder of a model: a shipped name, or a folder that holds config.json."""
    text = os.fspath(name_or_folder)
    if text in SHIPPED:
        folder = SHIPPED_FOLDER / text
        if not (folder / CONFIG_NAME).is_file():
            raise WeightsError(f"the shipped model {text!r} is not in this installation; install OpenFoley again")
        return folder
    folder = Path(text)
    if not folder.is_dir():
        raise UsageError(f"unknown model {text!r}; pass one of {', '.join(CARDS)} or a folder that holds {CONFIG_NAME}")
    if not (folder / CONFIG_NAME).is_file():
        raise UsageError(f"{text!r} is not a model folder: it holds no {CONFIG_NAME}")
    return folder
