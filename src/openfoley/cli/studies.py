"""`openfoley evaluate scenes|longform|joins|reference|cuts|steps|lengths`: results as a table or as one JSON object."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import fields

from openfoley.cli.messages import Bar, note, print_json
from openfoley.evaluation.studies.requests import STUDIES


def study(options: Namespace) -> int:
    """The study that `options.study` names, with its request's fields as options."""
    (kind,) = (kind for kind in STUDIES if kind.study == options.study)
    given = vars(options)
    request = kind(**{field.name: given[field.name] for field in fields(kind)})

    record = request.run(Bar("scenes", unit="clips"))
    if options.json:
        print_json(record)
    else:
        print((request.out / "results.md").read_text(encoding="utf-8"), end="")
    note(f"wrote {request.out / 'results.md'} and the numbers of every clip")
    return 0
