"""`openfoley train`: one part, or all four in order with the report at the end."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from openfoley.cli.messages import note
from openfoley.errors import UsageError


def run(options: Namespace) -> int:
    from openfoley.training.recipe import ORDER, PRESETS, assemble, train_part

    preset = options.preset.lower()
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {options.preset!r}; use one of {', '.join(PRESETS)}")
    out = Path(options.out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"the output {options.out!r} is a file; pass a folder")

    for part in ORDER if options.part == "all" else (options.part,):
        weights = train_part(
            part, preset, out, resume=options.resume, generator=options.generator, start=options.start,
            steps=options.steps,
        )  # fmt: skip
        note(f"trained {part}; it is in {weights.parent}")
    if options.part == "generator" and options.generator != "salsa-v":  # a baseline on the other parts as they are
        note(f"the model is in {assemble(out, options.generator)}")
    if options.part == "all":
        folder = assemble(out, options.generator)
        note(f"the model is in {folder}")
        _report(folder, out, preset)
    return 0


def _report(folder: Path, out: Path, preset: str) -> None:
    from openfoley.cli.evaluate import report

    device = "cuda" if preset == "gpu" else "cpu"
    report(Namespace(model=str(folder), clips=200, outside=None, device=device, out=str(out / "report"), json=False))
