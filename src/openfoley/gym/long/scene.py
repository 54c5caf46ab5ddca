"""Sampling a long scene: places, their shots, and the sources whose sound lasts.

A place has one look, one room and one or two lasting sources (`sources`). It is shown in shots as long as the flat
world's, each with a camera and actors of its own; the sound goes on over the cuts. A source sounds as long as the place
is shown, or begins or ends in it, visible unless the camera looks past it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from openfoley.gym.captions import scene_captions
from openfoley.gym.flat import ShotFrame, only_within, sample_actors, sample_grade, sample_room
from openfoley.gym.long.sources import SOURCES, Span, source_of
from openfoley.gym.records import Camera, Grade, Performance, Scene, Shot, Track
from openfoley.gym.seeds import Split
from openfoley.gym.shots import shot_end

PLACE_SHORTEST_S, PLACE_LONGEST_S = 24.0, 75.0
SILENT_SHARE = 0.05
SECOND_SOURCE_SHARE = 0.4
WHOLE_SHARE = 0.55
"""Of sources that sound as long as their place is shown."""
CAPTIONED_ACTORS = 2
CAMERA_SWING_S = 4.0
"""Cameras are sampled for shots of 8 s; their time swings this far around its middle, as fast as time at most."""


@dataclass(frozen=True)
class _Form:
    """What all shots of a scene have in common."""

    heldout: bool
    silent: bool
    aspect: float
    single_shot: bool


def sample_long_scene(
    seed: int, duration_s: float, *, split: Split, silent: bool | None, aspect: float | None, single_shot: bool
) -> Scene:
    """As `scene.sample_scene`. single_shot: one place, shown in one shot."""
    rng = np.random.default_rng([seed, 20261129])
    is_silent = bool(rng.random() < SILENT_SHARE) if silent is None else silent
    any_aspect = float(rng.choice([16 / 9, 4 / 3, 1.0, 2.0, 9 / 16], p=[0.45, 0.2, 0.2, 0.1, 0.05]))
    form = _Form(split == "heldout", is_silent, aspect or any_aspect, single_shot)
    shots: list[Shot] = []
    lasting: list[Performance] = []
    start, place = 0.0, 0
    while start < duration_s - 1e-9:
        end = duration_s if single_shot else _place_end(rng, start, duration_s)
        made, sources = _sample_place(rng, form, (start, end), place, len(shots))
        shots, lasting = shots + made, lasting + sources
        start, place = end, place + 1
    actors = [act for act in shots[0].performances if act.objects and act not in lasting]
    captions = scene_captions(lasting + actors[:CAPTIONED_ACTORS], rng)
    gain_db = float(rng.uniform(-8, 0))
    return Scene(seed, split, duration_s, form.aspect, gain_db, tuple(shots), captions[0], captions)


def _place_end(rng: np.random.Generator, start_s: float, duration_s: float) -> float:
    left = duration_s - start_s
    if left < 2 * PLACE_SHORTEST_S:
        return duration_s
    return start_s + float(rng.uniform(PLACE_SHORTEST_S, min(PLACE_LONGEST_S, left - PLACE_SHORTEST_S)))


def _sample_place(
    rng: np.random.Generator, form: _Form, between: tuple[float, float], place: int, first_shot: int
) -> tuple[list[Shot], list[Performance]]:
    """The shots of a place, numbered from `first_shot` on, and its lasting sources, the same in all of them."""
    start, end = between
    grade, room = sample_grade(rng, form.heldout), sample_room(rng)
    count = 0 if form.silent else 1 + int(rng.random() < SECOND_SOURCE_SHARE)
    kinds = rng.permutation(list(SOURCES))[:count]
    sides = [float(s) for s in rng.permutation([-1.0, 1.0])]
    sources = [
        source_of(str(kind), rng, _span(rng, start, end), (side * float(rng.uniform(0.3, 1.2))), f"source{place}{k}")
        for k, (kind, side) in enumerate(zip(kinds, sides, strict=False))
    ]
    shots: list[Shot] = []
    while start < end - 1e-9:
        stop = end if form.single_shot else shot_end(rng, start, end)
        shots.append(_sample_shot(rng, form, (start, stop), first_shot + len(shots), place, sources, grade, room))
        start = stop
    return shots, sources


def _span(rng: np.random.Generator, start: float, end: float) -> Span:
    """When a source of a place [start, end) s sounds: all the time, or it begins or ends in it."""
    kind = "whole" if rng.random() < WHOLE_SHARE else str(rng.choice(["begins", "ends"]))
    middle = start + float(rng.uniform(0.3, 0.7)) * (end - start)
    if kind == "begins":
        return Span(start, end, middle, None)
    return Span(start, end, None, middle if kind == "ends" else None)


def _sample_shot(
    rng: np.random.Generator,
    form: _Form,
    between: tuple[float, float],
    number: int,
    place: int,
    sources: Sequence[Performance],
    grade: Grade,
    room: tuple[float, float],
) -> Shot:
    start, end = between
    camera, acts = sample_actors(rng, ShotFrame(start, end, number, form.heldout, form.silent, form.aspect))
    acts = [_with_clock(act) for act in acts] + [only_within(source, start, end) for source in sources]
    return Shot(start, end, _swung(camera, (start + end) / 2), grade, tuple(acts), *room, place=place)


def _with_clock(act: Performance) -> Performance:
    """Its lasting sounds depend on the time alone."""
    return replace(act, frictions=[replace(one, clock_s=0.0) for one in act.frictions])


def _swung(camera: Camera, middle_s: float) -> Camera:
    """A camera that pans and trucks to and fro around the middle of its shot, however long and late that is."""

    def at(track: Track) -> Track:
        return lambda t: track(CAMERA_SWING_S * (1 + np.sin((t - middle_s) / CAMERA_SWING_S)))

    return Camera(camera.focal, at(camera.eye), at(camera.turn))
