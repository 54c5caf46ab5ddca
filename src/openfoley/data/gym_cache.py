"""Gym scenes rendered once to a folder of memory-mapped arrays, for training and validation.

frames.npy  uint8  [scenes, frames, 3, 96, 96]   24 fps, 192 for 8 s; every third frame is the 8 fps sequence
sound.npy   int16  [scenes, 2, samples]          44.1 kHz, 352800 for 8 s
truth.json  a list of `gym.truth.truth` records, captions among them

All scenes of a cache are equally long. They are written in parts, so memory does not depend on their length.
"""

import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
from jaxtyping import Int16, UInt8

from openfoley.checks import COUNT
from openfoley.data.disk import create_array, write_json
from openfoley.data.workers import logged, render_pool
from openfoley.errors import OutputError, UsageError
from openfoley.gym.records import Scene
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import VERSIONS, Split, check_worlds, world_of
from openfoley.media.write.atomic import make_folder

FRAME_RATE = Fraction(24)
SIZE = 96
"""pixels, height and width"""
DURATION_S = 8.0
"""Of a scene, unless another is asked for."""
SAMPLE_RATE = 44_100
FULL_SCALE = 32767
FINISHED = "truth.json"
"""Written last: a folder that holds it is complete."""
FRAMES, SAMPLES = int(FRAME_RATE * int(DURATION_S)), int(SAMPLE_RATE * DURATION_S)  # of that
LONGEST_S = 3600.0


@dataclass(frozen=True)
class GymCache:
    """An opened cache. `frames`, `sound` are read-only memory maps; int16 sound is full scale at 32767."""

    folder: Path
    frames: np.ndarray
    sound: np.ndarray
    truth: list[dict]

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def duration_s(self) -> float:
        return self.sound.shape[2] / SAMPLE_RATE

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the truth: the identity of the scenes."""
        return hashlib.sha256(json.dumps(self.truth).encode()).hexdigest()

    def first(self, count: int) -> "GymCache":
        """Only the first scenes."""
        return GymCache(self.folder, self.frames[:count], self.sound[:count], self.truth[:count])

    @classmethod
    def open(cls, folder: Path) -> "GymCache":
        """Raises UsageError when the folder holds no finished cache."""
        folder = Path(folder)
        if not (folder / FINISHED).is_file():
            raise UsageError(f"no Gym cache in {str(folder)!r}; `openfoley train` renders one, or call GymCache.build")
        truth = json.loads((folder / FINISHED).read_text())
        frames, sound = (np.load(folder / name, mmap_mode="r") for name in ("frames.npy", "sound.npy"))
        return cls(folder, frames, sound, truth)

    @classmethod
    def build(
        cls,
        folder: Path,
        seeds: Sequence[int],
        *,
        split: Split,
        workers: int | None = None,
        duration_s: float = DURATION_S,
        silent_every: int | None = None,
        pool: Executor | None = None,
    ) -> "GymCache":
        """Render the scenes of `seeds` (see gym.seeds; of any world) in `workers` processes, or in a `render_pool`
        shared by several caches; a finished cache of the same seeds is reused (UsageError if another version of the Gym
        rendered it, or one of another duration, or if the extra of a world is missing).
        silent_every: every so many scenes one is silent motion, the others by chance."""
        COUNT("count", len(seeds))
        for name, value in (("workers", workers), ("silent every", silent_every)):
            if value is not None:
                COUNT(name, value)
        folder = Path(folder)
        if (folder / FINISHED).is_file():
            cache = cls.open(folder)
            check_scenes(folder, cache.truth, seeds)
            if cache.duration_s != duration_s:
                raise UsageError(
                    f"{str(folder)!r} holds scenes of {cache.duration_s:g} s, not {duration_s:g}; choose another folder"
                )
            return cache
        if not 1 <= duration_s <= LONGEST_S or duration_s != int(duration_s):
            raise UsageError(f"scenes of a cache last a whole number of seconds up to {LONGEST_S:g}, got {duration_s}")
        check_worlds(seeds)
        make_folder(folder)
        frames, samples = int(FRAME_RATE * int(duration_s)), int(SAMPLE_RATE * duration_s)
        create_array(folder / "frames.npy", np.uint8, (len(seeds), frames, 3, SIZE, SIZE))
        try:
            create_array(folder / "sound.npy", np.int16, (len(seeds), 2, samples))
        except OutputError:  # do not leave the disk full
            (folder / "frames.npy").unlink()
            raise
        forced = [silent_every is not None and row % silent_every == silent_every - 1 for row in range(len(seeds))]
        jobs = [(str(folder), row, seed, duration_s, split, forced[row] or None) for row, seed in enumerate(seeds)]
        truth: list[dict] = [{} for _ in seeds]
        with render_pool(workers) if pool is None else nullcontext(pool) as renderers:
            rows = renderers.map(_render_row, jobs, chunksize=2)
            every = max(round(100 * DURATION_S / duration_s), 1)
            for row, record in logged(rows, "gym", unit="scenes", every=every, total=len(jobs)):
                truth[row] = record
        write_json(folder / FINISHED, truth)
        return cls.open(folder)


def check_scenes(folder: Path, records: Sequence[dict], seeds: Sequence[int]) -> None:
    """UsageError for scenes of other seeds or of another version of the Gym."""
    if any(record.get("gym", 1) != VERSIONS[world_of(record["seed"])] for record in records):
        raise UsageError(
            f"{str(folder)!r} was rendered by another version of the Gym; choose another folder or delete it"
        )
    if [record["seed"] for record in records] != list(seeds):
        raise UsageError(f"{str(folder)!r} holds scenes of other seeds; choose another folder or delete it")


def _render_row(job: tuple[str, int, int, float, Split, bool | None]) -> tuple[int, dict]:
    folder, row, seed, duration_s, split, silent = job
    scene = sample_scene(seed, duration_s, split=split, silent=silent)
    frames, sound = (np.load(Path(folder) / name, mmap_mode="r+")[row] for name in ("frames.npy", "sound.npy"))
    return row, render_into(scene, frames, sound)


def render_for_cache(seed: int, split: Split, silent: bool | None = None) -> tuple[np.ndarray, np.ndarray, dict]:
    """One scene of 8 s: frames uint8 [192, 3, 96, 96], sound int16 [2, 352800], truth."""
    scene = sample_scene(seed, DURATION_S, split=split, silent=silent)
    frames, sound = np.empty((FRAMES, 3, SIZE, SIZE), np.uint8), np.empty((2, SAMPLES), np.int16)
    return frames, sound, render_into(scene, frames, sound)


def render_into(
    scene: Scene, frames: UInt8[np.ndarray, "frames 3 height width"], sound: Int16[np.ndarray, "2 samples"]
) -> dict:
    """Render a scene into arrays of its length, part by part; its truth."""
    from openfoley.gym.picture import scene_frames

    done = 0
    for chunk in scene_frames(scene, FRAME_RATE, *frames.shape[2:], aspect=scene.aspect):
        frames[done : done + len(chunk)] = chunk.numpy()
        done += len(chunk)
    return _sound_into(scene, sound)


def _sound_into(scene: Scene, sound: Int16[np.ndarray, "2 samples"]) -> dict:
    from openfoley.gym.long.sound import LongSound
    from openfoley.gym.sound import render_sound
    from openfoley.gym.truth import truth

    if world_of(scene.seed) != "long":
        rendered = render_sound(scene, sample_rate=SAMPLE_RATE, with_stems=False)
        sound[:] = (rendered.mix.clamp(-1, 1) * FULL_SCALE).round().short().numpy()
        return truth(scene, rendered, FRAME_RATE)
    chunks, done = LongSound(scene, SAMPLE_RATE), 0
    for chunk in chunks:
        sound[:, done : done + chunk.shape[-1]] = (chunk.clamp(-1, 1) * FULL_SCALE).round().short().numpy()
        done += chunk.shape[-1]
    return truth(scene, chunks.levels, FRAME_RATE)


def true_sound(seed: int, split: Split, silent: bool | None = None) -> tuple[Scene, np.ndarray, dict]:
    """A scene of 8 s, its sound int16 [2, 352800] and truth, without its frames."""
    scene = sample_scene(seed, DURATION_S, split=split, silent=silent)
    samples = np.empty((2, SAMPLES), np.int16)
    return scene, samples, _sound_into(scene, samples)
