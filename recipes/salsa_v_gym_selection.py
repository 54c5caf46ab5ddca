"""Trains a pair that selects by text beside a Gym-size model: python recipes/salsa_v_gym_selection.py WORK OUT

    --variant NAME          a row of the table of ablations (default shipped; the names: training/selective/variants.py)
    --model MODEL           whose encoder and generator learn to select (default salsa-v-gym)
    --scenes N              seeds of the training split; half of the flat ones have several sources (default 800)
    --bodies S              share of them with solid bodies, which need the extra gym (default 0)
    --bank N                items whose trunk tokens are kept, 151 kB each (default 12000)
    --steps N               of stage 1 (default 6000); for a table the same for all rows
    --generator-steps N     of stage 2 (default 4000); 0: the generator of WORK's shipped pair, else the model's own
    --attributes N          validation scenes among which those are sought in which an attribute alone tells two things
                            of one kind apart (default 800; 0: none); the error of stage 1 in them is printed
    --plan                  prints what is there and what is not, and ends

WORK (12 GB of scenes, 2 GB of tokens) holds everything but the result; the same command resumes, and variants share
scenes and tokens. OUT becomes a model folder. A table is one call a row, after the shipped pair:

    for row in shipped sup-0 sup-1 sup-10 sup-zero-start concatenation full-training wrong-labels coarse-labels \\
        labels-only; do
      python recipes/salsa_v_gym_selection.py WORK out/$row --variant $row --steps 2000 --generator-steps 0
    done
"""

from __future__ import annotations

import argparse
import logging
import shutil
from dataclasses import replace
from pathlib import Path

STEPS = 6000  # of stage 1 as shipped; other numbers have folders of their own


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--variant", default="shipped")
    parser.add_argument("--model", default="salsa-v-gym")
    parser.add_argument("--scenes", type=int, default=800)
    parser.add_argument("--bodies", type=float, default=0.0)
    parser.add_argument("--bank", type=int, default=12_000)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--generator-steps", type=int, default=4000)
    parser.add_argument("--attributes", type=int, default=800)
    parser.add_argument("--plan", action="store_true")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    from openfoley.nn.process import prepare_process
    from openfoley.training.selective.recipe import (
        SOURCES,
        Pair,
        attribute_figures,
        train_encoder,
        train_selective_generator,
        with_encoder,
    )
    from openfoley.training.selective.variants import SHIPPED, VARIANTS

    if asked.variant not in VARIANTS:
        parser.error(f"unknown variant {asked.variant!r}; use one of {', '.join(VARIANTS)}")
    if asked.out.exists():
        parser.error(f"{str(asked.out)!r} exists already; name a new folder")
    prepare_process()
    pair = Pair(
        asked.model, asked.work, variant=asked.variant, scenes=asked.scenes, bodies=asked.bodies, bank=asked.bank,
        suffix="" if asked.steps == STEPS else f"-{asked.steps}",
    )  # fmt: skip
    if asked.plan:
        stages = [pair.folder(f"selective-{part}") / "model.safetensors" for part in ("encoder", "generator")]
        finished = [*(asked.work / name / "sources.json" for name in SOURCES.values()),
                    *(asked.work / "tokens" / split / "bank.from" for split in SOURCES), *stages]  # fmt: skip
        for path in finished:
            print(f"{'there  ' if path.is_file() else 'missing'} {path}")
        return
    model = train_encoder(pair, resume=True, steps=asked.steps)
    if asked.attributes:
        print(f"where an attribute tells: {attribute_figures(pair, asked.attributes)}")
    shipped = replace(pair, variant=SHIPPED, suffix="").folder("selective-generator")
    if asked.generator_steps:
        model = train_selective_generator(pair, resume=True, steps=asked.generator_steps)
    elif (shipped / "model.safetensors").is_file():
        model = with_encoder(pair, shipped)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(model, asked.out)
    print(f"the model is in {asked.out}")


if __name__ == "__main__":
    main()
