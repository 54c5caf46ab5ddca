"""The command line's arguments. Nothing heavy is imported here, so that `openfoley --help` is fast."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NoReturn

from openfoley import __version__
from openfoley.cli.model_arguments import add_models
from openfoley.cli.pair_arguments import add_pair
from openfoley.cli.project_arguments import add_project
from openfoley.cli.request_arguments import number, whole
from openfoley.cli.sound_arguments import add_sound
from openfoley.cli.studies import add_studies
from openfoley.cli.training_arguments import add_training
from openfoley.errors import UsageError
from openfoley.gym.seeds import FIRST_SEEDS, SCENE_WORLDS, SPLITS, WORLDS, seed_range
from openfoley.hub.registry import DEFAULT_MODEL

PATH_OPTIONS = (
    "--out",
    "--model",
    "--reference",
    "--cuts",
    "--cues",
    "--sound",
    "--select-mask",
    "--given-video",
    "--given-sound",
)


class Parser(argparse.ArgumentParser):
    """argparse that raises UsageError instead of printing its usage and exiting."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}; see {self.prog} --help")


def protect_dashes(arguments: Sequence[str]) -> list[str]:
    """File names that begin with a dash, written so that they do not look like options.

    After `--` every argument is a name; before it, an argument that is no option but an existing file is that file.
    """
    words: list[str] = []
    rest = list(arguments)
    after = []
    if "--" in rest:
        cut = rest.index("--")
        rest, after = rest[:cut], rest[cut + 1 :]
    for word in rest:
        if words and words[-1] == "--select-box" and re.match(r"-[\d.]", word):  # a box outside of the picture
            words[-1] += f"={word}"
            continue
        looks_like_option = re.match(r"--?[a-z][a-z-]*(=|$)", word) and word.partition("=")[0] in _option_words()
        is_file = word.startswith("-") and not looks_like_option and os.path.lexists(word)
        follows_path_option = bool(words) and words[-1] in PATH_OPTIONS and word.startswith("-")
        words.append("./" + word if is_file or (follows_path_option and not looks_like_option) else word)
    return words + ["./" + word if word.startswith("-") else word for word in after]


def _option_words() -> frozenset[str]:
    """Every option of every command."""

    def options(parser: argparse.ArgumentParser) -> set[str]:
        found: set[str] = set()
        for action in parser._actions:
            found.update(action.option_strings)
            if isinstance(action, argparse._SubParsersAction):
                for child in action.choices.values():
                    found |= options(child)
        return found

    return frozenset(options(build_parser()))


def build_parser() -> Parser:
    parser = Parser(
        prog="openfoley",
        description="Silent video in, synchronized sound out.",
        epilog="Example: openfoley generate clip.mp4 --prompt 'a wooden ball' --seed 1",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"openfoley {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    add_sound(commands, _command)
    add_pair(commands, _command)
    add_project(commands, _command)
    _attention(commands)
    _gym(commands)
    add_training(commands, _command, whole)
    _evaluate(commands)
    _demo(commands)
    add_models(commands, _command)
    return parser


def _command(commands: Any, name: str, module: str, function: str, summary: str) -> argparse.ArgumentParser:
    """A command whose module is imported when it runs."""

    def run(parsed: argparse.Namespace) -> int | None:
        import importlib

        return getattr(importlib.import_module(f"openfoley.cli.{module}"), function)(parsed)

    parser = commands.add_parser(name, help=summary, description=summary, allow_abbrev=False)
    parser.set_defaults(run=run)
    return parser


def _attention(commands: Any) -> None:
    parser = _command(commands, "attention", "attention", "run", "Draw the picture's attention to a text.")
    add = parser.add_argument
    add("video", metavar="VIDEO", help="the video")
    add("--select", metavar="T", required=True, help="the thing in the picture, as for generate --select")
    add("--out", metavar="PNG", required=True, help="the picture to write, .png, .pdf or .svg")
    add("--model", metavar="NAME|DIR", default=DEFAULT_MODEL, help=f"a model's name or folder ({DEFAULT_MODEL})")
    add("--weights-dir", metavar="DIR", help="where a published model's files are (the cache; openfoley models)")
    add("--device", metavar="D", default="cpu", help="torch device: cpu, cuda, cuda:1, mps (cpu)")
    add("--force", action="store_true", help="overwrite an existing file")


def _gym(commands: Any) -> None:
    gym = commands.add_parser(
        "gym", help="Render scenes of the Foley Gym.", description="The Foley Gym: scenes with exact ground truth."
    )
    inner = gym.add_subparsers(title="commands", metavar="COMMAND", dest="gym_command", required=True)
    parser = _command(inner, "render", "gym", "render", "Write <seed>.mp4, <seed>.wav and <seed>.json for each seed.")
    add = parser.add_argument
    splits = ", ".join(f"{split} from {seed_range(split).start}" for split in SPLITS)
    others = ", ".join(f"{world}: {FIRST_SEEDS[world]} more" for world in SCENE_WORLDS[1:])
    add(
        "--world",
        choices=SCENE_WORLDS,
        default=SCENE_WORLDS[0],
        help="flat: things face on; bodies: simulated, needs the extra gym; long: sounds that last over cuts (flat)",
    )
    add(
        "--seed",
        metavar="S",
        type=whole,
        required=True,
        help=f"the first seed, which decides the split: {splits} ({others})",
    )
    add("--count", metavar="K", type=whole, default=1, help="how many seeds from S on (1)")
    add("--duration", metavar="D", type=number, required=True, help="seconds")
    add("--fps", metavar="F", type=rate, default=Fraction(24), help="frames per second: 24, 29.97, 30000/1001 ... (24)")
    add("--size", metavar="WxH", type=size, default=(640, 360), help="pixels (640x360)")
    add("--silent", action="store_true", help="no sound in the .mp4 (the .wav and .json keep the ground truth)")
    add("--stems", action="store_true", help="also <seed>.<object>.wav, each object's sound alone")
    add("--device", metavar="D", default="cpu", help="torch device of picture and room (cpu)")
    add("--out", metavar="DIR", required=True, help="folder, created if missing")
    add("--force", action="store_true", help="overwrite existing files")
    add("--json", action="store_true", help="print one JSON object on standard output")


def _evaluate(commands: Any) -> None:
    evaluate = commands.add_parser("evaluate", help="Measure generated sound against ground truth.")
    inner = evaluate.add_subparsers(title="commands", metavar="COMMAND", dest="evaluate_command", required=True)
    sync = _command(inner, "sync", "evaluate", "sync", "Event times of generated sound against the Gym's ground truth.")
    sync.add_argument(
        "generated", metavar="GENERATED_DIR", help="<name>.wav, .flac or video for each clip; missing is silence"
    )
    sync.add_argument("truth", metavar="TRUTH_DIR", help="<name>.json and <name>.wav as `gym render` writes them")
    sync.add_argument(
        "--model", metavar="NAME|DIR", default=DEFAULT_MODEL, help="its codec gives the detector's ceiling"
    )
    sync.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    report = _command(inner, "report", "evaluate", "report", "Generate for Gym splits and print every figure.")
    add = report.add_argument
    add("--model", metavar="NAME|DIR", default=DEFAULT_MODEL, help=f"a model's name or folder ({DEFAULT_MODEL})")
    add("--clips", metavar="N", type=whole, default=200, help="clips of 8 s per split (200)")
    add("--world", choices=WORLDS, default=WORLDS[0], help="of the Gym; bodies need the extra gym (flat)")
    add("--outside", metavar="DIR", help="further clips with ground truth in the Gym's format")
    add("--device", metavar="D", default="cpu", help="torch device (cpu)")
    add("--out", metavar="DIR", required=True, help="folder for the report and its pictures")
    add("--json", action="store_true", help="print one JSON object on standard output")
    _pair(inner)
    add_studies(inner, _command)


def _pair(inner: Any) -> None:
    pair = _command(inner, "pair", "evaluate", "pair", "Do picture and sound of generated clips fit each other?")
    add = pair.add_argument
    add("folders", metavar="GENERATED", nargs="+", help="folders: <name>.mp4, or <name>-1.mp4 ... for several seeds")
    add("reference", metavar="REFERENCE", help="true clips: videos with sound, or a set of `openfoley data pairs`")
    add("--judge", metavar="DIR", help="of `evaluate pair-judge`: event F1 and Frechet distances (AV-Align alone)")
    add("--split", choices=SPLITS, default="evaluation", help="of sets of pairs (evaluation)")
    add("--json", action="store_true", help="print one JSON object on standard output")
    judge = _command(inner, "pair-judge", "evaluate", "pair_judge", "Train the Gym's detectors of events in pairs.")
    add = judge.add_argument
    add("--out", metavar="DIR", required=True, help="folder of the judge; a finished one is loaded")
    add("--size", metavar="N", type=whole, default=32, help="pixels of the pictures it looks at (32)")
    add("--workers", metavar="P", type=whole, help="processes that render (all cores)")
    add("--json", action="store_true", help="print one JSON object on standard output")


def _demo(commands: Any) -> None:
    parser = _command(commands, "demo", "demo", "run", "Render a silent video, generate its sound, plot both.")
    add = parser.add_argument
    add("--out", metavar="DIR", default="out", help="folder for demo.mp4 and demo.png (out)")
    add("--seed", metavar="S", type=whole, help="a Gym seed (one of the evaluation split)")
    add("--model", metavar="NAME|DIR", default=DEFAULT_MODEL, help=f"a model's name or folder ({DEFAULT_MODEL})")
    add("--device", metavar="D", default="cpu", help="torch device (cpu)")


def rate(text: str) -> Fraction:
    """Frames per second, exactly; 23.976, 29.97, 59.94 and 119.88 mean the NTSC fractions."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise argparse.ArgumentTypeError(f"expected a frame rate such as 25 or 30000/1001, got {text!r}") from None
    ntsc = Fraction(round(value) * 1000, 1001)
    return ntsc if value.denominator != 1 and abs(value - ntsc) < Fraction(1, 200) else value


def size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)x(\d+)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"expected WIDTHxHEIGHT such as 640x360, got {text!r}")
    return int(match[1]), int(match[2])
