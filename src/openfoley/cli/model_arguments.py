"""Arguments of `openfoley models`, `doctor` and `convert`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def add_models(commands: Any, command: Callable[..., Any]) -> None:
    """command: makes a command whose module is imported when it runs (cli.arguments)."""
    models = command(commands, "models", "models", "models", "List the models, and which files are on disk.")
    models.add_argument("name", nargs="?", metavar="NAME", help="show this model's card, with its vocabulary")
    doctor = command(commands, "doctor", "models", "doctor", "Environment, devices, and weights recognised by content.")
    for parser in (models, doctor):
        parser.add_argument("--weights-dir", metavar="DIR", help="a folder with weights, searched besides the cache")
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    convert = command(commands, "convert", "models", "convert", "Convert checkpoints to a safetensors folder.")
    convert.add_argument("source", metavar="FILE_OR_DIR", help="a checkpoint, or a folder with all files of a model")
    convert.add_argument("out", metavar="OUT", help="the folder to write")
    convert.add_argument(
        "--weights-dir",
        metavar="DIR",
        help="for connectors of sound and picture together: their base models",
    )
    convert.add_argument("--force", action="store_true", help="overwrite an existing folder")
    convert.add_argument("--json", action="store_true", help="print one JSON object on standard output")
