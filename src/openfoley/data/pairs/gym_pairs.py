"""Gym scenes of 2 s as pairs, rendered once to memory-mapped arrays: `openfoley data pairs gym`.

DIR/train, validation, evaluation, heldout:
  frames.npy  uint8  [scenes, 16, 3, 32, 32]   8 a second
  sound.npy   int16  [scenes, 32000]           16 kHz, the mean of both sides
  truth.json  a list of `gym.truth.truth` records; written last

A scene takes about 0.12 s of one core and, at 32 pixels, 113 kB. An interrupted run continues from its last block.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from openfoley.data.disk import create_array, write_json
from openfoley.data.gym_cache import check_scenes
from openfoley.data.pairs.pair import FULL_SCALE, GYM_FORM, Pair, PairForm
from openfoley.data.workers import render_pool
from openfoley.errors import UsageError
from openfoley.gym.records import Scene
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import Split, World, check_worlds, split_of, world_of
from openfoley.media.write.atomic import make_folder

FINISHED, UNFINISHED = "truth.json", "unfinished.json"
WORLD: World = "close-up"
BLOCK = 128
"""Scenes between two records of what is done."""


@dataclass(frozen=True)
class GymPairs:
    """An opened folder of one split; the arrays are read-only memory maps."""

    folder: Path
    frames: np.ndarray
    sound: np.ndarray
    truth: list[dict]

    @property
    def form(self) -> PairForm:
        return PairForm(count=self.frames.shape[1], size=self.frames.shape[-1])

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps([self.truth, self.frames.shape]).encode()).hexdigest()

    @property
    def names(self) -> list[str]:
        return [str(record["seed"]) for record in self.truth]

    @property
    def captions(self) -> list[tuple[str, ...]]:
        return [tuple(record["captions"]) for record in self.truth]

    def __len__(self) -> int:
        return len(self.truth)

    def __getitem__(self, index: int) -> Pair:
        frames, sound = (np.array(part[index]) for part in (self.frames, self.sound))
        samples = torch.from_numpy(sound).float() / FULL_SCALE
        record = self.truth[index]
        return Pair(str(record["seed"]), torch.from_numpy(frames), samples, tuple(record["captions"]))

    @classmethod
    def open(cls, folder: Path) -> GymPairs:
        """UsageError where the folder holds no finished pairs."""
        if not (folder / FINISHED).is_file():
            raise UsageError(f"no Gym pairs in {str(folder)!r}; make them with `openfoley data pairs gym`")
        truth = json.loads((folder / FINISHED).read_text())
        frames, sound = (np.load(folder / name, mmap_mode="r") for name in ("frames.npy", "sound.npy"))
        return cls(folder, frames, sound, truth)

    @classmethod
    def build(
        cls,
        folder: Path,
        seeds: Sequence[int],
        form: PairForm = GYM_FORM,
        *,
        workers: int | None = None,
        progress: Callable[[float, float], None] | None = None,
    ) -> GymPairs:
        """Render the scenes of `seeds` (of any world of the Gym) in `workers` processes (as many as cores if None; 1:
        in this one), or open those that are there. UsageError for a folder of other scenes or another form."""
        if (folder / FINISHED).is_file():
            pairs = cls.open(folder)
            check_scenes(folder, pairs.truth, seeds)
            if pairs.form != form:
                raise UsageError(
                    f"{str(folder)!r} holds pairs of {pairs.form.count} frames of {pairs.form.size} pixels; choose "
                    "another folder"
                )
            return pairs
        check_worlds(seeds)
        make_folder(folder)
        shapes = {"frames.npy": (len(seeds), form.count, 3, form.size, form.size),
                  "sound.npy": (len(seeds), int(form.samples))}  # fmt: skip
        records = _begun(folder, seeds, shapes)
        if not records:
            create_array(folder / "frames.npy", np.uint8, shapes["frames.npy"])
            create_array(folder / "sound.npy", np.int16, shapes["sound.npy"])
        jobs = [(str(folder), row, seed, form) for row, seed in enumerate(seeds)]
        if workers == 1:
            _render_all(jobs, records, lambda block: map(_render_row, block), progress)
        else:
            with render_pool(workers) as pool:
                _render_all(jobs, records, lambda block: pool.map(_render_row, block, chunksize=4), progress)
        write_json(folder / FINISHED, records)
        (folder / UNFINISHED).unlink(missing_ok=True)
        return cls.open(folder)


def _begun(folder: Path, seeds: Sequence[int], shapes: dict[str, tuple[int, ...]]) -> list[dict]:
    """The truth of the scenes that an interrupted run for these seeds and this form has finished."""
    if not (folder / UNFINISHED).is_file():
        return []
    records: list[dict] = json.loads((folder / UNFINISHED).read_text())
    check_scenes(folder, records, seeds[: len(records)])
    if any(np.load(folder / name, mmap_mode="r").shape != shape for name, shape in shapes.items()):
        raise UsageError(f"{str(folder)!r} holds other pairs, unfinished; choose another folder or delete it")
    return records


def _render_all(
    jobs: Sequence[tuple], records: list[dict], render: Callable, progress: Callable[[float, float], None] | None
) -> None:
    """Append the truth of the scenes that are left, and note it in the folder after each block."""
    while len(records) < len(jobs):
        block = jobs[len(records) : len(records) + BLOCK]
        done: list[dict] = []
        for record in render(block):
            done.append(record)
            if progress is not None:
                progress(len(records) + len(done), len(jobs))
        records += done
        write_json(Path(jobs[0][0]) / UNFINISHED, records)


def _render_row(job: tuple[str, int, int, PairForm]) -> dict:
    folder, row, seed, form = job
    pair, record = render_pair(seed, form)
    np.load(Path(folder) / "frames.npy", mmap_mode="r+")[row] = pair.frames.numpy()
    samples = (pair.sound.clamp(-1, 1) * FULL_SCALE).round().short()
    np.load(Path(folder) / "sound.npy", mmap_mode="r+")[row] = samples.numpy()
    return record


def render_pair(seed: int, form: PairForm = GYM_FORM) -> tuple[Pair, dict]:
    """A scene of any world as a pair, and its truth."""
    from openfoley.gym.picture import render_picture
    from openfoley.gym.sound import render_sound
    from openfoley.gym.truth import truth
    from openfoley.media.resample import resample
    from openfoley.types import Audio

    scene = _scene(seed, form)
    sound = render_sound(scene, with_stems=False)
    frames = render_picture(scene, rate=form.rate, height=form.size, width=form.size)
    mono = Audio(sound.mix.mean(0, keepdim=True), round(sound.mix.shape[-1] / scene.duration_s))
    samples = resample(mono, form.sample_rate).samples[0]
    return Pair(str(seed), frames, samples, scene.captions), truth(scene, sound, form.rate)


def _scene(seed: int, form: PairForm) -> Scene:
    split: Split = split_of(seed, world_of(seed))
    return sample_scene(seed, float(form.duration_s), split=split, aspect=1.0, single_shot=True)
