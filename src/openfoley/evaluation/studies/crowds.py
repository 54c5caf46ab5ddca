"""Pictures of several sources whose events, sounds and places are known: two Gym scenes side by side, or one scene.

A source's sound and picture alone are those of its scene without the others (`data.gym_sources`); side by side the
whole picture of each is squeezed into its half, as in SelVA's benchmark (arXiv 2512.02650).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.data.auto_mixing import Mix, mixed
from openfoley.data.gym_cache import FRAME_RATE
from openfoley.data.gym_sources import absent_names, only, sources_in, twins_in
from openfoley.evaluation.metrics.truth import Truth, from_dict
from openfoley.evaluation.studies import clips
from openfoley.gym.picture import project, render_picture
from openfoley.gym.records import Part, Performance, Scene, Shot
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import seeds_of
from openfoley.media.source import Source
from openfoley.types import Audio

DURATION_S = 8.0
LEAST_EVENTS = 2  # of a source, visible and audible
SEEDS_EACH = 40  # among which a crowd's scenes are found: 0.18 of all have two such sources, 0.33 have one
TWIN_SEEDS_EACH = 400  # 0.01 of all have two of one kind
LEFT, RIGHT = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)
SIDES = Mix("beside", 0.5, 0, (0.0, 0.0))

NamesIn = Callable[[Scene], dict[tuple[str, ...], Performance]]
Boxes = Callable[[Float[np.ndarray, " times"]], Float[np.ndarray, "times 4"]]
"""Where something is at these times (s): left, top, right, bottom in 0..1 of the picture; no area: nowhere."""


@dataclass(frozen=True)
class Member:
    """One source of a picture. truth: of its events alone."""

    name: str
    truth: Truth
    sound: Audio
    alone: Source
    boxes: Boxes


@dataclass(frozen=True)
class Crowd:
    """A picture of several sources. absent: the name of something that is not in it. wanted: the members that are
    asked for in turn."""

    name: str
    picture: Source
    members: tuple[Member, ...]
    absent: str | None
    wanted: tuple[int, ...]


def one_scene(number: int, first_seed: int) -> Crowd | None:
    """Two sources in one scene of the evaluation split; None where none of its seeds has two that are seen."""
    return _together(_scenes(number, first_seed, 2), sources_in)


def twins(number: int, first_seed: int) -> Crowd | None:
    """The same of two things of one kind and different materials, named by these alone: "the steel one"."""
    return _together(_scenes(number, first_seed, 2, twins_in, TWIN_SEEDS_EACH), twins_in)


def _together(scenes: Iterator[Scene], names_in: NamesIn) -> Crowd | None:
    scene = next(scenes, None)
    other = next(scenes, scene)
    if scene is None or other is None:
        return None
    (shot,) = scene.shots
    members = [_member(scene, shot, name, act) for name, act in _named(scene, names_in).items()]
    if any(len(one.truth.only(True).scored_s) < LEAST_EVENTS for one in members):
        return None
    picture = Source.tensor(_pictures(scene), FRAME_RATE)
    return Crowd(f"{scene.seed}", picture, tuple(members), absent_names(scene, other)[0][0], (0, 1))


def side_by_side(number: int, first_seed: int) -> Crowd | None:
    """Two scenes of one source each; None where their sources share their names or are not seen."""
    found = list(zip(_scenes(number, first_seed, 1), range(3), strict=False))
    if len(found) < 3:
        return None
    (left, _), (right, _), (other, _) = found
    both = replace(left, shots=tuple(replace(s, performances=_acts(left) + _acts(right)) for s in left.shots))
    named = _named(both)
    if len(named) < 2:
        return None
    members = []
    for scene, name, box in zip((left, right), named, (LEFT, RIGHT), strict=True):
        (act,) = [one for one in _acts(scene) if _sounds(one)]
        members.append(replace(_member(scene, scene.shots[0], name, act), boxes=fixed(box)))
    if any(len(one.truth.only(True).scored_s) < LEAST_EVENTS for one in members):
        return None
    pair = mixed(_pictures(left), _pictures(right)[None], SIDES)
    absent = absent_names(both, other)[0][0]
    return Crowd(f"{left.seed}-{right.seed}", Source.tensor(pair, FRAME_RATE), tuple(members), absent, (0, 1))


def part_boxes(parts: Sequence[Part], shot: Shot, aspect: float) -> Boxes:
    """The boxes around painted parts, their shadows apart."""

    def at(times: Float[np.ndarray, " times"]) -> Float[np.ndarray, "times 4"]:
        edges = np.stack([_edges(part, shot, aspect, times) for part in parts])  # [parts, times, 4]
        low, high = edges[..., :2].min(0), edges[..., 2:].max(0)
        inside = np.concatenate([low, high], -1).clip(0, 1)
        return np.where((high > low).all(-1, keepdims=True), inside, 0.0)

    return at


def _edges(part: Part, shot: Shot, aspect: float, times: np.ndarray) -> np.ndarray:
    """[times, 4]: left, top, right, bottom; infinite the wrong way round where the part is transparent."""
    x, y, _, scale = project(shot.camera, aspect, part.position(times), times)
    angle = shot.camera.turn(times)[:, 2] + (0.0 if part.angle is None else part.angle(times))
    cos, sin = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    wide = (cos * part.half[0] + sin * part.half[1] + part.radius) * scale / aspect
    high = (sin * part.half[0] + cos * part.half[1] + part.radius) * scale
    edges = np.stack([x - wide, y - high, x + wide, y + high], -1)
    if part.opacity is not None:
        nowhere = np.array([np.inf, np.inf, -np.inf, -np.inf])
        edges = np.where(part.opacity(times)[:, None] > 0, edges, nowhere)
    return edges


def _scenes(
    number: int, first_seed: int, sources: int, names_in: NamesIn = sources_in, each: int = SEEDS_EACH
) -> Iterator[Scene]:
    """Scenes of one shot with so many things that sound, all of them by contacts and by a name of their own. each:
    seeds that are looked through."""
    for seed in seeds_of("evaluation", each, first_seed + number * each):
        aspect = 1.0 if sources == 1 else None
        scene = sample_scene(seed, DURATION_S, split="evaluation", silent=False, aspect=aspect, single_shot=True)
        acts = [act for act in _acts(scene) if _sounds(act)]
        is_named = len(acts) == sources == len(names_in(scene))
        if is_named and all(len(act.contacts) >= LEAST_EVENTS for act in acts):
            yield scene


def _named(scene: Scene, names_in: NamesIn = sources_in) -> dict[str, Performance]:
    """The sources of a scene by their plainest names."""
    return {names[0]: act for names, act in names_in(scene).items()}


def _acts(scene: Scene) -> tuple[Performance, ...]:
    return tuple(act for shot in scene.shots for act in shot.performances)


def _sounds(act: Performance) -> bool:
    return bool(act.objects) and bool(act.contacts or act.frictions)


def _member(scene: Scene, shot: Shot, name: str, act: Performance) -> Member:
    alone = only(scene, [act])
    sound, record = clips.true_sound(alone)
    picture = Source.tensor(_pictures(alone), FRAME_RATE)
    return Member(name, from_dict(record, name), sound, picture, part_boxes(act.parts, shot, scene.aspect))


def _pictures(scene: Scene) -> UInt8[Tensor, "frames 3 side side"]:
    return render_picture(scene, rate=FRAME_RATE, height=clips.SIDE, width=clips.SIDE)


def fixed(box: tuple[float, float, float, float]) -> Boxes:
    """The same box at all times."""
    return lambda times: np.tile(np.array(box), (len(times), 1))
