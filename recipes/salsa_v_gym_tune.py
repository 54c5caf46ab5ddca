"""A generator goes on with scenes that it has not seen, on CPU cores: python recipes/salsa_v_gym_tune.py WORK OUT

    --model MODEL   whose generator goes on, and whose codec and encoders stay (default salsa-v-gym)
    --first N       scenes of the training split left out before, because the model has seen them (default 17000)
    --parts K       Gym caches of --scenes scenes each (defaults 3 and 400)
    --steps N       of the training (default 1500)
    --rate R        its learning rate (default 5e-4: a sixth of what random weights begin with)
    --workers P     processes that render and compute features (default: all cores)

For small changes of the Gym, of the sampling or of a loss, where training all of it anew (salsa_v_gym_gpu.py) would be
too much. WORK holds scenes, features and checkpoints: the same command goes on there. OUT gets generator.safetensors,
the other parts, config.json and the training's log.
"""

import argparse
import hashlib
import logging
import multiprocessing
import os
import shutil
from dataclasses import replace
from pathlib import Path

PARTS = ("codec", "sync", "semantic")


def compute_features(name: str, scenes: Path, folder: Path) -> None:
    """By the model's own codec and encoders, with one thread."""
    import torch

    from openfoley.data.gym_cache import GymCache
    from openfoley.hub.load import load_model
    from openfoley.hub.registry import find_model
    from openfoley.nn.memory import keep_freed_memory
    from openfoley.training.features import cache_features

    torch.set_num_threads(1)
    keep_freed_memory()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    model, source = load_model(name), find_model(name)
    origins = {part: hashlib.sha256((source / f"{part}.safetensors").read_bytes()).hexdigest() for part in PARTS}
    cache_features(GymCache.open(scenes), model.codec, model.sync, model.semantic, folder, origins=origins)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="salsa-v-gym")
    parser.add_argument("--first", type=int, default=17_000)
    parser.add_argument("--parts", type=int, default=3)
    parser.add_argument("--scenes", type=int, default=400)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--rate", type=float, default=5e-4)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    from openfoley.data.feature_cache import join
    from openfoley.data.gym_cache import GymCache, render_pool
    from openfoley.gym.seeds import seeds_of
    from openfoley.hub.load import read_weights
    from openfoley.hub.registry import find_model
    from openfoley.hub.save import save_weights
    from openfoley.training.generator import CPU, train_generator
    from openfoley.training.recipe import SILENT_EVERY, VALIDATION_SCENES

    work, out, source = asked.work, asked.out, find_model(asked.model)
    jobs = {"validation": (seeds_of("validation", VALIDATION_SCENES), "validation", None)}
    for k in range(asked.parts):
        seeds = seeds_of("train", asked.scenes, first=asked.first + k * asked.scenes)
        jobs[f"part{k}"] = (seeds, "train", SILENT_EVERY)
    with render_pool(asked.workers) as pool:
        for name, (seeds, split, silent_every) in jobs.items():
            GymCache.build(work / name, seeds, split=split, silent_every=silent_every, pool=pool)
    with multiprocessing.get_context("spawn").Pool(asked.workers) as pool:
        todo = [(asked.model, work / name, work / "features" / name) for name in jobs]
        pool.starmap(compute_features, todo, chunksize=1)
    features = work / "features"
    join([features / f"part{k}" for k in range(asked.parts)], features / "train")
    preset = replace(
        CPU,
        features=features,
        start=source / "generator.safetensors",
        steps=asked.steps,
        learning_rate=asked.rate,
        seen_share=0.0,
    )
    weights = train_generator(preset, work / "generator", resume=True)

    out.mkdir(parents=True, exist_ok=True)
    for file in source.iterdir():
        if file.is_file() and file.name != "generator.safetensors":
            shutil.copyfile(file, out / file.name)
    save_weights(read_weights(weights), out / "generator.safetensors")
    shutil.copyfile(work / "generator" / "log.csv", out / "generator.csv")


if __name__ == "__main__":
    main()
