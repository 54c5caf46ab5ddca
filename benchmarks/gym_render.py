"""Scenes a second of the Gym's worlds, whole: python benchmarks/gym_render.py [WORLD ...]

    --scenes N     of each world (default 64), training seeds from --first on (default 9,000,000)
    --workers P    processes of one thread each (default 2)
    --size S       pixels, height and width (default 128); 8 s at 24 frames a second
    --floor F      exit with 1 where a world gives fewer scenes a second

Each scene is simulated, its picture and sound are rendered, and both are written as H.264 and AAC with the truth beside
them, as `openfoley gym render` does. Scenes a second are those of all processes together, from the first scene to the
last, without their start; the other columns are processor time per scene, by kind of work. Processes that render bodies
compile Warp's kernels first, if they are not in its cache.
"""

import argparse
import json
import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from fractions import Fraction
from pathlib import Path

import numpy as np

from openfoley.gym.seeds import WORLDS, World, seeds_of

DURATION_S, RATE = 8.0, Fraction(24)
PARTS = ("physics", "picture", "sound", "encode")
SLOWEST = (0.5, 0.9)
"""Quantiles of a scene's processor time that are printed beside its mean."""


def render(job: tuple[int, int, str]) -> tuple[float, ...]:
    """Processor time (s) of a scene by PARTS, and the clock at its end. job: seed, pixels, folder."""
    from openfoley.gym.files import encode_scene
    from openfoley.gym.picture import scene_frames
    from openfoley.gym.scene import sample_scene
    from openfoley.gym.sound import render_sound
    from openfoley.gym.truth import truth
    from openfoley.types import Audio

    seed, side, folder = job
    marks = [time.process_time()]
    scene = sample_scene(seed, DURATION_S, aspect=1.0)
    marks.append(time.process_time())
    frames = list(scene_frames(scene, RATE, side, side))
    marks.append(time.process_time())
    sound = render_sound(scene, with_stems=False)
    record = truth(scene, sound, RATE)
    marks.append(time.process_time())
    encode_scene(Path(folder) / f"{seed}.mp4", scene, frames, RATE, Audio(sound.mix, 44_100))
    (Path(folder) / f"{seed}.json").write_text(json.dumps(record))
    marks.append(time.process_time())
    return (*np.diff(marks), time.time())


def measure(world: World, asked: argparse.Namespace) -> float:
    """Print a row; scenes a second."""
    from openfoley.data.workers import begin_worker

    seeds = seeds_of("train", asked.scenes + asked.workers, asked.first, world)
    spawn = multiprocessing.get_context("spawn")
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(asked.workers, spawn, initializer=begin_worker) as pool,
    ):
        first, rest = seeds[: asked.workers], seeds[asked.workers :]
        list(pool.map(render, [(seed, asked.size, folder) for seed in first]))  # imports, kernels
        begun = time.time()
        rows = np.array(list(pool.map(render, [(seed, asked.size, folder) for seed in rest])))
    rate = len(rows) / (rows[:, -1].max() - begun)
    spent = rows[:, :-1]
    whole = " / ".join(f"{value:.2f}" for value in np.quantile(spent.sum(1), SLOWEST))
    cells = " | ".join(f"{value:.3f}" for value in spent.mean(0))
    print(f"| {world} | {rate:.2f} | {spent.sum(1).mean():.2f} | {whole} | {cells} | {len(rows)} |", flush=True)
    return rate


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("worlds", nargs="*", default=WORLDS, metavar="WORLD")
    parser.add_argument("--scenes", type=int, default=64)
    parser.add_argument("--first", type=int, default=9_000_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--floor", type=float, default=0.0)
    asked = parser.parse_args()
    print(f"| world | scenes a second | s a scene | median / 90 % | {' | '.join(PARTS)} | N |")
    print("|---" * (len(PARTS) + 5) + "|")
    rates = [measure(world, asked) for world in asked.worlds]
    return int(min(rates) < asked.floor)


if __name__ == "__main__":
    sys.exit(main())
