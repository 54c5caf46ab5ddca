"""The words of the studies: `openfoley evaluate scenes|longform|joins|reference|cuts|steps|lengths`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

DEFAULT_MODEL = "salsa-v-gym"
STUDIES = {  # name -> (what it says, clips)
    "scenes": ("How well hard cuts are found.", 50),
    "longform": ("Events of the last minute of long scenes against a fresh start.", 32),
    "joins": ("Can a classifier tell a join of two windows from any other instant?", 50),
    "reference": ("Does the sound take on the character of a reference?", 120),
    "cuts": ("The second after hard cuts: cuts used against carried on against a fresh start.", 150),
    "steps": ("Models side by side at several step counts: shortcut, flow, ablations, MMAudio.", 200),
    "lengths": ("One long window against iterative extension, 10 to 60 s.", 24),
}


def add_studies(inner: Any, command: Callable[..., argparse.ArgumentParser], whole: Callable, number: Callable) -> None:
    """One command for each study; a study that was interrupted goes on where it stopped."""
    for name, (summary, clips) in STUDIES.items():
        add = command(inner, name, "studies", name, summary).add_argument
        add("--out", metavar="DIR", required=True, help="folder for everything that the study makes and finds")
        add("--clips", metavar="N", type=whole, default=clips, help=f"scenes ({clips})")
        add("--json", action="store_true", help="print one JSON object on standard output")
        if name == "scenes":
            add("--split", choices=("train", "validation", "evaluation", "heldout"), default="validation")
            continue
        add("--device", metavar="D", default="cpu", help="torch device (cpu)")
        if name == "steps":
            add("--models", metavar="NAME|DIR", nargs="+", default=[DEFAULT_MODEL], help=f"models ({DEFAULT_MODEL})")
            add("--without-sync", metavar="DIR", nargs="+", default=[], help="models that hear no sync features")
            add("--shortcut", metavar="NAME|DIR", nargs="+", default=[], help="models to step as the paper does")
            add("--steps", metavar="N", type=whole, nargs="+", default=[1, 2, 4, 8, 16, 32], help="step counts")
            continue
        add("--model", metavar="NAME|DIR", default=DEFAULT_MODEL, help=f"a model's name or folder ({DEFAULT_MODEL})")
        add("--steps", metavar="N", type=whole, default=8, help="sampling steps (8)")
        if name == "longform":
            add("--minutes", metavar="M", type=whole, default=10, help="length of a scene; its last minute counts (10)")
            add("--cuts", choices=("auto", "carry", "reset", "none"), default="carry", help="rule at cuts (carry)")
        if name == "joins":
            add("--duration", metavar="S", type=number, default=60.0, help="seconds of a scene (60)")
            add("--split", choices=("evaluation", "validation"), default="evaluation", help="scenes (evaluation)")
            add("--reference-guidance", metavar="W", type=number, help="weight of the context (the guidance)")
        if name in ("reference", "cuts"):
            add("--judge", metavar="FILE", help="material.safetensors of a report, instead of training one")
        if name == "reference":
            modes = "as --reference does (reference), or continued in its place (extend)"
            add("--mode", choices=("reference", "extend"), default="reference", help=modes)
            add("--reference-guidance", metavar="W", type=number, help="how closely to follow it (the guidance)")
        if name == "lengths":
            add("--lengths", metavar="S", type=whole, nargs="+", default=[10, 20, 30, 45, 60], help="seconds")
