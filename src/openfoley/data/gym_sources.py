"""Gym scenes of several things that sound, with the picture and the sound of each alone: what a name selects, known.

Of the flat world: solids do not say whose they are. A source is what one actor of a scene does. Its scene without
the other actors has the same camera, light and room: its picture is what the named thing looks like alone, its sound is
its stem, its events are those to be heard.

frames.npy    uint8  [pictures, 192, 3, 96, 96]   of each scene: whole, empty, and each source alone
sound.npy     int16  [sources, 2, 352800]         of each source alone; silence for a name of something that is absent
sources.json  a list of `Source` records
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from openfoley.data.disk import create_array, make_folder, write_json
from openfoley.data.gym_cache import FRAME_RATE, FRAMES, FULL_SCALE, SAMPLE_RATE, SAMPLES, SIZE, check_scenes
from openfoley.data.workers import logged, render_pool
from openfoley.errors import UsageError
from openfoley.gym.captions import reword
from openfoley.gym.records import Performance, Scene
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import Split, world_of

FINISHED = "sources.json"
DURATION_S = 8.0
WORDINGS = 4  # names of a source
LEAST_SOURCES = 2


@dataclass(frozen=True)
class Source:
    """names: each means this source and no other in its scene. whole, alone, empty: rows of the pictures; an absent
    one, which is not in the scene, is alone where the scene is empty. truth: of the source alone (`gym.truth`)."""

    names: tuple[str, ...]
    material: str
    action: str
    whole: int
    alone: int
    empty: int
    absent: bool
    truth: dict

    @property
    def is_seen(self) -> bool:
        """Whether anything of it is seen and heard; a name of something absent counts."""
        return self.absent or any(event["visible"] and event["audible"] for event in self.truth["events"])


@dataclass(frozen=True)
class GymSources:
    """An opened cache; the arrays are read-only maps."""

    folder: Path
    frames: np.ndarray
    sound: np.ndarray
    sources: tuple[Source, ...]

    def __len__(self) -> int:
        return len(self.sources)

    @classmethod
    def open(cls, folder: Path) -> "GymSources":
        """Raises UsageError when the folder holds no finished cache."""
        if not (folder / FINISHED).is_file():
            raise UsageError(f"no Gym sources in {str(folder)!r}; `openfoley train selective-encoder` renders them")
        records = json.loads((folder / FINISHED).read_text())
        frames, sound = (np.load(folder / name, mmap_mode="r") for name in ("frames.npy", "sound.npy"))
        return cls(folder, frames, sound, tuple(Source(**{**r, "names": tuple(r["names"])}) for r in records))

    @classmethod
    def build(cls, folder: Path, seeds: Sequence[int], *, split: Split, workers: int | None = None) -> "GymSources":
        """Render those scenes of `seeds` that have several sources; a finished cache is reused (UsageError if it is of
        other seeds or another version of the Gym)."""
        if any(world_of(seed) != "flat" for seed in seeds):
            raise UsageError("sources are taken apart in the flat world alone; pass its seeds")
        found = [(seed, count) for seed in seeds if (count := len(sources_in(scene_of(seed, split)))) >= LEAST_SOURCES]
        if not found:
            raise UsageError(f"none of the {len(seeds)} scenes has {LEAST_SOURCES} things that sound; give more seeds")
        if (folder / FINISHED).is_file():
            cache = cls.open(folder)
            scenes = {source.truth["seed"]: source.truth for source in cache.sources}
            check_scenes(folder, list(scenes.values()), [seed for seed, _ in found])
            return cache
        jobs, pictures, sounds = [], 0, 0
        for k, (seed, count) in enumerate(found):
            jobs.append((str(folder), seed, found[(k + 1) % len(found)][0], split, pictures, sounds))
            pictures, sounds = pictures + 2 + count, sounds + count + 1
        make_folder(folder)
        create_array(folder / "frames.npy", np.uint8, (pictures, FRAMES, 3, SIZE, SIZE))
        create_array(folder / "sound.npy", np.int16, (sounds, 2, SAMPLES))
        with render_pool(workers) as pool:
            rows = pool.map(_render, jobs, chunksize=2)
            records = [r for of in logged(rows, "sources", unit="scenes", every=50, total=len(jobs)) for r in of]
        write_json(folder / FINISHED, records)
        return cls.open(folder)


def scene_of(seed: int, split: Split) -> Scene:
    return sample_scene(seed, DURATION_S, split=split)


def sources_in(scene: Scene) -> dict[tuple[str, ...], Performance]:
    """The things of a scene that sound and that a name tells from all others, by their names, the plainest first."""
    rng = np.random.default_rng([scene.seed, 19])
    acts = [p for shot in scene.shots for p in shot.performances if _sounds(p)]
    forms = [_forms(act) for act in acts]
    named = {}
    for k, act in enumerate(acts):
        others = {form for j, of in enumerate(forms) if j != k for form in of}
        own = [form for form in forms[k] if form not in others]
        if own:
            worded = [own[0], *(reword(own[n % len(own)], rng) for n in range(1, WORDINGS))]
            named[tuple(worded)] = act
    return named


def only(scene: Scene, kept: Sequence[Performance]) -> Scene:
    """The scene without the sounding things that are not kept. What makes no sound (panels, distractors) stays."""
    ours = {id(act) for act in kept}
    shots = []
    for shot in scene.shots:
        acts = tuple(act for act in shot.performances if id(act) in ours or not _sounds(act))
        shots.append(replace(shot, performances=acts))
    return replace(scene, shots=tuple(shots))


def _sounds(act: Performance) -> bool:
    return bool(act.objects) and bool(act.contacts or act.frictions)


def _forms(act: Performance) -> tuple[str, ...]:
    """What may be said of it, the plainest first; by an attribute alone too."""
    thing = act.objects[0]
    return (
        thing.caption,
        act.caption,
        f"the {thing.material} one",
        f"{thing.material} {thing.action}",
        f"{thing.action} of {thing.material}",
    )


def _render(job: tuple[str, int, int, Split, int, int]) -> list[dict]:
    """One scene's pictures from row `picture` on and sounds from row `sound` on. foreign: a scene from which the name
    of something absent is taken."""
    from openfoley.gym.picture import render_picture
    from openfoley.gym.sound import render_sound
    from openfoley.gym.truth import truth

    folder, seed, foreign, split, picture, sound = job
    frames = np.load(Path(folder) / "frames.npy", mmap_mode="r+")
    sounds = np.load(Path(folder) / "sound.npy", mmap_mode="r+")
    scene = scene_of(seed, split)
    named, whole, empty, records = sources_in(scene), picture, picture + 1, []
    for row, part in ((whole, scene), (empty, only(scene, ()))):
        frames[row] = render_picture(part, rate=FRAME_RATE, height=SIZE, width=SIZE).numpy()
    for k, (names, act) in enumerate(named.items()):
        alone = replace(only(scene, [act]), caption=names[0], captions=names)
        frames[empty + 1 + k] = render_picture(alone, rate=FRAME_RATE, height=SIZE, width=SIZE).numpy()
        heard = render_sound(alone, sample_rate=SAMPLE_RATE, with_stems=False)
        sounds[sound + k] = (heard.mix.clamp(-1, 1) * FULL_SCALE).round().short().numpy()
        thing, record = act.objects[0], truth(alone, heard, FRAME_RATE)
        records.append(Source(names, thing.material, thing.action, whole, empty + 1 + k, empty, False, record))
    names, act = absent_names(scene, scene_of(foreign, split))
    nothing = replace(only(scene, ()), caption=names[0], captions=names)
    record = truth(nothing, render_sound(nothing, sample_rate=SAMPLE_RATE, with_stems=False), FRAME_RATE)
    thing = act.objects[0]
    records.append(Source(names, thing.material, thing.action, whole, empty, empty, True, record))
    return [asdict(one) for one in records]


def absent_names(scene: Scene, other: Scene) -> tuple[tuple[str, ...], Performance]:
    """Names of something in another scene that fit nothing here; of a thing whose material is not here, if it has
    one."""
    here = [act for shot in scene.shots for act in shot.performances if act.objects]
    said = {form for act in here for form in _forms(act)}
    materials = {o.material for act in here for o in act.objects}
    fitting = [(names, act) for names, act in sources_in(other).items() if not said & set(_forms(act))]
    fitting.sort(key=lambda pair: pair[1].objects[0].material in materials)
    if fitting:
        return fitting[0]
    return next(iter(_unknown().items()))


def _unknown() -> dict[tuple[str, ...], Performance]:
    """A thing that no scene has, where the other scene has the same things."""
    from openfoley.gym.records import GymObject

    thing = GymObject("absent", "barking dog", "none", 0.3, 0, "bark")
    return {("a dog barks", "barking dog", "the dog", "bark of a dog"): Performance(objects=[thing])}
