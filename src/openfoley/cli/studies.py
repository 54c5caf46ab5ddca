"""`openfoley evaluate scenes|longform|joins|reference|cuts|steps|lengths`: figures as a table or as one JSON object."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from openfoley.cli.messages import Bar, note, print_json
from openfoley.errors import UsageError


def scenes(options: Namespace) -> int:
    from openfoley.evaluation.studies import scenes as study

    _check(options)
    return _say(study.run(Path(options.out), clips=options.clips, split=options.split, progress=_bar()), options)


def longform(options: Namespace) -> int:
    from openfoley.evaluation.studies import drift

    if options.minutes < 1:
        raise UsageError(f"minutes must be at least 1, got {options.minutes}")
    return _say(drift.run(**_asked(options), minutes=options.minutes, cuts=options.cuts), options)


def joins(options: Namespace) -> int:
    from openfoley.evaluation.studies import joins as study

    weight = options.reference_guidance
    return _say(
        study.run(**_asked(options), duration=options.duration, split=options.split, reference_guidance=weight), options
    )


def reference(options: Namespace) -> int:
    from openfoley.evaluation.studies import reference as study

    weight = options.reference_guidance
    return _say(
        study.run(**_asked(options), mode=options.mode, reference_guidance=weight, judge=_judge(options)), options
    )


def cuts(options: Namespace) -> int:
    from openfoley.evaluation.studies import cuts as study

    return _say(study.run(**_asked(options), judge=_judge(options)), options)


def steps(options: Namespace) -> int:
    from openfoley.evaluation.studies import steps as study
    from openfoley.hub.registry import check_model
    from openfoley.request import check_settings

    _check(options)
    for model in (*options.models, *options.without_sync, *options.shortcut):
        check_model(model)
    for count in options.steps:
        check_settings(count, 1.0, [0], None)
    record = study.run(
        options.models, Path(options.out), clips=options.clips, steps=options.steps, device=options.device,
        without_sync=options.without_sync, shortcut=options.shortcut, progress=_bar(),
    )  # fmt: skip
    return _say(record, options)


def lengths(options: Namespace) -> int:
    from openfoley.evaluation.studies import lengths as study

    return _say(study.run(**_asked(options), lengths=options.lengths), options)


def _check(options: Namespace) -> None:
    if options.clips < 1:
        raise UsageError(f"clips must be at least 1, got {options.clips}")
    if Path(options.out).exists() and not Path(options.out).is_dir():
        raise UsageError(f"the output {options.out!r} is a file; pass a folder")


def _asked(options: Namespace) -> dict[str, Any]:
    """What all studies of a model take."""
    from openfoley.hub.registry import check_model

    _check(options)
    check_model(options.model)
    return {
        "model": options.model,
        "out": Path(options.out),
        "clips": options.clips,
        "steps": options.steps,
        "device": options.device,
        "progress": _bar(),
    }


def _judge(options: Namespace) -> Path | None:
    return Path(options.judge) if options.judge else None


def _bar() -> Bar:
    return Bar("scenes", unit="")


def _say(record: dict[str, Any], options: Namespace) -> int:
    if options.json:
        print_json(record)
    else:
        print((Path(options.out) / "results.md").read_text(encoding="utf-8"), end="")
    note(f"wrote {Path(options.out) / 'results.md'} and what it rests on")
    return 0
