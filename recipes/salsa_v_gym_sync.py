"""Continues the shipped sync encoder on both worlds, on CPU cores: python recipes/salsa_v_gym_sync.py WORK

    --minutes M ...   of the stages, each on one core (default 75 76)
    --parallel        all stages begin with the encoder of --model, at the same time, on a core each
    --flat N          flat scenes (default 1500)
    --bodies N        scenes of solid bodies (default 3000); they need the extra gym
    --part, --first   of the scenes, as in salsa_v_gym_curve.py, whose scenes in the same WORK these are
    --model MODEL     whose sync encoder is continued (default salsa-v-gym)
    --start FOLDER    of an encoder that is continued instead of it (WORK/sync of an earlier run, say)
    --seeds S ...     of the stages (default 1 2)
    --workers P       rendering processes (default: all cores)

Every stage begins with new heads on the encoder of the one before, or on that of --model or --start. WORK/sync-K is
the encoder of stage K, WORK/sync the mean of their weights, which is better than either (docs/log.md, E15), and what
salsa_v_gym_tune.py takes as --sync. The same command resumes.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import os
import shutil
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from salsa_v_gym_curve import judged_folder, part_folder, render


@dataclass(frozen=True)
class Stage:
    """What differs between the stages. bodies: share of body scenes against one of flat scenes."""

    encoder_rate: float
    bodies: float


STAGES = (Stage(encoder_rate=0.5, bodies=1.8), Stage(encoder_rate=0.4, bodies=1.2))
MOST_STEPS = 20_000  # the time ends each stage first


def train(asked: argparse.Namespace, number: int, start: Path) -> Path:
    """The weights of stage `number`, continued from those of `start`."""
    import torch

    from openfoley.nn.process import prepare_process
    from openfoley.training.sync.train import CPU, continued, train_sync

    prepare_process()
    torch.set_num_threads(1)  # more gain nothing on snippets this small
    logging.basicConfig(level=logging.INFO, format=f"stage {number + 1}: %(message)s")
    stage, flat, bodies = STAGES[number], asked.flat // asked.part, asked.bodies // asked.part
    parts = [part_folder(asked.work, "flat", k) for k in range(flat)]
    parts += [part_folder(asked.work, "bodies", k) for k in range(bodies)]
    preset = replace(
        continued(replace(CPU, steps=MOST_STEPS)),
        start=start,
        data=parts[0],
        more_data=tuple(parts[1:]),
        data_shares=(1 / flat,) * flat + (stage.bodies / bodies,) * bodies,
        validation=judged_folder(asked.work, "bodies", "validation"),
        seed=asked.seeds[number],
        encoder_rate=stage.encoder_rate,
        time_limit_s=60 * asked.minutes[number],
        frozen_steps=300,
        average_decay=0.999,
        material_weight=0.4,  # at 1 it outweighs the events on crowded scenes
        validate_every=1000,
    )
    weights = asked.work / f"sync-{number + 1}" / "model.safetensors"
    return weights if weights.exists() else train_sync(preset, weights.parent, resume=True)


def mean_of(folders: Sequence[Path], out: Path) -> Path:
    """A part whose weights are the mean of those of parts that were trained from one another, or from the same one."""
    from safetensors.torch import load_file

    from openfoley.hub.save import save_weights
    from openfoley.media.write.atomic import make_folder

    all_weights = [load_file(str(folder / "model.safetensors")) for folder in folders]
    make_folder(out)
    shutil.copyfile(folders[0] / "config.json", out / "config.json")
    mean = {name: sum(weights[name].float() for weights in all_weights) / len(folders) for name in all_weights[0]}
    save_weights(mean, out / "model.safetensors", exact=True)
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--minutes", type=float, nargs=len(STAGES), default=[75.0, 76.0])
    parser.add_argument("--parallel", action="store_true")
    parser.add_argument("--flat", type=int, default=1500)
    parser.add_argument("--bodies", type=int, default=3000)
    parser.add_argument("--part", type=int, default=500)
    parser.add_argument("--first", type=int, default=30_000)
    parser.add_argument("--model", default="salsa-v-gym")
    parser.add_argument("--start", type=Path)
    parser.add_argument("--seeds", type=int, nargs=len(STAGES), default=[1, 2])
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    if any(count < asked.part or count % asked.part for count in (asked.flat, asked.bodies)):
        parser.error(f"--flat and --bodies must be multiples of --part, {asked.part}, and not 0")
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    from openfoley.gym.seeds import check_world
    from openfoley.hub.registry import find_model

    check_world("bodies")
    start = asked.start / "model.safetensors" if asked.start else find_model(asked.model) / "sync.safetensors"
    if not start.exists():
        parser.error(f"--start {str(asked.start)!r} has no model.safetensors; name WORK/sync of an earlier run")
    asked.work.mkdir(parents=True, exist_ok=True)
    asked.counts = [asked.bodies]
    render(asked)
    if asked.parallel:
        with ProcessPoolExecutor(len(STAGES), multiprocessing.get_context("spawn")) as pool:
            stages = [pool.submit(train, asked, number, start) for number in range(len(STAGES))]
            trained = [stage.result() for stage in stages]
    else:
        trained = []
        for number in range(len(STAGES)):
            trained.append(train(asked, number, trained[-1] if trained else start))
    print(mean_of([weights.parent for weights in trained], asked.work / "sync"))


if __name__ == "__main__":
    main()
