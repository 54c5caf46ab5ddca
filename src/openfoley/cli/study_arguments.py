"""Arguments of the studies: `openfoley evaluate scenes|longform|joins|reference|cuts|steps|lengths`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from openfoley.evaluation.studies.requests import STUDIES, StudyRequest

SPLITS = ("train", "validation", "evaluation", "heldout")


def add_studies(inner: Any, command: Callable[..., argparse.ArgumentParser], whole: Callable, number: Callable) -> None:
    """One command for each study, one option for each field of its request; an interrupted study resumes."""
    words: dict[str, dict[str, Any]] = {
        "out": {"metavar": "DIR", "type": Path, "required": True, "help": "folder for results and working files"},
        "clips": {"metavar": "N", "type": whole, "help": "scenes"},
        "device": {"metavar": "D", "help": "torch device"},
        "split": {"choices": SPLITS, "help": "scenes"},
        "model": {"metavar": "NAME|DIR", "help": "a model's name or folder"},
        "models": {"metavar": "NAME|DIR", "nargs": "+", "help": "models"},
        "without_sync": {"metavar": "DIR", "nargs": "+", "help": "models that receive no sync features"},
        "shortcut": {
            "metavar": "NAME|DIR",
            "nargs": "+",
            "help": "models sampled with shortcut steps, as in the paper",
        },
        "steps": {"metavar": "N", "type": whole, "help": "sampling steps"},
        "minutes": {"metavar": "M", "type": number, "help": "length of a scene; its last minute is scored"},
        "duration": {"metavar": "S", "type": number, "help": "seconds of a scene"},
        "cuts": {"choices": ("auto", "carry", "reset", "none"), "help": "rule at cuts"},
        "reference_guidance": {"metavar": "W", "type": number, "help": "weight of the context (the guidance)"},
        "judge": {"metavar": "FILE", "type": Path, "help": "material.safetensors of a report; trained if not given"},
        "mode": {
            "choices": ("reference", "extend"),
            "help": "before each window as --reference, or continued in place",
        },
        "contexts": {"metavar": "S", "type": number, "nargs": "+", "help": "seconds of the reference, the first one 0"},
        "lengths": {"metavar": "S", "type": whole, "nargs": "+", "help": "seconds"},
    }
    for kind in STUDIES:
        add = command(inner, kind.study, "studies", "study", kind.summary).add_argument
        add("--json", action="store_true", help="print one JSON object on standard output")
        for name, default in _defaults(kind).items():
            word = dict(words[name])
            if isinstance(default, tuple):
                word |= {"nargs": "+", "action": _Tuple}
            if default not in (MISSING, None, ()):
                shown = default if not isinstance(default, tuple) else " ".join(map(str, default))
                word["help"] += f" ({shown})"
            if default is not MISSING:
                word["default"] = default
            add(f"--{name.replace('_', '-')}", **word)
        inner.choices[kind.study].set_defaults(study=kind.study)


def _defaults(kind: type[StudyRequest]) -> dict[str, Any]:
    return {field.name: field.default for field in fields(kind)}


class _Tuple(argparse.Action):
    """Several arguments as a tuple."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, *_: Any) -> None:
        setattr(namespace, self.dest, tuple(values))
