"""Arguments of `openfoley project`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from openfoley.cli.request_arguments import GENERATED, add_options, whole
from openfoley.cli.sound_arguments import add_model
from openfoley.request import TAKES_RANGE, Output, Prompting, Sampling, Timeline

AddCommand = Callable[..., argparse.ArgumentParser]
FILES_OF_TAKES = ("reference", "reference_span")  # options of `take` alone
TIME_HELP = "seconds, or timecode HH:MM:SS:FF"


def add_project(commands: Any, command: AddCommand) -> None:
    """`openfoley project new|take|choose|lock|unlock|set|picture|undo|redo|show|render`."""
    project = commands.add_parser(
        "project",
        help="Takes of a video's sound: make, choose, lock, undo, render.",
        description="A project folder holds takes of a video's sound: make, choose, lock, undo, render.",
        epilog="Example: openfoley project new film.foley film.mov && openfoley project take film.foley --takes 3",
    )
    inner = project.add_subparsers(title="commands", metavar="COMMAND", dest="project_command", required=True)

    def verb(name: str, summary: str) -> argparse.ArgumentParser:
        parser = command(inner, name, "project", name, summary)
        parser.add_argument("project", metavar="PROJECT", help="the project's folder")
        return parser

    _new(verb("new", "Make a project for a video; its cuts are detected and stored."))
    _take(verb("take", "Make takes of the whole video or of a span."))
    choose = verb("choose", "Put a take into the mix.")
    choose.add_argument("take", metavar="TAKE", type=whole, help="the take's number")
    for name, summary in (("lock", "Protect a span from changes."), ("unlock", "Unlock a span.")):
        parser = verb(name, f"{summary} Without --span or --take: everything.")
        parser.add_argument("--span", metavar=("A", "B"), nargs=2, help=f"from A to B: {TIME_HELP}")
        parser.add_argument("--take", metavar="N", type=whole, help="the span of this take")
    _set(verb("set", "Change the settings of future takes; existing takes are unchanged."))
    moved = verb("picture", "Set the path of the project's video (not part of the history).")
    moved.add_argument("video", metavar="PATH", help="the file's new path")
    moved.add_argument("--changed", action="store_true", help="also accept another version of the same duration")
    for name, summary in (("undo", "Undo the last change."), ("redo", "Redo the last undone change.")):
        verb(name, summary).add_argument("--steps", metavar="N", type=whole, default=1, help="number of changes (1)")
    verb("show", "Print takes, locks, cuts and history.").add_argument(
        "--json", action="store_true", help="print one JSON object on standard output"
    )
    _render(verb("render", "Write the mix as sound or video."))


def _new(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("video", metavar="VIDEO", help="any video file")
    add_model(parser)
    add_options(parser, Prompting, Sampling, Timeline, Output, without=(*GENERATED, *FILES_OF_TAKES))
    add("--device", metavar="D", default="cpu", help="torch device (cpu)")


def _set(parser: argparse.ArgumentParser) -> None:
    add_options(parser, Prompting, Sampling, Timeline, without=(*GENERATED, *FILES_OF_TAKES), usual="unchanged")
    parser.add_argument("--unset", metavar="NAME", nargs="+", help="reset to the default: prompt, cues, steps, ...")


def _take(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--span", metavar=("A", "B"), nargs=2, help=f"from A to B: {TIME_HELP} (the whole video)")
    least, most = TAKES_RANGE
    add("--takes", metavar="K", type=whole, default=1, help=f"how many, {least} to {most} (1)")
    add_options(parser, Prompting, Sampling, usual="the project's")
    add("--stem", metavar="NAME", help="the stem that the takes belong to")
    add(
        "--choose",
        action="store_true",
        help="put the first into the mix (else only if its stem has no sound there)",
    )
    add("--device", metavar="D", default="cpu", help="torch device (cpu)")
    add("--json", action="store_true", help="print one JSON object on standard output")


def _render(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--out", metavar="PATH", required=True, help="a video, .wav or .flac")
    add("--stems", action="store_true", help="also each stem, beside it as NAME.STEM.wav; the mix is their sum")
    add_options(parser, Output, without=("start_timecode",))
    add("--force", action="store_true", help="overwrite existing files")
    add("--json", action="store_true", help="print one JSON object on standard output")
