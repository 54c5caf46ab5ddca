"""Trains a pair that selects by text beside a Gym-size model, and the table of its variants; measures both:

    python recipes/salsa_v_gym_selection.py WORK OUT

    --model MODEL         whose encoder and generator learn to select (default salsa-v-gym)
    --scenes N            seeds of the training split; half of the flat ones have several sources (default 800)
    --bodies S            share of them with solid bodies, which need the extra gym (default 0)
    --bank N              items whose trunk tokens are kept, 151 kB each (default 12000)
    --steps N             of stage 1 (default 6000)
    --generator-steps N   of stage 2 (default 4000)
    --clips N             of each set of `openfoley evaluate selection` for the pair (default 100; 0: not measured)
    --rows NAME ...       of the table, of equal steps (training/selective/variants.py; default: none), beside shipped
    --row-steps N         of stage 1 of each; stage 2 is the pair's (default 2000)
    --row-clips N         of each set, with a third one of twins, which an attribute alone tells (default 50; 0)
    --attributes N        validation scenes among which twins are sought; the error of stage 1 there is printed for the
                          pair and the rows (default 800; 0: none)
    --workers P           processes (default: all cores)
    --plan                prints what is there and what is not, and ends

WORK (12 GB of scenes, 2 GB of tokens) holds everything but the result; the same command resumes. OUT becomes a model
folder, before anything is measured. Expected processor time, from the figures of docs/training-selection.md and of
`evaluate selection`: tokens 13 min, stage 1 13, stage 2 25; a row 5 (full-training 30); `--clips 100` 100.
"""

from __future__ import annotations

import argparse
import logging
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from on_all_cores import each, measured

if TYPE_CHECKING:
    from openfoley.training.selective.recipe import Pair

STEPS = 6000  # of stage 1 as shipped; other numbers have folders of their own
SELECTED = "selection.safetensors"  # in a model's folder
SETS = ("side-by-side", "one-scene")


def pair_of(asked: argparse.Namespace) -> Pair:
    """The pair that is shipped."""
    from openfoley.training.selective.recipe import Pair

    return Pair(asked.model, asked.work, scenes=asked.scenes, bodies=asked.bodies, bank=asked.bank,
                suffix="" if asked.steps == STEPS else f"-{asked.steps}")  # fmt: skip


def rows_of(asked: argparse.Namespace) -> list[Pair]:
    """The table's, the first one shipped with the rows' steps."""
    from openfoley.training.selective.variants import SHIPPED

    names = dict.fromkeys([SHIPPED, *asked.rows]) if asked.rows else ()
    return [replace(pair_of(asked), variant=name, suffix=f"-row-{asked.row_steps}") for name in names]


def train(pair: Pair, steps: int, generator_steps: int) -> None:
    """Stage 1 and, with steps of it, stage 2."""
    from openfoley.training.selective.recipe import train_encoder, train_selective_generator

    train_encoder(pair, resume=True, steps=steps)
    if generator_steps:
        train_selective_generator(pair, resume=True, steps=generator_steps)


def prepare(pair: Pair) -> None:
    """Scenes and tokens, which all trainings share."""
    from openfoley.training.selective.encoder import open_data

    sources = pair.sources
    open_data(pair.encoder, pair.student(), sources["train"], sources["validation"], pair.out / "tokens")


def copy(model: Path, out: Path) -> None:
    from openfoley.hub.save import complete_folder

    with complete_folder(out) as unfinished:
        for file in model.iterdir():
            shutil.copyfile(file, unfinished / file.name)
    print(f"the model is in {out}", flush=True)


def measured_rows(asked: argparse.Namespace) -> Path:
    """Other rows are another study."""
    return asked.work / "-".join(["measured", *asked.rows])


def print_plan(asked: argparse.Namespace, pair: Pair, rows: list[Pair]) -> None:
    from openfoley.training.selective.recipe import SOURCES

    trained = [(pair, "encoder"), (pair, "generator"), *((row, "encoder") for row in rows)]
    finished = [*(pair.out / name / "sources.json" for name in SOURCES.values()),
                *(pair.out / "tokens" / split / "bank.from" for split in SOURCES),
                *(one.folder(f"selective-{part}") / "model.safetensors" for one, part in trained),
                *(folder / "results.md" for folder in (pair.out / "measured", measured_rows(asked)))]  # fmt: skip
    for path in finished:
        print(f"{'there  ' if path.is_file() else 'missing'} {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="salsa-v-gym")
    parser.add_argument("--scenes", type=int, default=800)
    parser.add_argument("--bodies", type=float, default=0.0)
    parser.add_argument("--bank", type=int, default=12_000)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--generator-steps", type=int, default=4000)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--rows", nargs="*", default=[])
    parser.add_argument("--row-steps", type=int, default=2000)
    parser.add_argument("--row-clips", type=int, default=50)
    parser.add_argument("--attributes", type=int, default=800)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--plan", action="store_true")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    from openfoley.evaluation.reports.judge import FILE_NAME
    from openfoley.evaluation.studies.requests import CROWDS, SelectionRequest
    from openfoley.nn.process import prepare_process
    from openfoley.training.selective.recipe import attribute_figures, with_encoder
    from openfoley.training.selective.variants import VARIANTS

    if unknown := [name for name in asked.rows if name not in VARIANTS]:
        parser.error(f"unknown variant {unknown[0]!r}; use some of {', '.join(VARIANTS)}")
    if asked.out.exists() and not (asked.out / SELECTED).is_file():
        parser.error(f"{str(asked.out)!r} exists already, and is not what this makes; name a new folder")
    prepare_process()
    pair, rows = pair_of(asked), rows_of(asked)
    if asked.plan:
        print_plan(asked, pair, rows)
        return
    prepare(pair)
    plain = [pair_of(asked), *rows_of(asked)]  # without what is loaded, for other processes
    steps = [(asked.steps, asked.generator_steps), *[(asked.row_steps, 0)] * len(rows)]
    each(train, [(one, *numbers) for one, numbers in zip(plain, steps, strict=True)], asked.workers)
    copy(pair.folder("selective-model"), asked.out)
    models = [str(with_encoder(row, pair.folder("selective-generator"))) for row in rows]
    for one in (pair, *rows) if asked.attributes else ():
        print(f"{one.folder('selective-encoder').name}, twins: {attribute_figures(one, asked.attributes)}", flush=True)
    judge = None
    if asked.clips:
        measured(SelectionRequest(asked.work / "measured", asked.clips, model=str(asked.out), sets=SETS), asked.workers)
        judge = asked.work / "measured" / FILE_NAME
    if rows and asked.row_clips:
        measured(
            SelectionRequest(measured_rows(asked), asked.row_clips, model=models[0],
                             beside=tuple(models[1:]), sets=CROWDS, judge=judge), asked.workers)  # fmt: skip


if __name__ == "__main__":
    main()
