"""Named models, and where they are on disk."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path

from openfoley.errors import UsageError, WeightsError
from openfoley.hub.cards import CARDS
from openfoley.hub.cards.base import Card
from openfoley.hub.cards.svg import PAIR_CARDS
from openfoley.request import Defaults, Request

CONFIG_NAME = "config.json"
DEFAULT_MODEL = "salsa-v-gym"
SHIPPED_FOLDER = Path(__file__).parent / "weights"
SHIPPED = tuple(name for name, card in CARDS.items() if not card.files)
SELECTION = "selection"  # section of config.json and name of the file of what selects by text, where a folder has it
ADAPTERS_NAME = "adapters.safetensors"  # in a model's folder: what lets every window know the whole video
SELECTIVE_KINDS = ("selective-synchformer",)  # of sync encoders
CONFIGS = {"salsa-v": "openfoley.generators.salsa_v.config", "mmaudio": "openfoley.generators.mmaudio.config"}


def kind_in_folder(part: str, name_or_folder: str | os.PathLike[str]) -> str:
    """The kind of a part as a folder's config.json has it; empty if it does not say."""
    return str(_section(part, name_or_folder).get("kind", ""))


def _section(name: str, name_or_folder: str | os.PathLike[str]) -> dict[str, object]:
    """A section of a folder's config.json; empty if it has none."""
    try:
        config = json.loads((find_model(name_or_folder) / CONFIG_NAME).read_text(encoding="utf-8"))
        return dict(config[name])
    except (OSError, ValueError, KeyError, TypeError):  # loading reports what is wrong with it
        return {}


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
    if (asked := request.asks_selection) is not None and not selects(name_or_folder):
        raise no_selection(asked, os.fspath(name_or_folder))


def selects(name_or_folder: str | os.PathLike[str]) -> bool:
    """Whether a text selects in a model's encoders; nothing is loaded."""
    if (card := published(name_or_folder)) is not None:
        return any(file.part == "selective" for file in card.files)
    return kind_in_folder("sync", name_or_folder) in SELECTIVE_KINDS or bool(_section(SELECTION, name_or_folder))


def no_selection(option: str, model: str) -> UsageError:
    """The error for an option that needs a selective encoder."""
    others = ", ".join(name for name in CARDS if selects(name)) or "no named model"
    return UsageError(
        f"{option} is not an option of {model}: its encoders do not select by text; models that do: {others}"
    )


def check_whole_video(name_or_folder: str | os.PathLike[str], request: Request, adapters: str | None = None) -> None:
    """UsageError if the request asks for what adapters do, and neither the model nor a file has them."""
    if adapters is not None and not Path(adapters).is_file():
        raise UsageError(f"the adapters {adapters!r} do not exist or are no file; train some with train adapters")
    if request.prompting.whole_video == "on" and adapters is None and adapters_beside(name_or_folder) is None:
        raise no_adapters(os.fspath(name_or_folder))


def no_adapters(model: str) -> UsageError:
    """The error for a request that needs adapters."""
    return UsageError(
        f"whole_video=on needs adapters, and {model} has none; train some: openfoley train adapters --model {model} "
        "--data gym --out DIR"
    )


def adapters_beside(name_or_folder: str | os.PathLike[str]) -> Path | None:
    """The adapters in a model's folder; None where it has none."""
    if published(name_or_folder) is not None:
        return None
    path = find_model(name_or_folder) / ADAPTERS_NAME
    return path if path.is_file() else None


def check_model(name_or_folder: str | os.PathLike[str]) -> None:
    """UsageError or WeightsError for a model that is neither present nor downloadable; nothing is read yet."""
    if published(name_or_folder) is None:
        find_model(name_or_folder)


def find_card(name: str) -> Card:
    """The card of a named model that makes sound for a picture; UsageError lists the known names."""
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
    if text in PAIR_CARDS:
        raise UsageError(f"{text} makes sound and picture together; use it with openfoley generate-pair")
    folder = Path(text)
    if not folder.is_dir():
        raise UsageError(f"unknown model {text!r}; pass one of {', '.join(CARDS)} or a folder that holds {CONFIG_NAME}")
    if not (folder / CONFIG_NAME).is_file():
        raise UsageError(f"{text!r} is not a model folder: it holds no {CONFIG_NAME}")
    return folder
