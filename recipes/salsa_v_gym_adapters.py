"""Trains adapters for the whole video beside a Gym-size model, and their variants; measures joins and drift:

    python recipes/salsa_v_gym_adapters.py WORK

    --model MODEL        the base, which stays as it is (default salsa-v-gym)
    --scenes N           long scenes to learn from, 2.5 minutes each in the mean (default 64)
    --steps N            of the adapters (default 8000)
    --rows NAME ...      of the table, of equal steps (generators/adapters/config.py; default: none), beside shipped
    --row-steps N        of each (default 2000)
    --joins ROW ...      ways to join windows, compared on the validation split (default: docs/log.md, L14)
    --join-clips N       scenes of 60 s for that (default 12; 0: not measured)
    --clips N            of `openfoley evaluate joins`, 60 s each, in the long and in the flat world (default 24; 0)
    --long-clips N       of `openfoley evaluate longform`, long world, minutes 1, 5 and 30 (default 8; 0)
    --mmaudio FEATURES   trains a Gym-size MMAudio, too, on features of the same encoders (WORK/features of
                         salsa_v_gym_tune.py), with adapters of its own, and measures its joins
    --mmaudio-steps N    of that generator (default 1500); its adapters have --row-steps
    --workers P          processes (default: all cores)
    --plan               prints what is there and what is not, and ends

WORK/adapters.safetensors is what ships, WORK/model a folder with it. The same command resumes. With `--steps 20
--row-steps 10 --scenes 2 --join-clips 2 --clips 2 --long-clips 0` it is a rehearsal. Choose the way to join first: the
default is in timeline/plan.py, and all other figures depend on it.

Expected processor time, from docs/log.md (L10) and the studies: features 40 min, adapters 55, a row 14; a scene of 60 s
45 s and 40 for each further row (join=swap 55), classifiers included; one of 30 minutes 6 min.
"""

from __future__ import annotations

import argparse
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from on_all_cores import each, measured
from salsa_v_gym_tune import part_folders

if TYPE_CHECKING:
    from openfoley.training.adapters.recipe import AdapterRecipe

STEPS = 8000  # as shipped; other numbers have folders of their own
JOINS = ("default", "overlap=0.19", "overlap=0.75", "join=hard", "join=equal-power", "join=swap")
OFF, ON = "whole_video=off", "default"
MMAUDIO = "mmaudio"


def shipped_of(asked: argparse.Namespace) -> AdapterRecipe:
    from openfoley.training.adapters.recipe import AdapterRecipe

    suffix = "" if asked.steps == STEPS else f"-{asked.steps}"
    return AdapterRecipe(asked.model, asked.work, scenes=asked.scenes, suffix=suffix)


def rows_of(asked: argparse.Namespace) -> list[AdapterRecipe]:
    """The table's, the first one shipped with the rows' steps."""
    from openfoley.training.adapters.recipe import SHIPPED

    names = dict.fromkeys([SHIPPED, *asked.rows]) if asked.rows else ()
    return [replace(shipped_of(asked), variant=name, suffix=f"-row-{asked.row_steps}") for name in names]


def mmaudio_of(asked: argparse.Namespace) -> AdapterRecipe:
    """Its encoders are the model's, and so are the features of the long scenes."""
    return replace(shipped_of(asked), model=str(asked.work / "mmaudio-gym"), suffix=f"-{MMAUDIO}-{asked.row_steps}")


def compute_features(recipe: AdapterRecipe, part: int, parts: int) -> None:
    from openfoley.training.adapters.recipe import features_of

    features_of(recipe, part, parts)


def train_adapters(recipe: AdapterRecipe, steps: int) -> None:
    from openfoley.training.adapters.recipe import train

    train(recipe, resume=True, steps=steps)


def train_mmaudio(model: str, features: Path, work: Path, steps: int) -> None:
    """A model folder of the model's parts with an MMAudio generator that is trained here."""
    from openfoley.hub.parts import TOKENIZER_NAME
    from openfoley.hub.registry import find_model
    from openfoley.hub.save import assemble_model
    from openfoley.training.recipe import settings_of

    source, folder = find_model(model), work / "mmaudio-generator"
    settings, train = settings_of("generator", "cpu", MMAUDIO)
    seen_share = settings.seen_share if (features / "seen").is_dir() else 0.0
    train(replace(settings, features=features, steps=steps, seen_share=seen_share), folder, resume=True)
    parts = {**part_folders(source, work / "parts"), "generator": folder}
    assemble_model(work / "mmaudio-gym", "mmaudio-gym", parts, source / TOKENIZER_NAME)


def measure(asked: argparse.Namespace, shipped: AdapterRecipe, rows: list[AdapterRecipe]) -> None:
    from openfoley.evaluation.studies.requests import JoinsRequest, LongformRequest
    from openfoley.hub.registry import ADAPTERS_NAME

    work, workers, model = asked.work, asked.workers, str(shipped.place("model"))
    if asked.join_clips:
        ways = JoinsRequest(
            work / "measured-ways", asked.join_clips, model=model, rows=tuple(asked.joins), split="validation",
            world="long",
        )  # fmt: skip
        measured(ways, workers)
    if asked.clips:
        own = [f"adapters={row.place(ADAPTERS_NAME)}" for row in rows]
        joins = JoinsRequest(work / "measured-long", asked.clips, model=model, rows=(OFF, ON, *own), world="long")
        measured(joins, workers)
        measured(JoinsRequest(work / "measured-flat", asked.clips, model=model, rows=(OFF, ON)), workers)
        if asked.mmaudio:
            other = str(mmaudio_of(asked).place("model"))
            joins = JoinsRequest(work / "measured-mmaudio", asked.clips, model=other, rows=(OFF, ON), world="long")
            measured(joins, workers)
    if asked.long_clips:
        minutes = (1.0, 5.0, 30.0)
        drift = LongformRequest(
            work / "measured-minutes", asked.long_clips, model=model, minutes=minutes, world="long"
        )  # fmt: skip
        measured(drift, workers)


def print_plan(asked: argparse.Namespace, shipped: AdapterRecipe, rows: list[AdapterRecipe]) -> None:
    from openfoley.hub.registry import ADAPTERS_NAME

    others = [mmaudio_of(asked)] if asked.mmaudio else []
    studies = ["ways", "long", "flat", *([MMAUDIO] if asked.mmaudio else []), "minutes"]
    finished = [one.place(ADAPTERS_NAME) for one in (shipped, *rows, *others)]
    for path in (*finished, *(asked.work / f"measured-{name}" / "results.md" for name in studies)):
        print(f"{'there  ' if path.is_file() else 'missing'} {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--model", default="salsa-v-gym")
    parser.add_argument("--scenes", type=int, default=64)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--rows", nargs="*", default=[])
    parser.add_argument("--row-steps", type=int, default=2000)
    parser.add_argument("--joins", nargs="+", default=list(JOINS))
    parser.add_argument("--join-clips", type=int, default=12)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--long-clips", type=int, default=8)
    parser.add_argument("--mmaudio", type=Path)
    parser.add_argument("--mmaudio-steps", type=int, default=1500)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--plan", action="store_true")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    from openfoley.generators.adapters.config import VARIANTS

    if unknown := [name for name in asked.rows if name not in VARIANTS]:
        parser.error(f"unknown variant {unknown[0]!r}; use some of {', '.join(VARIANTS)}")
    if asked.mmaudio is not None and not (asked.mmaudio / "train").is_dir():
        parser.error(f"{str(asked.mmaudio)!r} has no features of training scenes; name WORK/features of an earlier run")
    shipped, rows = shipped_of(asked), rows_of(asked)
    if asked.plan:
        print_plan(asked, shipped, rows)
        return
    each(compute_features, [(shipped, part, asked.workers) for part in range(asked.workers)], asked.workers)
    jobs = [(shipped, asked.steps), *((row, asked.row_steps) for row in rows)]
    if asked.mmaudio is not None:
        each(train_mmaudio, [(asked.model, asked.mmaudio, asked.work, asked.mmaudio_steps)], 1)
        jobs.append((mmaudio_of(asked), asked.row_steps))
    each(train_adapters, jobs, asked.workers)
    print(f"the adapters are in {shipped.place('adapters.safetensors')}", flush=True)
    measure(asked, shipped, rows)


if __name__ == "__main__":
    main()
