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
