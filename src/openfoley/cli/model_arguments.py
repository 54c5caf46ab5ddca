"""The words of `openfoley models`, `doctor` and `convert`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def add_models(commands: Any, command: Callable[..., Any]) -> None:
    """`command` makes a command whose module is imported when it runs (cli.arguments)."""
    models = command(commands, "models", "models", "models", "What models there are, and what of them is on disk.")
    models.add_argument("name", nargs="?", metavar="NAME", help="show this model's card, with the words that it knows")
    doctor = command(commands, "doctor", "models", "doctor", "Environment, devices, and weights told by their content.")
    for parser in (models, doctor):
        parser.add_argument("--weights-dir", metavar="DIR", help="a folder with weights, beside the cache")
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    convert = command(commands, "convert", "models", "convert", "Foreign checkpoints to a safetensors folder.")
    convert.add_argument("source", metavar="FILE_OR_DIR", help="a checkpoint, or a folder with all of a model")
    convert.add_argument("out", metavar="OUT", help="the folder to write")
    convert.add_argument("--force", action="store_true", help="overwrite an existing folder")
    convert.add_argument("--json", action="store_true", help="print one JSON object on standard output")
