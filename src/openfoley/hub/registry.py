"""Which models have a name, and where they lie."""

from __future__ import annotations

import os
from pathlib import Path

from openfoley.errors import UsageError, WeightsError
from openfoley.hub.sources import FOREIGN_MODELS

CONFIG_NAME = "config.json"
DEFAULT_MODEL = "salsa-v-gym"
SHIPPED_FOLDER = Path(__file__).parent / "weights"
SHIPPED = ("salsa-v-gym",)


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
