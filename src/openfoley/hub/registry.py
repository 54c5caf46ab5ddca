"""Which models have a name, and where they lie."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path

from openfoley.errors import UsageError, WeightsError
from openfoley.hub.sources import FOREIGN_MODELS
from openfoley.request import Defaults

CONFIG_NAME = "config.json"
DEFAULT_MODEL = "salsa-v-gym"
SHIPPED_FOLDER = Path(__file__).parent / "weights"
SHIPPED = ("salsa-v-gym",)
CONFIGS = {"salsa-v": "openfoley.generators.salsa_v.config", "mmaudio": "openfoley.generators.mmaudio.config"}


def generator_kind(name_or_folder: str | os.PathLike[str]) -> str:
    """The kind, salsa-v or mmaudio, before anything is fetched or loaded; empty where a folder does not tell."""
    if os.fspath(name_or_folder) in FOREIGN_MODELS:
        return "mmaudio"
    try:
        config = json.loads((find_model(name_or_folder) / CONFIG_NAME).read_text(encoding="utf-8"))
        return str(config["generator"]["kind"])
    except (OSError, ValueError, KeyError, TypeError):  # loading will say what is wrong with it
        return ""


def sampling_of(name_or_folder: str | os.PathLike[str]) -> tuple[Defaults, frozenset[str]]:
    """The model's defaults of sampling and the options that it supports, before it is fetched or loaded."""
    module = import_module(CONFIGS.get(generator_kind(name_or_folder), CONFIGS["salsa-v"]))
    return module.DEFAULTS, module.SUPPORTED_OPTIONS


def check_model(name_or_folder: str | os.PathLike[str]) -> None:
    """UsageError or WeightsError for a model that cannot be here or be fetched; nothing is read yet."""
    if os.fspath(name_or_folder) not in FOREIGN_MODELS:
        find_model(name_or_folder)


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
        raise UsageError(
            f"unknown model {text!r}; pass one of {', '.join((*SHIPPED, *FOREIGN_MODELS))} or a folder that holds "
            f"{CONFIG_NAME}"
        )
    if not (folder / CONFIG_NAME).is_file():
        raise UsageError(f"{text!r} is not a model folder: it holds no {CONFIG_NAME}")
    return folder
