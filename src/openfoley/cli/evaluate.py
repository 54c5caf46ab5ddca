"""`openfoley evaluate`: metrics on standard output, as tables or as one JSON object."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from openfoley.cli.messages import Bar, note, print_json
from openfoley.errors import UsageError, require_package


def sync(options: Namespace) -> int:
    """Event times of the sounds in a folder against the ground truth in another."""
    from openfoley.hub.registry import check_model

    check_model(options.model)

    from openfoley.evaluation.reports.sync_files import evaluate_sync

    bar = Bar("clips", unit="clips")
    result = evaluate_sync(Path(options.generated), Path(options.truth), model=options.model, progress=bar)
    if options.json:
        print_json(result.to_dict())
    else:
        print(result.text())
    return 0


def report(options: Namespace) -> int:
    """Every metric of docs/results.md for a model; an interrupted report resumes."""
    from openfoley.hub.registry import check_model

    check_model(options.model)
    require_package("matplotlib", "plots", "the report")
    if options.outside is not None and not Path(options.outside).is_dir():
        raise UsageError(f"{options.outside!r} is not a folder")

    from openfoley.evaluation.reports.suite import run_report

    out = Path(options.out)
    outside = Path(options.outside) if options.outside else None
    record = run_report(
        options.model, out, clips=options.clips, outside=outside, device=options.device, world=options.world
    )
    if options.json:
        print_json(record)
    else:
        print((out / "results.md").read_text(encoding="utf-8"))
    note(f"wrote {out / 'results.md'}, {out / 'results.json'} and pictures")
    return 0


def pair(options: Namespace) -> int:
    """Folders of generated clips against true ones."""
    from openfoley.evaluation.reports.pair_files import evaluate_pairs, table
    from openfoley.evaluation.reports.pair_judge import load_pair_judge

    judge = load_pair_judge(Path(options.judge)) if options.judge else None
    folders = [Path(folder) for folder in options.folders]
    bar = Bar("clips", unit="clips")
    record = evaluate_pairs(folders, Path(options.reference), judge, split=options.split, progress=bar)
    print_json(record) if options.json else print(table(record))
    return 0


def pair_judge(options: Namespace) -> int:
    """Train the judge of pairs, or load it, and print its ceilings."""
    from openfoley.evaluation.reports.pair_judge import ceiling_table, train_pair_judge

    bar = Bar("scenes", unit="scenes")
    judge = train_pair_judge(Path(options.out), size=options.size, workers=options.workers, progress=bar)
    print_json(judge.about) if options.json else print(ceiling_table(judge.about["ceilings"]))
    note(f"the judge is in {options.out}")
    return 0
