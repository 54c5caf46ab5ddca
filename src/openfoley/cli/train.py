"""`openfoley train PART`: one part, or all four in order and a report."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from openfoley.cli.messages import note


def part(options: Namespace) -> int:
    from openfoley.training.recipe import assemble, train_part

    out, asked = Path(options.out), vars(options)
    own = {name: asked[name] for name in ("generator", "start", "steps") if name in asked}
    weights = train_part(options.part, options.preset.lower(), out, resume=options.resume, **own)
    note(f"trained {options.part}; it is in {weights.parent}")
    if own.get("generator", "salsa-v") != "salsa-v":  # a baseline that uses the other parts unchanged
        note(f"the model is in {assemble(out, options.generator)}")
    return 0


def selective(options: Namespace) -> int:
    from openfoley.training.selective.recipe import Pair, train_encoder, train_selective_generator

    train = train_encoder if options.part == "selective-encoder" else train_selective_generator
    data, weights = (Path(given) if given else None for given in (options.data, options.weights_dir))
    pair = Pair(
        options.model, Path(options.out), data, options.variant, bodies=options.bodies, device=options.device,
        weights_dir=weights,
    )  # fmt: skip
    model = train(pair, resume=options.resume, steps=options.steps)
    note(f"trained {options.part}; the model with it is in {model}")
    return 0


def adapters(options: Namespace) -> int:
    from openfoley.training.adapters.recipe import AdapterRecipe, train

    weights = Path(options.weights_dir) if options.weights_dir else None
    recipe = AdapterRecipe(
        options.model, Path(options.out), options.data, options.variant, options.scenes, options.device, weights
    )
    path = train(recipe, resume=options.resume, steps=options.steps)
    note(f"trained adapters; they are in {path}")
    if (model := recipe.place("model")).is_dir():
        note(f"the model with them is in {model}")
    return 0


def everything(options: Namespace) -> int:
    from openfoley.evaluation.reports.suite import run_report
    from openfoley.training.recipe import assemble, report_folder, settings_of, train_all

    out, preset = Path(options.out), options.preset.lower()
    for name, weights in train_all(preset, out, resume=options.resume, generator=options.generator):
        note(f"trained {name}; it is in {weights.parent}")
    model = assemble(out, options.generator)
    note(f"the model is in {model}")
    report, device = report_folder(model, out), settings_of("generator", preset)[0].device
    run_report(model.resolve(), report, device=device)  # a bare "salsa-v-gym" would be the shipped one
    print((report / "results.md").read_text(encoding="utf-8"))
    note(f"the report is in {report}")
    return 0
