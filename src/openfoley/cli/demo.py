"""`openfoley demo`: what `make demo` runs."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from openfoley.cli.messages import Bar, note
from openfoley.errors import require_package

DEMO_SCENE = 18  # of the evaluation split: one shot, two impacts; chosen by its caption, before its sound was generated


def run(options: Namespace) -> int:
    from openfoley.hub.registry import check_model

    check_model(options.model)
    require_package("matplotlib", "plots", "the demo's picture")

    from openfoley.evaluation.reports.demo import run_demo
    from openfoley.gym.seeds import seeds_of, split_of
    from openfoley.pipeline import load

    seed = seeds_of("evaluation", 1, DEMO_SCENE)[0] if options.seed is None else options.seed
    split_of(seed)
    pipeline = load(options.model, options.device)
    note(f"rendering the silent video of Gym scene {seed}")
    demo = run_demo(pipeline, Path(options.out), seed, progress=Bar("sound"))
    note(f"{demo.caption}; {len(demo.true_s)} true events, {len(demo.generated_s)} generated")
    note(f"wrote {demo.video} and {demo.picture}")
    return 0
