"""`openfoley train`: one part, or all four in order with the report at the end."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from openfoley.cli.messages import note
from openfoley.errors import UsageError


def run(options: Namespace) -> int:
    from openfoley.training.loop.run import check_unused
    from openfoley.training.recipe import ORDER, PRESETS, assemble, part_folder, train_part

    preset = options.preset.lower()
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {options.preset!r}; use one of {', '.join(PRESETS)}")
    out = Path(options.out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"the output {options.out!r} is a file; pass a folder")

    parts = ORDER if options.part == "all" else (options.part,)
    for part in parts:  # before hours are spent on the first
        check_unused(part_folder(part, out, options.generator), options.resume)
    for part in parts:
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
    """Of these weights: other ones, trained before in the same folder, have another report."""
    from openfoley.cli.evaluate import report
    from openfoley.hub.fingerprint import fingerprint
    from openfoley.hub.load import load_model

    device = "cuda" if preset == "gpu" else "cpu"
    model = str(folder.resolve())  # a bare "salsa-v-gym" would be the shipped one
    name = f"report-{fingerprint(load_model(model))[:8]}"
    report(Namespace(model=model, clips=200, outside=None, device=device, out=str(out / name), json=False))
    note(f"the report is in {out / name}")
