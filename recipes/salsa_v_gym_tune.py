"""Continues a generator's training on new scenes, on CPU cores: python recipes/salsa_v_gym_tune.py WORK OUT

    --model MODEL   whose generator is fine-tuned; its codec and encoders stay (default salsa-v-gym)
    --sync FOLDER   of another sync encoder, to which the generator is fitted (one of salsa_v_gym_curve.py, say)
    --first N       scenes of the training split to skip, because the model was trained on them (default 18200)
    --parts K       Gym caches of --scenes scenes each (defaults 3 and 400)
    --steps N       of the training (default 1000)
    --minutes M     ends the training after this time, with its rate at the end (default: none)
    --seeds S ...   of the trainings, one for each, at the same time, on a core each; OUT has the mean of their weights
                    (default 1: one training, on all cores)
    --rate R        its learning rate (default 1e-4; 5e-4 is too high for these small batches)
    --bodies S      share of the scenes with solid bodies (default 0.33); they need the extra gym
    --seen DIR ...  Gym caches that --sync was trained on (WORK/data of salsa_v_gym_sync.py): the first 60 % of the
                    steps draw from these too (`training.salsa_v.train.open_features`)
    --workers P     rendering and feature processes (default: all cores)

For a small change of the Gym that needs no full training (salsa_v_gym_gpu.py). WORK (8 GB) holds scenes, features and
checkpoints: the same command resumes. OUT becomes a model folder, written atomically.

The shipped generator was made by four calls, after the weights of the GPU (src/openfoley/hub/weights/salsa-v-gym at
commit d6350ad): one with `--model FOLDER --first 17000 --bodies 0` on the corrected Gym (two shared CPU cores: scenes
4 min, features 6, training 19 on one of them; event F1 on 256 validation scenes 0.865 before, 0.87 to 0.88 after), and
three on the features of another sync encoder, which docs/results/training.md lists with their curves.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import shutil
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

from salsa_v_gym_sync import mean_of

if TYPE_CHECKING:
    from openfoley.training.salsa_v.train import GeneratorTraining


def compute_features(name: str, scenes: Path, folder: Path) -> None:
    """Features by the model's codec and encoders, with one thread."""
    import torch

    from openfoley.nn.process import prepare_process
    from openfoley.training.features import features_of_model

    torch.set_num_threads(1)
    prepare_process()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    features_of_model(name, scenes, folder)


def part_folders(model: Path, folder: Path) -> dict[str, Path]:
    """A model's parts as folders of their own, as trainings write them."""
    from openfoley.hub.parts import PARTS
    from openfoley.hub.registry import CONFIG_NAME

    config = json.loads((model / CONFIG_NAME).read_text())
    for part in PARTS:
        (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / part / CONFIG_NAME).write_text(json.dumps(config[part]))
        shutil.copyfile(model / f"{part}.safetensors", folder / part / "model.safetensors")
    return {part: folder / part for part in PARTS}


def train(preset: GeneratorTraining, folder: Path, threads: int) -> Path:
    """The folder of a generator trained by the preset."""
    import torch

    from openfoley.nn.process import prepare_process
    from openfoley.training.gym_losses.presets import LOSSES
    from openfoley.training.salsa_v.train import train_generator

    torch.set_num_threads(threads)
    prepare_process()
    logging.basicConfig(level=logging.INFO, format=f"seed {preset.seed}: %(message)s")
    if not (folder / "model.safetensors").exists():
        train_generator(preset, folder, resume=True, extra=LOSSES)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="salsa-v-gym")
    parser.add_argument("--sync", type=Path)
    parser.add_argument("--first", type=int, default=18_200)
    parser.add_argument("--parts", type=int, default=3)
    parser.add_argument("--scenes", type=int, default=400)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--bodies", type=float, default=0.33)
    parser.add_argument("--seen", type=Path, nargs="+", default=[])
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    from openfoley.data.feature_cache import join
    from openfoley.data.gym_cache import GymCache
    from openfoley.data.workers import render_pool
    from openfoley.gym.seeds import mixed_seeds
    from openfoley.hub.parts import TOKENIZER_NAME
    from openfoley.hub.registry import find_model
    from openfoley.hub.save import assemble_model
    from openfoley.training.gym_losses.presets import CPU
    from openfoley.training.recipe import MODEL_NAME, SILENT_EVERY, validation_seeds

    work, out, source = asked.work, asked.out, find_model(asked.model)
    if out.exists():
        parser.error(f"{str(out)!r} exists already; name a new folder")
    parts = part_folders(source, work / "parts")
    if asked.sync is not None:
        parts["sync"] = asked.sync
        if not (work / "model").exists():
            assemble_model(work / "model", MODEL_NAME, parts, source / TOKENIZER_NAME)
        source = work / "model"
    jobs = {"validation": (validation_seeds(asked.bodies > 0), "validation", None)}
    for k in range(asked.parts):
        seeds = mixed_seeds("train", asked.scenes, asked.first + k * asked.scenes, bodies=asked.bodies)
        jobs[f"part{k}"] = (seeds, "train", SILENT_EVERY)
    with render_pool(asked.workers) as pool:
        for name, (seeds, split, silent_every) in jobs.items():
            GymCache.build(work / name, seeds, split=split, silent_every=silent_every, pool=pool)
    features = work / "features"
    seen = [(scenes, features / f"seen{k}") for k, scenes in enumerate(asked.seen)]
    with render_pool(asked.workers) as pool:
        folders = [(work / name, features / name) for name in jobs] + seen
        list(pool.map(compute_features, repeat(str(source)), *zip(*folders, strict=True)))
    join([features / f"part{k}" for k in range(asked.parts)], features / "train")
    if seen:
        join([folder for _, folder in seen], features / "seen")
    preset = replace(
        CPU,
        features=features,
        start=source / "generator.safetensors",
        steps=asked.steps,
        time_limit_s=None if asked.minutes is None else 60 * asked.minutes,
        learning_rate=asked.rate,
        seen_share=CPU.seen_share if seen else 0.0,
    )
    with ProcessPoolExecutor(len(asked.seeds), multiprocessing.get_context("spawn")) as pool:
        threads = max(1, asked.workers // len(asked.seeds))
        of_seeds = [(replace(preset, seed=seed), work / f"generator-{seed}", threads) for seed in asked.seeds]
        trained = list(pool.map(train, *zip(*of_seeds, strict=True)))
    parts["generator"] = mean_of(trained, work / "generator") if len(trained) > 1 else trained[0]
    assemble_model(out, MODEL_NAME, parts, source / TOKENIZER_NAME)


if __name__ == "__main__":
    main()
