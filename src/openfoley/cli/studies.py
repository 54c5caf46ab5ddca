"""`openfoley evaluate scenes|longform|joins|reference|cuts|steps|lengths|tokens|selection`, as a table or as JSON."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any

from openfoley.cli.request_arguments import add_option
from openfoley.evaluation.studies.requests import STUDIES, StudyRequest


def add_studies(inner: Any, command: Callable[..., ArgumentParser]) -> None:
    """One command for each study, one option for each field of its request; an interrupted study resumes."""
    for kind in STUDIES:
        parser = command(inner, kind.study, "studies", "study", kind.summary)
        for one in fields(kind):
            add_option(parser, one, _default_words(one.default))
        parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
        parser.set_defaults(study=kind)


def _default_words(default: Any) -> str:
    if default in (MISSING, None):
        return ""
    return " ".join(map(str, default)) if isinstance(default, tuple) else str(default)


def request_of(options: Namespace) -> StudyRequest:
    """The request of the arguments."""
    given = {one.name: getattr(options, one.name) for one in fields(options.study)}
    return options.study(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items() if v is not None})


def study(options: Namespace) -> int:
    """The study of the command."""
    from openfoley.cli.messages import Bar, note, print_json

    request = request_of(options)
    record = request.run(Bar("scenes", unit="clips"))
    if options.json:
        print_json(record)
    else:
        print((request.out / "results.md").read_text(encoding="utf-8"), end="")
    note(f"wrote {request.out / 'results.md'} and the numbers of every clip")
    return 0
