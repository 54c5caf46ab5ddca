"""Arguments of `openfoley generate`, `edit` and `extend`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from openfoley.cli.request_arguments import GENERATED, add_options, number, whole
from openfoley.hub.registry import DEFAULT_MODEL
from openfoley.request import TAKES_RANGE, Output, Prompting, Sampling, Timeline

AddCommand = Callable[..., argparse.ArgumentParser]


def add_sound(commands: Any, command: AddCommand) -> None:
    """`openfoley generate`, `openfoley edit` and `openfoley extend`."""
    generate = command(commands, "generate", "generate", "run", "Generate the sound of a video.")
    add = generate.add_argument
    words = "any video files, folders of them, or a still image with --duration; none: text alone"
    add("video", metavar="VIDEO", nargs="*", help=words)
    add("--out-dir", metavar="DIR", help="folder for the outputs of several videos (beside each)")
    add("--duration", metavar="S", type=number, help="seconds, for a still image or text alone")
    _shared(generate)
    low, high = TAKES_RANGE
    add("--takes", metavar="K", type=whole, default=1, help=f"takes, with seeds S, S+1, ..., {low} to {high} (1)")
    add(
        "--stems",
        action="store_true",
        help="also write each stem of --cues, beside the mix as NAME.STEM.wav",
    )
    words = "a stem for each named thing in the picture, up to 8, and their mix, with models that have --select"
    add("--select-all", metavar="'A; B'", help=words)
    words = "--select-all: guide each stem away from what the other names select (--apart)"
    add("--apart", action=argparse.BooleanOptionalAction, help=words)
    add("--plan", action="store_true", help="print the windows that would be generated, and stop")
    _written(generate, "a video, .wav or .flac (VIDEO's folder, STEM.foley.EXT)")

    summary = "Regenerate a span of existing sound; the rest is bit-identical."
    edit = command(commands, "edit", "edit", "edit", summary)
    edit.add_argument("video", metavar="VIDEO", help="the video, with the sound to edit or with --sound")
    words = "from A to B: seconds, or timecode HH:MM:SS:FF"
    edit.add_argument("--span", metavar=("A", "B"), nargs=2, required=True, help=words)
    summary = "Continue existing sound to the end of the video."
    extend = command(commands, "extend", "edit", "extend", summary)
    extend.add_argument("video", metavar="VIDEO", help="the video, with a sound that ends early or with --sound")
    for parser, verb in ((edit, "edit"), (extend, "extend")):
        add = parser.add_argument
        add("--sound", metavar="FILE", help="the sound, if it is in a separate file (the video's own)")
        words = "which of the file's audio streams, from 0 (OpenFoley's, or the only one)"
        add("--audio-stream", metavar="N", type=whole, help=words)
        _shared(parser, GENERATED)
        _written(parser, f"a .wav, .flac, .mov or .mkv (STEM.{verb}.EXT)")


def add_model(parser: argparse.ArgumentParser) -> None:
    """The model, and adapters that are not in its folder."""
    add = parser.add_argument
    add("--model", metavar="NAME|DIR", default=DEFAULT_MODEL, help=f"a model's name or folder ({DEFAULT_MODEL})")
    add(
        "--adapters", metavar="FILE", help="adapters for --whole-video, by train adapters (those in the model's folder)"
    )


def _shared(parser: argparse.ArgumentParser, without: tuple[str, ...] = ()) -> None:
    """Options of the sound and the model."""
    add_options(parser, Prompting, Sampling, Timeline, Output, without=without)
    add = parser.add_argument
    add_model(parser)
    add("--weights-dir", metavar="DIR", help="where a published model's files are (the cache; openfoley models)")
    add("--strict", action="store_true", help="refuse a damaged video instead of using what can be read")


def _written(parser: argparse.ArgumentParser, out: str) -> None:
    add = parser.add_argument
    add("--out", metavar="PATH", help=out)
    add("--force", action="store_true", help="overwrite existing files")
    add("--device", metavar="D", default="cpu", help="torch device: cpu, cuda, cuda:1, mps (cpu)")
    add("--json", action="store_true", help="print one JSON object on standard output")
