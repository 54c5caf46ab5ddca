"""The words of `openfoley generate`, `edit` and `extend`. Nothing heavy is imported here."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from openfoley.request import (
    CONTEXT_RANGE,
    DEFAULT_GUIDANCE,
    DEFAULT_STEPS,
    DEFAULT_TEMPERATURE,
    GUIDANCE_RANGE,
    NUDGE_RANGE,
    SAMPLE_RATE_RANGE,
    STEPS_RANGE,
    TAKES_RANGE,
    TEMPERATURE_RANGE,
    WINDOW_RANGE,
)

AddCommand = Callable[..., argparse.ArgumentParser]
DEFAULT_MODEL = "salsa-v-gym"
USUAL_TEMPERATURE = f"{DEFAULT_TEMPERATURE:g}; not for mmaudio"


def add_sound(commands: Any, command: AddCommand, whole: Callable, number: Callable) -> None:
    """`openfoley generate`, `openfoley edit` and `openfoley extend`."""
    generate = command(commands, "generate", "generate", "run", "Make the sound of a video.")
    generate.add_argument(
        "video", metavar="VIDEO", nargs="?", help="any video file, or a still image with --duration; none: text alone"
    )
    generate.add_argument("--duration", metavar="S", type=number, help="seconds, for a still image or text alone")
    _asked(generate, whole, number)
    add = generate.add_argument
    add("--takes", metavar="K", type=whole, default=1, help=_range("takes, with seeds S, S+1, ...", TAKES_RANGE, 1))
    add("--nudge", metavar="MS", type=number, default=0.0, help=_range("ms by which it comes later", NUDGE_RANGE, 0))
    add(
        "--audio", choices=("add", "replace"), default="add", help="beside the video's own sound (add) or instead of it"
    )
    add("--sample-rate", metavar="R", type=whole, help=_range("Hz", SAMPLE_RATE_RANGE, "the model's"))
    add("--bit-depth", choices=("16", "24", "32f"), help="bits per sample where the format has them (24)")
    add(
        "--stems",
        action="store_true",
        help="also each stem of --cues, beside the mix as NAME.STEM.wav; it is their sum",
    )
    add("--plan", action="store_true", help="print the windows that would be made, and stop")
    _written(generate, "a video, .wav or .flac (VIDEO's folder, STEM.foley.EXT)")

    edit = command(commands, "edit", "edit", "edit", "Make a span of existing sound anew; the rest stays to the bit.")
    edit.add_argument("video", metavar="VIDEO", help="the video, with the sound to edit or with --sound")
    edit.add_argument(
        "--span", metavar=("A", "B"), nargs=2, required=True, help="from A to B: seconds, or timecode HH:MM:SS:FF"
    )
    _existing(edit, whole)
    _asked(edit, whole, number)
    _written(edit, "a .wav, .flac, .mov or .mkv (STEM.edit.EXT)")

    extend = command(commands, "extend", "edit", "extend", "Continue existing sound to the end of the picture.")
    extend.add_argument("video", metavar="VIDEO", help="the video, with a sound that ends early or with --sound")
    _existing(extend, whole)
    _asked(extend, whole, number)
    _written(extend, "a .wav, .flac, .mov or .mkv (STEM.extend.EXT)")


def _existing(parser: argparse.ArgumentParser, whole: Callable) -> None:
    add = parser.add_argument
    add("--sound", metavar="FILE", help="the sound, if it lies beside the video (the video's own)")
    add("--audio-stream", metavar="N", type=whole, help="which of the file's sounds, from 0 (OpenFoley's, or the only)")


def _asked(parser: argparse.ArgumentParser, whole: Callable, number: Callable) -> None:
    """What the sound is to be like."""
    add = parser.add_argument
    add("--prompt", metavar="T", help="what it should sound like")
    add("--negative-prompt", metavar="T", help="what it should not sound like")
    add("--model", metavar="NAME|DIR", default=DEFAULT_MODEL, help=f"a model's name or folder ({DEFAULT_MODEL})")
    add("--weights-dir", metavar="DIR", help="where a published model's files lie (the cache; openfoley models)")
    steps = _range("sampling steps", STEPS_RANGE, f"{DEFAULT_STEPS}; mmaudio 25")
    add("--steps", metavar="N", type=whole, help=steps)
    guidance = _range("how closely to follow picture and prompt", GUIDANCE_RANGE, f"{DEFAULT_GUIDANCE:g}; mmaudio 4.5")
    add("--guidance", metavar="W", type=number, help=guidance)
    own = _range("a weight of its own for the prompt", GUIDANCE_RANGE, "twice the guidance; mmaudio as much")
    add("--text-guidance", metavar="W", type=number, help=own)
    own = _range(
        "a weight of its own for the picture",
        GUIDANCE_RANGE,
        "the guidance; beside a prompt half of it, not for mmaudio",
    )
    add("--picture-guidance", metavar="W", type=number, help=own)
    own = _range("mmaudio: a weight of its own for the negative prompt", GUIDANCE_RANGE, "the guidance")
    add("--negative-guidance", metavar="W", type=number, help=own)
    add_temperature(add, number)
    add("--seed", metavar="S", type=whole, default=0, help="the same seed gives the same sound (0)")
    add(
        "--cuts",
        metavar="RULE|FILE",
        default="auto",
        help="what happens to the sound at cuts: reset (start afresh), carry (continue), auto (reset, but shots up to "
        "half a second carry on), none (do not look for cuts), or a list of cuts in a text file (auto)",
    )
    add(
        "--cues",
        metavar="FILE",
        help="a cue sheet, .csv or .json: start, end, prompt, negative_prompt, seed, guidance, stem",
    )
    add("--start-timecode", metavar="TC", help="of the first frame, HH:MM:SS:FF (the file's own)")
    add("--context", metavar="S", type=number, help=_range("seconds to continue from", CONTEXT_RANGE, 0.5))
    add(
        "--window",
        metavar="S",
        type=number,
        help=_range("seconds made at once, with the context", WINDOW_RANGE, "10, at most the model's training length"),
    )
    add("--reference", metavar="FILE", help="a sound whose character the result is to have")
    add(
        "--reference-span",
        metavar=("A", "B"),
        nargs=2,
        type=number,
        help="its part in seconds, up to 2.5 (the loudest 2.5)",
    )
    weight = _range("how closely to follow the reference and the sound before", GUIDANCE_RANGE, "the guidance")
    add("--reference-guidance", metavar="W", type=number, help=weight)


def add_temperature(add: Callable, number: Callable, default: str = USUAL_TEMPERATURE) -> None:
    """`--temperature`; projects have it too."""
    words = _range("how much is left to chance; lower: fewer false events, more missed", TEMPERATURE_RANGE, default)
    add("--temperature", metavar="T", type=number, help=words)


def _written(parser: argparse.ArgumentParser, out: str) -> None:
    add = parser.add_argument
    add("--out", metavar="PATH", help=out)
    add("--force", action="store_true", help="overwrite existing files")
    add("--device", metavar="D", default="cpu", help="torch device: cpu, cuda, cuda:1, mps (cpu)")
    add("--json", action="store_true", help="print one JSON object on standard output")


def _range(what: str, limits: tuple[float, float], default: object) -> str:
    return f"{what}, {limits[0]:g} to {limits[1]:g} ({default})"
