"""Arguments of `openfoley generate-pair` and `openfoley train pair`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from openfoley.cli.request_arguments import number, whole

STAGES = ("video", "audio", "connectors")
TRAINED = ("connectors", "motion", "everything")
SPLITS = ("train", "validation", "evaluation", "heldout")
PRECISIONS = ("float32", "bfloat16")
KINDS = ("cmc-pe", "cross-attention", "joint-attention")


def add_pair(commands: Any, command: Callable[..., Any]) -> None:
    """command: makes a command whose module is imported when it runs (cli.arguments)."""
    parser = command(commands, "generate-pair", "pair", "generate", "A video with its sound, from words.")
    add = parser.add_argument
    add("--prompt", metavar="T", help="the scene and its sound in words")
    add("--negative-prompt", metavar="T", default="", help="what to avoid")
    add(
        "--out",
        metavar="FILE",
        required=True,
        help="the video to write, .mp4, .mov or .mkv; with --count NAME-SEED.mp4; with --captions a folder",
    )
    add("--captions", metavar="DIR", help="pairs for every clip of a set of `openfoley data pairs`, by its caption")
    add("--split", choices=SPLITS, default="evaluation", help="of --captions (evaluation)")
    add("--model", metavar="NAME|DIR", default="svg-gym", help="a model's name or folder (svg-gym)")
    add(
        "--gamma",
        metavar="W",
        type=gamma,
        default=1.5,
        help="how much cleaner the video's timesteps are, auto or map (1.5)",
    )
    add("--steps", metavar="N", type=whole, help="DDIM steps (the model's, 25)")
    add("--seed", metavar="S", type=whole, default=1, help="of the first pair (1)")
    add("--count", metavar="K", type=whole, default=1, help="pairs, of the seeds from S on (1)")
    add("--duration", metavar="D", type=number, help="seconds (those of the training clips)")
    add("--given-video", metavar="V", help="make sound for this video, as long as the pair")
    add("--given-sound", metavar="A", help="make a video for this sound, as long as the pair")
    add("--given", choices=("video", "sound"), help="of each clip of --captions; the other is made for it")
    add("--no-connectors", dest="connected", action="store_false", help="each base model alone, for comparison")
    add("--video-guidance", metavar="G", type=number, help="weight of the prompt for the picture (the model's)")
    add("--audio-guidance", metavar="G", type=number, help="weight of the prompt for the sound (the model's)")
    add("--device", metavar="D", default="cpu", help="torch device (cpu)")
    add("--precision", choices=PRECISIONS, default="float32", help="of the networks that sample (float32)")
    add("--weights-dir", metavar="DIR", help="where the published base models of connectors are (the cache, the Hub)")
    add("--force", action="store_true", help="overwrite existing files")
    add("--json", action="store_true", help="print one JSON object on standard output")


def add_pair_training(inner: Any, command: Callable[..., Any]) -> None:
    summary = "Sound and picture together: two base models, then what connects them."
    add = command(inner, "pair", "pair", "train", summary).add_argument
    add("--stage", choices=STAGES, required=True, help="in this order; the third needs the other two in DIR")
    add(
        "--preset",
        choices=("gym", "full"),
        default="gym",
        help="size; full: connectors between published base models, --stage connectors alone (gym)",
    )
    add(
        "--data",
        metavar="gym|DIR",
        default="gym",
        help="Gym close-ups, rendered once, or DIR of openfoley data pairs, any kind, --size 32 (full: 256) (gym)",
    )
    add("--out", metavar="DIR", required=True, help="folder for data, checkpoints, logs and the model")
    add("--kind", choices=KINDS, default="cmc-pe", help="of the connectors (cmc-pe)")
    add("--trains", choices=TRAINED, default="connectors", help="in the third stage: these alone, or more (connectors)")
    add("--steps", metavar="N", type=whole, help="optimiser steps (the preset's)")
    add("--hours", metavar="H", type=number, help="at most, with the learning rate's schedule at its end by then")
    add("--scenes", metavar="N", type=whole, help="Gym close-ups to render for the training (the preset's)")
    add("--accumulation", metavar="N", type=whole, help="passes of one clip for an update, with --preset full (16)")
    add("--weights-dir", metavar="DIR", help="where the published base models are, with --preset full")
    add("--device", metavar="D", default="cpu", help="torch device (cpu)")
    add("--resume", action="store_true", help="continue from the last checkpoint")


def gamma(text: str) -> float | str:
    if text in ("auto", "map"):
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, auto or map, got {text!r}") from None
