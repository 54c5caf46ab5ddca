"""Trains the shipped sync encoder and generator on one GPU in minutes: python recipes/salsa_v_gym_gpu.py WORK OUT

    --seconds N     time limit from the start of this command until OUT is complete (default 580)
    --share S       of the time between the first scenes and the end, for the sync encoder (default 0.55)
    --sync-seconds, --generator-seconds
                    instead: total times of the two, over several commands
    --parts K       Gym caches of --scenes scenes each (defaults 20 and 500), rendered during the training
    --first P       parts of the training split to skip, because the starting model was trained on them (default 0)
    --unseen U      the last parts, for the generator only, at its end (default 6)
    --bodies S      share of the scenes with solid bodies (default 0.33); they need the extra gym
    --workers P     rendering processes (default: all cores but three)
    --start MODEL   whose codec and semantic encoder are kept (default salsa-v-gym)
    --go-on         sync encoder and generator start from its weights, at 0.6 of the learning rates (else random)
    --device D      cuda (default) or cpu, for a trial run

WORK (about 7 MB a scene; on a RAM disk if it fits) holds data, features and checkpoints: the same command resumes. OUT
gets the model folder's sync.safetensors, generator.safetensors and config.json, and both logs; if the time runs out
first, with the generator's current weights. Three things run in parallel: CPU cores render scenes, part after part; two
processes compute latents, semantic and text features of finished parts; the sync encoder trains on the parts rendered
so far. Afterwards the same two processes compute its features, and the generator trains on them until the end.

The shipped sync encoder, and the generator that salsa_v_gym_tune.py continued, were made in three calls on one
NVIDIA H200 with 16 cores, within 580, 578 and 268 s, from flat scenes alone (`--bodies 0`): `--parts 12 --unseen 4`;
then, twice on the same WORK, `--go-on --first 12 --parts 22 --unseen 5 --sync-seconds 370`, with `--seconds 578
--generator-seconds 320` and `--seconds 268 --generator-seconds 255`. Event F1 on 64 validation scenes: 0.86 after the
first, 0.88 after the last (docs/log.md, 2026-11-26).
"""

import argparse
import json
import logging
import multiprocessing
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from fractions import Fraction
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openfoley.gym.seeds import check_world

if TYPE_CHECKING:
    from openfoley.training.salsa_v.presets import GeneratorTraining
    from openfoley.training.sync.train import SyncTraining

logger = logging.getLogger("gpu")

FEATURE_PROCESSES = 2
PART = "part-{:02d}"
GOING_ON = 0.6  # of the learning rates for random weights
MOST_STEPS = 100_000  # the time limit ends the trainings (`training.loop.run.Run.progress`)
RESERVE_S = 12.0  # for the model folder, the copies and the end of Python


def say(begun: float, what: str, *values: object) -> None:
    logger.info("%6.1f s  " + what, time.time() - begun, *values)


def wait_for(path: Path, makers: Sequence[BaseProcess] = ()) -> Path:
    """makers: the processes that make the file; without them it never appears."""
    while not path.exists():
        if any(maker.exitcode for maker in makers):
            raise SystemExit(f"a process beside this one failed; {path} will not be made")
        time.sleep(0.2)
    return path


def render(work: Path, numbers: Sequence[int], scenes: int, workers: int, bodies: float) -> None:
    """All parts in turn, renamed when complete, with the sync encoder's extra arrays. bodies: share of the scenes that
    shows solid bodies."""
    import torch

    from openfoley.data.gym_cache import GymCache
    from openfoley.data.sync_clips import SyncClips
    from openfoley.data.workers import render_pool
    from openfoley.gym.seeds import mixed_seeds
    from openfoley.training.recipe import SILENT_EVERY, validation_seeds

    torch.set_num_threads(1)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    data, begun = work / "data", time.time()

    def finish(making: Path, folder: Path) -> None:
        SyncClips.open(making)
        making.replace(folder)
        say(begun, "rendered %s", folder.name)

    with render_pool(workers) as pool:
        jobs = [("validation", validation_seeds(bodies > 0), None)]
        for k in numbers:
            jobs.append((PART.format(k), mixed_seeds("train", scenes, k * scenes, bodies=bodies), SILENT_EVERY))
        threads = []
        jobs = [job for job in jobs if not (data / job[0]).exists()]
        for name, seeds, silent_every in jobs:
            folder, making = data / name, data / f"{name}.making"
            shutil.rmtree(making, ignore_errors=True)
            split = "validation" if name == "validation" else "train"
            GymCache.build(making, seeds, split=split, silent_every=silent_every, pool=pool)
            threads.append(threading.Thread(target=finish, args=(making, folder)))
            threads[-1].start()
        for (name, _, _), thread in zip(jobs, threads, strict=False):
            thread.join()
            if not (data / name).exists():
                raise SystemExit(f"{data / name} could not be finished")


def compute_features(work: Path, names: list[str], device: str) -> None:
    """Features of some parts: first those without the sync encoder, then, when it is trained, the rest."""
    import torch

    from openfoley.data.feature_cache import FeatureRates, write_index
    from openfoley.data.gym_cache import GymCache
    from openfoley.hub.load import load_part
    from openfoley.training.features import FeatureWriter

    torch.set_num_threads(1)
    codec, semantic = load_part("codec", work / "codec", device), load_part("semantic", work / "semantic", device)
    origins = {part: origin_of(work, part) for part in ("codec", "semantic")}
    for name in names:
        scenes = GymCache.open(wait_for(work / "data" / name))
        writer = FeatureWriter(scenes, work / "features" / name, origins, device)
        writer.latents(codec)
        writer.pictures("semantic", semantic)
        writer.text(semantic)
        writer.event_labels(codec)
    wait_for(work / "sync" / "done")
    sync, origins = load_part("sync", work / "sync", device), {"sync": origin_of(work, "sync")}
    for name in names:
        folder = work / "features" / name
        FeatureWriter(GymCache.open(work / "data" / name), folder, origins, device).pictures("sync", sync)
        write_index(folder, FeatureRates(codec.sample_rate, codec.hop_length, sync.outputs.rate, semantic.outputs.rate))


def origin_of(work: Path, part: str) -> str:
    from openfoley.media.read.content_hash import file_hash

    return file_hash(work / part / "model.safetensors")


def take_parts(model: str, work: Path) -> None:
    """Copy a model's codec and semantic encoder into WORK as trained parts."""
    from openfoley.hub.registry import find_model

    source = find_model(model)
    config = json.loads((source / "config.json").read_text())
    for part in ("codec", "semantic"):
        folder, weights = work / part, source / f"{part}.safetensors"
        kept = folder / "model.safetensors"
        if kept.exists() and kept.read_bytes() != weights.read_bytes():
            raise SystemExit(f"{work} was begun with another {part} than {model}'s; name a new folder")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config[part]))
        shutil.copyfile(weights, folder / "model.partial")
        (folder / "model.partial").replace(kept)
        shutil.copyfile(source / "tokenizer.json", folder / "tokenizer.json")


def sync_preset(work: Path, start: Path | None, device: str) -> "SyncTraining":
    """start: the folder of a model to continue; the audio tower and the heads, which it does not hold, start new
    (the tower at the whole rate)."""
    from openfoley.training.sync import train as sync

    validation, semantic = work / "data" / "validation", work / "semantic"
    preset = replace(sync.GPU, validation=validation, semantic=semantic, device=device, steps=MOST_STEPS)
    if start is None:
        return preset
    return replace(
        preset,
        start=start / "sync.safetensors",
        learning_rate=GOING_ON * preset.learning_rate,
        appearance_learning_rate=GOING_ON * preset.appearance_learning_rate,
    )


def generator_preset(features: Path, start: Path | None, device: str) -> "GeneratorTraining":
    """start: the folder of a model to continue."""
    from openfoley.training.gym_losses.presets import GPU

    preset = replace(GPU, features=features, device=device, steps=MOST_STEPS)
    if start is None:
        return preset
    return replace(preset, start=start / "generator.safetensors", learning_rate=GOING_ON * preset.learning_rate)


def rehearse(work: Path, start: Path | None, device: str) -> None:
    """Two steps of both trainings on dummy data, so that errors show now and not in minutes."""
    import numpy as np

    from openfoley.data.feature_cache import FeatureRates, write_index
    from openfoley.training.gym_losses.presets import LOSSES
    from openfoley.training.salsa_v.train import train_generator
    from openfoley.training.sync import train as sync

    folder = work / "rehearsal"
    shutil.rmtree(folder, ignore_errors=True)
    preset = replace(sync_preset(work, start, device), data=work / "data" / "validation", steps=2, validation_videos=2)
    sync.train_sync(preset, folder / "sync", resume=False)
    shapes = {"latents": (8, 345, 64), "sync": (8, 192, 128), "semantic": (8, 64, 128), "text": (8, 2, 128)}
    for name in ("train", "seen", "validation"):
        (folder / name).mkdir()
        for array, shape in shapes.items():
            np.save(folder / name / f"{array}.npy", np.random.default_rng(0).normal(size=shape).astype(np.float16))
        np.save(folder / name / "event_labels.npy", np.zeros((8, 345), np.int8))
        write_index(folder / name, FeatureRates(44100, 1024, preset.sync.rate, Fraction(8)))
    preset = replace(generator_preset(folder, start, device), steps=2)
    train_generator(preset, folder / "generator", resume=False, extra=LOSSES)
    shutil.rmtree(folder)


def train_sync(work: Path, seen: Sequence[int], start: Path | None, seconds: float, device: str) -> None:
    from openfoley.training.sync import train as sync

    if (work / "sync" / "done").exists():  # the features are of these weights
        return
    data = [work / "data" / PART.format(k) for k in seen]
    preset = replace(sync_preset(work, start, device), data=data[0], more_data=tuple(data[1:]), time_limit_s=seconds)
    sync.train_sync(preset, work / "sync", resume=True)
    (work / "sync" / "done").touch()


def join_features(features: Path, seen: Sequence[int], unseen: Sequence[int]) -> None:
    """`seen` and `train`, as the generator's training expects them."""
    from openfoley.data.feature_cache import join

    for name, numbers in (("seen", seen), ("train", unseen)):
        note, parts = features / f"{name}.json", json.dumps(list(numbers))
        if not note.exists() or note.read_text() != parts:
            note.unlink(missing_ok=True)
            join([features / PART.format(k) for k in numbers], features / name)
            note.write_text(parts)


def finish_generator(work: Path, start: Path | None, seconds: float, device: str) -> None:
    from openfoley.training.gym_losses.presets import LOSSES
    from openfoley.training.salsa_v.train import train_generator

    preset = replace(generator_preset(work / "features", start, device), time_limit_s=seconds)
    train_generator(preset, work / "generator", resume=True, extra=LOSSES)


def averaged_so_far(folder: Path) -> None:
    """A generator checkpoint's weights as a trained part: averaged, at that step of the schedule."""
    from openfoley.training.gym_losses.presets import GPU
    from openfoley.training.salsa_v.train import save_averaged

    average = checkpoint(folder)["state"]["average"]
    weights = {name.removeprefix("module."): value for name, value in average.items() if name != "n_averaged"}
    save_averaged(GPU.architecture, weights, folder)


def trained_for(folder: Path) -> float:
    """Seconds used by previous commands."""
    return checkpoint(folder).get("elapsed_s", 0.0)


def checkpoint(folder: Path) -> dict[str, Any]:
    """Of a training; empty where there is none."""
    import torch

    from openfoley.training.loop.checkpoint import NAME

    path = folder / NAME
    return torch.load(path, map_location="cpu", weights_only=True) if path.exists() else {}


@contextmanager
def stopping_after(seconds: float) -> Iterator[None]:
    """A training inside ends by then, resumable, with TrainingStopped."""
    timer = threading.Timer(max(0.0, seconds), os.kill, (os.getpid(), signal.SIGTERM))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _leave(*_: object) -> None:
    raise SystemExit("stopped; the same command resumes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=580.0)
    parser.add_argument("--share", type=float, default=0.55)
    parser.add_argument("--sync-seconds", type=float)
    parser.add_argument("--generator-seconds", type=float)
    parser.add_argument("--parts", type=int, default=20)
    parser.add_argument("--scenes", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--unseen", type=int, default=6)
    parser.add_argument("--bodies", type=float, default=0.33)
    parser.add_argument("--workers", type=int, default=max(1, (os.cpu_count() or 1) - 3))
    parser.add_argument("--start", default="salsa-v-gym")
    parser.add_argument("--go-on", action="store_true")
    parser.add_argument("--device", default="cuda")
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    if not 0 < asked.unseen < asked.parts:
        parser.error(f"--unseen must be from 1 to {asked.parts - 1} (under --parts), got {asked.unseen}")
    if asked.first < 0:
        parser.error(f"--first must be at least 0, got {asked.first}")
    if not 0 <= asked.bodies <= 1:
        parser.error(f"--bodies must be from 0 to 1, got {asked.bodies}")
    if asked.bodies > 0:
        check_world("bodies")
    begun, work, out = time.time(), asked.work, asked.out
    (work / "data").mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)

    take_parts(asked.start, work)
    if not (work / "sync" / "done").exists():  # features of a deleted sync encoder are invalid
        for index in (work / "features").glob("*/cache.json"):
            index.unlink()
    numbers = range(asked.first, asked.first + asked.parts)
    names = ["validation", *(PART.format(k) for k in numbers)]
    spawn = multiprocessing.get_context("spawn")
    beside = [spawn.Process(target=render, args=(work, numbers, asked.scenes, asked.workers, asked.bodies))]
    for k in range(FEATURE_PROCESSES):
        beside.append(spawn.Process(target=compute_features, args=(work, names[k::FEATURE_PROCESSES], asked.device)))
    signal.signal(signal.SIGTERM, _leave)  # so that the other processes are ended too
    for process in beside:
        process.start()
    try:
        train(asked, begun, numbers, beside)
    finally:  # otherwise they would wait for one another forever
        for process in beside:
            process.terminate()


def train(asked: argparse.Namespace, begun: float, numbers: range, beside: Sequence[BaseProcess]) -> None:
    import torch  # after the other processes have started

    from openfoley.hub.registry import find_model
    from openfoley.training.loop.run import TrainingStopped
    from openfoley.training.recipe import assemble

    work, out = asked.work, asked.out
    seen, unseen = numbers[: -asked.unseen], numbers[-asked.unseen :]
    start = find_model(asked.start) if asked.go_on else None

    def time_left() -> float:
        left = asked.seconds - RESERVE_S - (time.time() - begun)
        if left <= 0:
            raise SystemExit(f"no time left of {asked.seconds:g} s; the same command with a larger --seconds resumes")
        return left

    wait_for(work / "data" / "validation", beside)
    torch.set_num_threads(2)
    torch.backends.cudnn.benchmark = True
    if not (work / "sync").exists():
        rehearse(work, start, asked.device)
        say(begun, "rehearsed")
    wait_for(work / "data" / PART.format(numbers[0]), beside)
    say(begun, "first scenes are there")
    seconds = asked.sync_seconds or trained_for(work / "sync") + asked.share * time_left()
    try:
        with stopping_after(time_left()):
            train_sync(work, seen, start, seconds, asked.device)
    except TrainingStopped:
        raise SystemExit("the time is over before the sync encoder's; the same command resumes") from None
    say(begun, "sync encoder is trained")
    shutil.copyfile(work / "sync" / "log.csv", out / "sync.csv")

    for name in ("validation", *(PART.format(k) for k in numbers)):
        wait_for(work / "features" / name / "cache.json", beside)
    say(begun, "features are there")
    join_features(work / "features", seen, unseen)
    seconds = asked.generator_seconds or trained_for(work / "generator") + time_left()
    try:
        with stopping_after(time_left()) if asked.generator_seconds else nullcontext():  # else it ends by then anyway
            finish_generator(work, start, seconds, asked.device)
        say(begun, "generator is trained")
    except TrainingStopped:
        averaged_so_far(work / "generator")
        say(begun, "the time is over before the generator's; the same command resumes")
    shutil.copyfile(work / "generator" / "log.csv", out / "generator.csv")

    model = assemble(work)
    for name in ("config.json", "sync.safetensors", "generator.safetensors"):
        shutil.copyfile(model / name, out / name)
    say(begun, "done")


if __name__ == "__main__":
    main()
