"""Arguments of `openfoley train` and `openfoley data`: one subcommand per part and per verb."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from openfoley.cli.pair_arguments import add_pair_training
from openfoley.gym.seeds import SCENE_WORLDS

PARTS = {
    "codec": "Sound to latents and back.",
    "semantic": "The semantic encoder: pictures against captions.",
    "sync": "The sync encoder: pictures against sound; needs the semantic encoder.",
    "generator": "The generator; needs the other three parts.",
    "all": "All parts in order, then a model folder and its report.",
}
SELECTIVE_PARTS = {
    "selective-encoder": "What a text selects from the sync encoder's tokens (SelVA's first stage).",
    "selective-generator": "The generator for selected features (SelVA's second stage); needs the selective encoder.",
}


def add_training(commands: Any, command: Callable[..., Any], whole: Callable[[str], int]) -> None:
    """command: makes a command whose module is imported when it runs (cli.arguments)."""
    train = commands.add_parser("train", help="Train a part, or all in order and report.")
    inner = train.add_subparsers(title="parts", metavar="PART", dest="part", required=True)
    for name, summary in PARTS.items():
        parser = command(inner, name, "train", "everything" if name == "all" else "part", summary)
        add = parser.add_argument
        add("--preset", required=True, help="cpu (2 cores), cpu-long (more scenes and steps) or gpu")
        add("--out", metavar="DIR", required=True, help="folder for data, checkpoints, logs and the trained parts")
        add("--resume", action="store_true", help="continue from the last checkpoint")
        if name in ("generator", "all"):
            add("--generator", default="salsa-v", help="salsa-v, mmaudio or an ablation of salsa-v (salsa-v)")
        if name in ("sync", "generator"):
            add("--start", metavar="NAME|DIR", help="a model whose weights are the starting point (random ones)")
            add("--steps", metavar="N", type=whole, help="optimiser steps (the preset's)")

    for name, summary in SELECTIVE_PARTS.items():
        add = command(inner, name, "train", "selective", summary).add_argument
        add("--model", metavar="NAME|DIR", default="salsa-v-gym", help="the model that learns to select (salsa-v-gym)")
        add("--out", metavar="DIR", required=True, help="folder for data, checkpoints, logs and the model")
        add("--resume", action="store_true", help="continue from the last checkpoint")
        add("--steps", metavar="N", type=whole, help="optimiser steps (6000, of the generator 4000; full size 20000)")
        add("--data", metavar="DIR", help="clips with sound and labels.csv: file,label a line (scenes of the Gym)")
        add("--bodies", metavar="S", type=float, default=0.0, help="share of scenes with solid bodies, 0..1 (0)")
        add("--device", metavar="D", default="cpu", help="torch device (cpu)")
        add("--weights-dir", metavar="DIR", help="where a published model's weights lie")
        add("--variant", metavar="NAME", default="shipped", help="for comparison: sup-0, concatenation, ... (shipped)")

    add_pair_training(inner, command)

    summary = "Adapters that condition every window of a long video on the whole of it; the generator is frozen."
    add = command(inner, "adapters", "train", "adapters", summary).add_argument
    add("--model", metavar="NAME|DIR", default="salsa-v-gym", help="the model that gets adapters (salsa-v-gym)")
    add("--data", metavar="DIR|gym", default="gym", help="a folder of videos with sound, 20 s or longer (Gym scenes)")
    add("--out", metavar="DIR", required=True, help="folder for features, checkpoints, logs and adapters.safetensors")
    add("--resume", action="store_true", help="continue from the last checkpoint")
    add("--steps", metavar="N", type=whole, help="optimiser steps (8000; full size 20000)")
    add("--scenes", metavar="N", type=whole, default=64, help="long scenes of the Gym to learn from (64)")
    add(
        "--variant",
        metavar="NAME",
        default="shipped",
        help="for comparison: mean, attention, frame-only, ... (shipped)",
    )
    add("--device", metavar="D", default="cpu", help="torch device (cpu)")
    add("--weights-dir", metavar="DIR", help="where a published model's weights lie")

    data = commands.add_parser("data", help="Prepare data sets and features for training.")
    verbs = data.add_subparsers(title="commands", metavar="VERB", dest="verb", required=True)
    render = command(verbs, "render", "data", "render", "Scenes of the Foley Gym as arrays for training.")
    add = render.add_argument
    add("--world", choices=SCENE_WORLDS, default=SCENE_WORLDS[0], help="of the Gym; bodies need the extra gym (flat)")
    add("--split", choices=("train", "validation"), default="train", help="split of the world's seeds (train)")
    add("--first", metavar="N", type=whole, default=0, help="scenes of the split to skip (0)")
    add("--count", metavar="K", type=whole, required=True, help="how many scenes, 0.84 MB a second each")
    add("--duration", metavar="S", type=whole, default=8, help="seconds of each scene (8)")
    add("--silent-every", metavar="N", type=whole, help="every Nth scene is silent (by chance only)")
    add("--workers", metavar="P", type=whole, help="processes (all cores)")
    add("--out", metavar="DIR", required=True, help="folder, created if missing")
    features = command(verbs, "features", "data", "features", "Latents and features of rendered scenes, by a model.")
    features.add_argument("scenes", metavar="SCENES", help="a folder as `openfoley data render` writes it")
    features.add_argument("--model", metavar="NAME|DIR", default="salsa-v-gym", help="whose codec and encoders")
    features.add_argument("--device", metavar="D", default="cpu", help="torch device (cpu)")
    features.add_argument("--out", metavar="DIR", required=True, help="folder; arrays that are up to date are kept")
    join = command(verbs, "join", "data", "join", "Join several folders of features.")
    join.add_argument("features", metavar="FEATURES", nargs="+", help="folders of `openfoley data features`")
    join.add_argument("--out", metavar="DIR", required=True, help="folder, created if missing")
    _pairs(verbs, command, whole)
    mono = command(verbs, "mono-audio", "data", "mono_audio", "Pairs of videos, one with the target sound, for SelVA.")
    add = mono.add_argument
    add("unav", metavar="UNAV_DIR", help="UnAV-100's videos and unav100_annotations.json, in it or below")
    add("vggsound", metavar="VGGSOUND_CSV", help="VGGSound's vggsound.csv")
    add("--out", metavar="DIR", required=True, help="folder, which must not exist")
    add("--pairs", metavar="N", type=whole, default=280, help="pairs of each kind at most, two clips each (280)")
    add("--seed", metavar="S", type=whole, default=0, help="of the choice of pairs and sides (0)")


PAIR_KINDS = ("gym", "greatest-hits", "landscape", "vggsound", "avsync15", "folder")


def _pairs(verbs: Any, command: Callable[..., Any], whole: Callable[[str], int]) -> None:
    from openfoley.gym.seeds import SPLITS

    pairs = command(
        verbs, "pairs", "data", "pairs", "Short clips of picture and sound with captions, for joint models."
    )
    add = pairs.add_argument
    add("kind", choices=PAIR_KINDS, help="rendered by the Gym, or cut from your copy of a data set (docs/pairs.md)")
    add("folder", metavar="DIR", nargs="?", help="your copy; not for gym")
    add("--out", metavar="DIR", required=True, help="folder, created if missing; an interrupted run continues")
    add("--size", metavar="N", type=whole, help="pixels of the square pictures (gym 32, else 256)")
    add("--duration", metavar="S", type=float, help="seconds of a clip (2)")
    add("--fps", metavar="F", type=float, help="frames a second (8; gym: always 8)")
    add("--per-video", metavar="N", type=whole, help="clips of each video, the first ones (all)")
    add("--validation", metavar="S", type=float, help="share of the videos for training kept for validation (0.05)")
    add("--split", choices=SPLITS, help="gym: the split to render (train)")
    add("--count", metavar="K", type=whole, help="gym: how many clips, 0.1 s of a core and 113 kB each")
    add("--first", metavar="N", type=whole, help="gym: clips of the split to skip (0)")
    add("--workers", metavar="P", type=whole, help="processes (all cores)")
