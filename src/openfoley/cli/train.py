"""`openfoley train`: one part, or all four in order with the report at the end."""

from __future__ import annotations

from argparse import Namespace
from importlib import import_module
from pathlib import Path

from openfoley.cli.messages import note
from openfoley.errors import UsageError

PRESETS = ("cpu", "gpu")
ORDER = ("codec", "semantic", "sync", "generator")
MODEL_NAME = "salsa-v-gym"


def run(options: Namespace) -> int:
    preset = options.preset.lower()
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {options.preset!r}; use one of {', '.join(PRESETS)}")
    out = Path(options.out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"the output {options.out!r} is a file; pass a folder")
    for part in ORDER if options.part == "all" else (options.part,):
        note(f"training {part} into {out / part}")
        train_part(part, preset, out / part, options.resume)
    if options.part == "all":
        _assemble_and_report(out)
    return 0


def train_part(part: str, preset: str, out: Path, resume: bool) -> Path:
    """Run `openfoley.training.<part>.train_<part>` with one of its presets (CPU, GPU)."""
    module = import_module(f"openfoley.training.{part}")
    return getattr(module, f"train_{part}")(getattr(module, preset.upper()), out, resume=resume)


def _assemble_and_report(out: Path) -> None:
    from openfoley.hub.save import assemble_model

    folder = assemble_model(
        out / MODEL_NAME, MODEL_NAME, {part: out / part for part in ORDER}, out / "semantic" / "tokenizer.json"
    )
    note(f"the model is in {folder}")
