"""Gym scenes of several things that sound, with the picture and the sound of each alone: what a name selects, known.

A source is what one actor of a scene does, in the world of bodies one mechanism of a shot. Its scene without the other
actors has the same camera, light and room: its picture is what the named thing looks like alone, its sound is its stem,
its events are those to be heard. Bodies move as they did beside the others; scenes whose mechanisms touch each other
are left out.

frames.npy    uint8  [pictures, 192, 3, 96, 96]   of each scene: whole, empty, and each source alone
sound.npy     int16  [sources, 2, 352800]         of each source alone; silence for a name of something that is absent
sources.json  a list of `Source` records
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import repeat
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.data.disk import create_array, write_json
from openfoley.data.gym_cache import FRAME_RATE, FRAMES, FULL_SCALE, SAMPLE_RATE, SAMPLES, SIZE, check_scenes
from openfoley.data.workers import logged, render_pool
from openfoley.errors import UsageError
from openfoley.gym.captions import reword, said_of
from openfoley.gym.records import Performance, Scene
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import FIRST_SEEDS, Split, check_world, check_worlds, world_of
from openfoley.media.channels import fitted
from openfoley.media.resample import resample
from openfoley.media.write.atomic import make_folder
from openfoley.types import Audio

FINISHED = "sources.json"
DURATION_S = 8.0
WORDINGS = 4  # names of a source
LEAST_SOURCES = 2
NO_MATERIAL = "none"


@dataclass(frozen=True)
class Source:
    """names: each means this source and no other in its scene. whole, alone, empty: rows of the pictures; an absent
    one, which is not in the scene, is alone where the scene is empty. truth: of the source alone (`gym.truth`); empty
    for clips that are no Gym's, whose picture is the same in all three."""

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
        events = self.truth.get("events")
        return self.absent or events is None or any(event["visible"] and event["audible"] for event in events)

    def is_near(self, other: "Source") -> bool:
        """Of the same material or action, or with a word in common."""
        same_matter = self.material == other.material != NO_MATERIAL
        return same_matter or self.action == other.action or not set(self._words).isdisjoint(other._words)

    @property
    def _words(self) -> list[str]:
        return self.names[0].split()

    def shares(self, name: str, other: "Source") -> bool:
        """Whether a name of this one may mean the other too: its own, or one by the material alone."""
        if name in other.names or (self.material, self.action) == (other.material, other.action):
            return True
        by_material = name.startswith("the ") and name.endswith(" one")
        return self.names[0] == other.names[0] or (by_material and self.material == other.material)

    @property
    def coarse_name(self) -> str:
        """The plainest name without the material, as far as it says it."""
        words = [word for word in self._words if word not in (self.material, *said_of(self.material))]
        return " ".join(words) or self.names[0]


@dataclass(frozen=True)
class GymSources:
    """An opened cache; the arrays are read-only maps."""

    folder: Path
    frames: np.ndarray
    sound: np.ndarray
    sources: tuple[Source, ...]

    def __len__(self) -> int:
        return len(self.sources)

    def length(self, row: int) -> int:
        """Frames of a row of the pictures."""
        return self.frames.shape[1]

    def snippet(self, row: int, first: int, count: int) -> UInt8[Tensor, "count 3 height width"]:
        return torch.from_numpy(np.array(self.frames[row, first : first + count]))

    def heard(self, number: int, sample_rate: int, channels: int, samples: int) -> Float[Tensor, "channels samples"]:
        """The sound of a source alone."""
        own = fitted(torch.from_numpy(np.array(self.sound[number])).float() / FULL_SCALE, channels).contiguous()
        wave = resample(Audio(own, SAMPLE_RATE), sample_rate).samples[:, :samples]
        return torch.nn.functional.pad(wave, (0, samples - wave.shape[-1]))

    @classmethod
    def open(cls, folder: Path) -> "GymSources":
        """Raises UsageError when the folder holds no finished cache."""
        if not (folder / FINISHED).is_file():
            raise UsageError(f"no Gym sources in {str(folder)!r}; `openfoley train selective-encoder` renders them")
        records = json.loads((folder / FINISHED).read_text())
        frames, sound = (np.load(folder / name, mmap_mode="r") for name in ("frames.npy", "sound.npy"))
        return cls(folder, frames, sound, tuple(Source(**{**r, "names": tuple(r["names"])}) for r in records))

    @classmethod
    def build(
        cls, folder: Path, seeds: Sequence[int], *, split: Split, twins: bool = False, workers: int | None = None
    ) -> "GymSources":
        """Render those scenes of `seeds` that have several sources; a finished cache is reused (UsageError if it is of
        other seeds or another version of the Gym, or if the extra of a world is missing). Those of the world of bodies
        have two mechanisms in each shot. twins: only things of one kind and different materials (`twins_in`)."""
        asked = folder / "seeds.json"
        if (folder / FINISHED).is_file():
            cache = cls.open(folder)
            scenes = [source.truth for source in {source.whole: source for source in cache.sources}.values()]
            check_scenes(folder, scenes, [truth["seed"] for truth in scenes])  # of this version of the Gym
            if not asked.is_file() or json.loads(asked.read_text()) != list(seeds):
                raise UsageError(f"{str(folder)!r} holds scenes of other seeds; choose another folder or delete it")
            return cache
        check_worlds(seeds)
        with render_pool(workers) as pool:
            counts = pool.map(_count, seeds, repeat(split), repeat(twins), chunksize=8)
            numbers = list(logged(counts, "scenes", unit="scenes", every=200, total=len(seeds)))
            found = [(seed, count) for seed, count in zip(seeds, numbers, strict=True) if count >= LEAST_SOURCES]
            if not found:
                raise UsageError(
                    f"none of the {len(seeds)} scenes has {LEAST_SOURCES} things that sound; give more seeds"
                )
            jobs, pictures, sounds = [], 0, 0
            for k, (seed, count) in enumerate(found):
                foreign = _flat(found[(k + 1) % len(found)][0])
                jobs.append((str(folder), seed, foreign, split, twins, pictures, sounds))
                pictures, sounds = pictures + 2 + count, sounds + count + 1
            make_folder(folder)
            create_array(folder / "frames.npy", np.uint8, (pictures, FRAMES, 3, SIZE, SIZE))
            create_array(folder / "sound.npy", np.int16, (sounds, 2, SAMPLES))
            rows = pool.map(_render, jobs, chunksize=2)
            records = [r for of in logged(rows, "sources", unit="scenes", every=50, total=len(jobs)) for r in of]
        write_json(asked, list(seeds))
        write_json(folder / FINISHED, records)
        return cls.open(folder)


def scene_of(seed: int, split: Split) -> Scene:
    """The scene of `seed`; of bodies one with two mechanisms in each shot, so another than `sample_scene` gives."""
    if world_of(seed) == "flat":
        return sample_scene(seed, DURATION_S, split=split)
    check_world("bodies")
    from openfoley.gym.bodies.scene import sample_bodies_scene

    return sample_bodies_scene(seed, DURATION_S, split=split, silent=False, several=True)


def _count(seed: int, split: Split, twins: bool) -> int:
    """Sources of a scene."""
    return len(_chosen(scene_of(seed, split), twins))


def _chosen(scene: Scene, twins: bool) -> dict[tuple[str, ...], Performance]:
    return twins_in(scene) if twins else sources_in(scene)


def _flat(seed: int) -> int:
    """A scene with names of what may be absent: itself, or for one of bodies, whose simulation takes seconds, the flat
    one at the same place of the split."""
    world = world_of(seed)
    return seed - FIRST_SEEDS[world] + FIRST_SEEDS["flat"]


def sources_in(scene: Scene) -> dict[tuple[str, ...], Performance]:
    """The things of a scene that sound and that a name tells from all others, by their names, the plainest first."""
    rng = np.random.default_rng([scene.seed, 19])
    acts = [p for shot in scene.shots for p in shot.performances if _sounds(p)]
    if any(_touches_another(act) for act in acts):
        return {}
    forms = [_forms(act) for act in acts]
    named = {}
    for k, act in enumerate(acts):
        others = {form for j, of in enumerate(forms) if j != k for form in of}
        own = [form for form in forms[k] if form not in others]
        if own:
            worded = [own[0], *(reword(own[n % len(own)], rng) for n in range(1, WORDINGS))]
            named[tuple(worded)] = act
    return named


def twins_in(scene: Scene) -> dict[tuple[str, ...], Performance]:
    """Sources that have another of their kind beside them, of another material, by the names that tell these two apart
    by an attribute: "the steel one". As `sources_in`."""
    rng = np.random.default_rng([scene.seed, 20])
    acts = [p for shot in scene.shots for p in shot.performances if _sounds(p)]
    if any(_touches_another(act) for act in acts):
        return {}
    named = {}
    for shot in scene.shots:
        for act in (act for act in shot.performances if _sounds(act)):
            thing, name = act.objects[0], _by_attribute(act)
            beside = [other.objects[0] for other in shot.performances if other is not act and _sounds(other)]
            twin = any(o.action == thing.action and o.material != thing.material for o in beside)
            if twin and sum(_by_attribute(other) == name for other in acts) == 1:
                named[(name, *(reword(name, rng) for _ in range(1, WORDINGS)))] = act
    return named if len(named) >= LEAST_SOURCES else {}


def only(scene: Scene, kept: Sequence[Performance]) -> Scene:
    """The scene without the sounding things that are not kept. What makes no sound (panels, distractors) stays."""
    ours = {id(act) for act in kept}
    shots = []
    for shot in scene.shots:
        acts = tuple(act for act in shot.performances if id(act) in ours or not _sounds(act))
        gone = {_mechanism(act.objects[0].id) for act in shot.performances if _sounds(act) and id(act) not in ours}
        stage = shot.stage
        if stage is not None:
            solids = tuple(solid for solid in stage.solids if _mechanism(solid.owner) not in gone)
            stage = replace(stage, solids=solids)
        shots.append(replace(shot, performances=acts, stage=stage))
    return replace(scene, shots=tuple(shots))


def _mechanism(name: str) -> str:
    """Of a body or an object, by its id."""
    return name.partition(".")[0]


def _touches_another(act: Performance) -> bool:
    """Whether its objects meet those of another mechanism: neither would move as it does without the other."""
    return any(c.partner is not None and _mechanism(c.partner) != _mechanism(c.object_id) for c in act.contacts)


def _sounds(act: Performance) -> bool:
    return bool(act.objects) and bool(act.contacts or act.frictions)


def _forms(act: Performance) -> tuple[str, ...]:
    """What may be said of it, the plainest first; by an attribute alone too."""
    thing = act.objects[0]
    return (
        thing.caption,
        act.caption,
        _by_attribute(act),
        f"{thing.material} {thing.action}",
        f"{thing.action} of {thing.material}",
    )


def _by_attribute(act: Performance) -> str:
    return f"the {act.objects[0].material} one"


def _render(job: tuple[str, int, int, Split, bool, int, int]) -> list[dict]:
    """One scene's pictures from row `picture` on and sounds from row `sound` on. foreign: a scene from which the name
    of something absent is taken."""
    from openfoley.gym.picture import render_picture
    from openfoley.gym.sound import render_sound
    from openfoley.gym.truth import truth

    folder, seed, foreign, split, twins, picture, sound = job
    frames = np.load(Path(folder) / "frames.npy", mmap_mode="r+")
    sounds = np.load(Path(folder) / "sound.npy", mmap_mode="r+")
    scene = scene_of(seed, split)
    named, whole, empty, records = _chosen(scene, twins), picture, picture + 1, []
    stems = {} if world_of(seed) == "flat" else render_sound(scene, sample_rate=SAMPLE_RATE).stems
    for row, part in ((whole, scene), (empty, only(scene, ()))):
        frames[row] = render_picture(part, rate=FRAME_RATE, height=SIZE, width=SIZE).numpy()
    for k, (names, act) in enumerate(named.items()):
        alone = replace(only(scene, [act]), caption=names[0], captions=names)
        frames[empty + 1 + k] = render_picture(alone, rate=FRAME_RATE, height=SIZE, width=SIZE).numpy()
        heard = render_sound(alone, sample_rate=SAMPLE_RATE, with_stems=False)
        mix = torch.stack([stems[one.id] for one in act.objects]).sum(0) if stems else heard.mix
        sounds[sound + k] = (mix.clamp(-1, 1) * FULL_SCALE).round().short().numpy()
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

    thing = GymObject("absent", "barking dog", NO_MATERIAL, 0.3, 0, "bark")
    return {("a dog barks", "barking dog", "the dog", "bark of a dog"): Performance(objects=[thing])}
