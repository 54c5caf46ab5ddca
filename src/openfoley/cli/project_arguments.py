"""The words of `openfoley project`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from openfoley.cli.sound_arguments import DEFAULT_MODEL, add_temperature
from openfoley.request import GUIDANCE_RANGE, NUDGE_RANGE, SAMPLE_RATE_RANGE, STEPS_RANGE, TAKES_RANGE

AddCommand = Callable[..., argparse.ArgumentParser]
TIME_HELP = "seconds, or timecode HH:MM:SS:FF"


def add_project(commands: Any, command: AddCommand, whole: Callable, number: Callable) -> None:
    """`openfoley project new|take|choose|lock|unlock|undo|redo|show|render`."""
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

    _new(verb("new", "Make a project for a video; its cuts are found and written down."), whole, number)
    _take(verb("take", "Make takes of the whole video or of a span."), whole, number)
    choose = verb("choose", "Let a take sound.")
    choose.add_argument("take", metavar="TAKE", type=whole, help="the take's number")
    for name, summary in (("lock", "Keep a span from changing."), ("unlock", "Let a span change again.")):
        parser = verb(name, f"{summary} Without --span or --take: everything.")
        parser.add_argument("--span", metavar=("A", "B"), nargs=2, help=f"from A to B: {TIME_HELP}")
        parser.add_argument("--take", metavar="N", type=whole, help="the span of this take")
    for name, summary in (("undo", "Go back by one change."), ("redo", "Go forward again by one change.")):
        verb(name, summary).add_argument("--steps", metavar="N", type=whole, default=1, help="so many changes (1)")
    verb("show", "Print takes, locks, cuts and history.").add_argument(
        "--json", action="store_true", help="print one JSON object on standard output"
    )
    _render(verb("render", "Write what the project sounds like now."), whole, number)


def _new(parser: argparse.ArgumentParser, whole: Callable, number: Callable) -> None:
    add = parser.add_argument
    add("video", metavar="VIDEO", help="any video file")
    add("--model", metavar="NAME|DIR", default=DEFAULT_MODEL, help=f"a model's name or folder ({DEFAULT_MODEL})")
    _asked(add, whole, number, "8; mmaudio 25", "4; mmaudio 4.5")
    add_temperature(add, number)
    add("--seed", metavar="S", type=whole, default=0, help="the first take's seed; further takes count on (0)")
    add("--cuts", metavar="RULE|FILE", default="auto", help="auto, carry, reset, none, or a list of cuts (auto)")
    add("--cues", metavar="FILE", help="a cue sheet, .csv or .json: start, end, prompt, ..., stem")
    add("--start-timecode", metavar="TC", help="of the first frame (the file's own)")
    add("--device", metavar="D", default="cpu", help="torch device (cpu)")


def _take(parser: argparse.ArgumentParser, whole: Callable, number: Callable) -> None:
    add = parser.add_argument
    add("--span", metavar=("A", "B"), nargs=2, help=f"from A to B: {TIME_HELP} (the whole video)")
    least, most = TAKES_RANGE
    add("--takes", metavar="K", type=whole, default=1, help=f"how many, {least} to {most} (1)")
    _asked(add, whole, number, "the project's", "the project's")
    add_temperature(add, number, "the project's")
    add("--seed", metavar="S", type=whole, help="of the first of them (one that was not used yet)")
    add("--reference", metavar="FILE", help="a sound whose character the takes are to have")
    add("--reference-span", metavar=("A", "B"), nargs=2, type=number, help="its part in seconds (its loudest 2.5 s)")
    add("--reference-guidance", metavar="W", type=number, help="how closely to follow it (as the guidance)")
    add("--stem", metavar="NAME", help="the stem that the takes belong to")
    add("--choose", action="store_true", help="let the first of them sound at once")
    add("--device", metavar="D", default="cpu", help="torch device (cpu)")
    add("--json", action="store_true", help="print one JSON object on standard output")


def _asked(add: Callable, whole: Callable, number: Callable, steps: str, guidance: str) -> None:
    """Options that a project has for all takes, and a take for itself. steps, guidance: words for their defaults."""
    add("--prompt", metavar="T", help="what it should sound like")
    add("--negative-prompt", metavar="T", help="what it should not sound like")
    low, high = STEPS_RANGE
    add("--steps", metavar="N", type=whole, help=f"sampling steps, {low} to {high} ({steps})")
    least, most = GUIDANCE_RANGE
    words = f"how closely to follow picture and prompt, {least:g} to {most:g} ({guidance})"
    add("--guidance", metavar="W", type=number, help=words)


def _render(parser: argparse.ArgumentParser, whole: Callable, number: Callable) -> None:
    add = parser.add_argument
    add("--out", metavar="PATH", required=True, help="a video, .wav or .flac")
    add("--stems", action="store_true", help="also each stem, beside it as NAME.STEM.wav; the mix is their sum")
    add("--audio", choices=("add", "replace"), default="add", help="beside the video's sound (add) or instead of it")
    low, high = SAMPLE_RATE_RANGE
    add("--sample-rate", metavar="R", type=whole, help=f"Hz, {low} to {high} (the model's)")
    add("--bit-depth", choices=("16", "24", "32f"), help="bits per sample where the format has them (24)")
    least, most = NUDGE_RANGE
    add("--nudge", metavar="MS", type=number, default=0.0, help=f"later by so many ms, {least:g} to {most:g} (0)")
    add("--force", action="store_true", help="overwrite existing files")
    add("--json", action="store_true", help="print one JSON object on standard output")
