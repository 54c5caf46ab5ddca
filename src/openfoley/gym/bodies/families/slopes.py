"""Things that come down stairs and ramps."""

from dataclasses import replace

import numpy as np

from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Driven, Free
from openfoley.gym.bodies.families.drops import APPEARS_S
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.motions import path_along, swings
from openfoley.gym.bodies.families.things import ALONG_X, NOUNS, ROUND, farthest, lowest, pieces_of
from openfoley.gym.bodies.records import Vector

ROLLING = ("rod", "die", "pebble", "jack", "ring", "dumbbell", "mug", "plate")
"""Kinds that go on down stairs once they are thrown."""


def stairs(builder: Builder) -> Mechanism:
    """Things roll or are thrown down stairs. Silent: they float above them, up and down."""
    p, play = builder, Mechanism()
    kind, material = p.pick((*ROUND, *ROUND, "can", "can", *ROLLING)), p.material()
    size = p.size_m * p.uniform(0.6, 1.1)
    steps, rise, tread = p.count(3, 7), size * p.uniform(0.5, 1.3), size * p.uniform(1.0, 2.2)
    wide, long = size * p.uniform(2, 5), steps * tread
    boxes: list[tuple[Vector, Vector]] = []
    for k in range(steps):  # the highest on the left
        half = (tread / 2, rise * (steps - k) / 2, wide / 2)
        boxes.append((half, (-long / 2 + (k + 0.5) * tread, half[1], 0.0)))
    play.bodies.append(p.fixture("stairs", *boxes))
    if p.chance(0.5):
        play.bodies.append(_wall(p, long / 2 + size * p.uniform(3, 8), size * 2, wide))
    thing = p.thing("bounce", NOUNS[kind], material, size)
    play.objects, play.radius, play.height = [thing], long / 2 + size * 2, rise * steps + 2 * size
    for k, time_s in enumerate(p.times(1.0, 3.0)[: p.count(1, 5)]):
        pieces = pieces_of(kind, size * p.uniform(0.7, 1.1), material, p)
        y = rise * steps + size * p.uniform(0.8, 1.6)
        start = (-long / 2 - size * 0.2, y, p.uniform(-0.3, 0.3) * wide)
        motion: Free | Driven = Free(time_s, (p.uniform(0.8, 2.0) * float(np.sqrt(size * 8)), 0, p.uniform(-0.1, 0.1)))
        if not p.sounds:
            amount = swings(p, 0.5, p.uniform(1.5, 4.0))
            slope = (long, -rise * steps, 0.0)
            # The edges of the steps lie on a line that is one rise above the one through their middles.
            clear = (farthest(pieces) + size * p.uniform(0.1, 0.5)) * float(np.hypot(rise, tread)) / tread
            base = (0.0, rise * (steps / 2 + 1) + clear, start[2])
            play.height = max(play.height, rise * (steps + 1) + clear + size)
            motion = Driven(path_along(base, slope, amount))
        play.bodies.append(
            Body(
                f"{p.id}.{k}",
                pieces,
                p.matter(material),
                start,
                ALONG_X if kind in ("rod", "can") and p.chance(0.5) else rotation.random_turn(p.rng),
                motion,
                thing.id if p.sounds else None,
                shown=(time_s - APPEARS_S, np.inf) if p.sounds else (-np.inf, np.inf),
            )
        )
        if not p.sounds:
            break
    play.caption = f"a {thing.caption} comes down stairs"
    return play


def ramp(builder: Builder) -> Mechanism:
    """Things roll or slide down a ramp against a wall or a row of things. Silent: a ball flies by above it."""
    p, play = builder, Mechanism()
    kind, material = p.pick((*ROUND, *ROUND, "can", "box", "die", "jack")), p.material()
    size, angle = p.size_m * p.uniform(0.5, 0.9), p.uniform(0.2, 0.55)
    long, thick, wide = size * p.uniform(5, 10), size * 0.15, size * p.uniform(2, 4)
    lean = rotation.about((0, 0, 1), -angle)
    middle = long / 2 * float(np.sin(angle)) + thick
    board = p.fixture("ramp", ((long / 2, thick, wide / 2), (0, 0, 0)), turn=lean)
    # What slides must not stay on the ramp: the next one would appear within it.
    slippery = {} if kind in ROUND else {"friction": float(np.tan(angle)) * p.uniform(0.1, 0.6)}
    board = Body(board.id, board.pieces, replace(board.matter, **slippery), (0, middle, 0), lean)
    foot = long / 2 * float(np.cos(angle))
    play.bodies.append(board)
    far = foot + size * p.uniform(2, 6)
    play.bodies.append(_wall(p, far, size * 1.5, wide))
    thing = p.thing("roll" if kind in ROUND else "slide", NOUNS[kind], material, size)
    play.objects, play.radius, play.height = [thing], (foot + far) / 2, 2 * middle + size
    if p.sounds and p.chance(0.6):
        _stand_in_the_way(p, play, (foot + size, far - size), size, wide)
    for k, time_s in enumerate(p.times(0.9, 2.5)[: p.count(1, 6)]):
        pieces = pieces_of(kind, size, material, p)
        above = lowest(pieces) + thick + (size * 0.01 if kind in ROUND else size * p.uniform(0.02, 0.5))
        along = (-long / 2 + size * 0.6, above, p.uniform(-0.25, 0.25) * wide)
        x, y, z = (float(v) for v in np.array(rotation.turned(lean, along)) + np.array([0, middle, 0]))
        motion: Free | Driven = Free(time_s, spin_loss_s=20.0)
        if not p.sounds:
            clear = 2 * middle + size * 1.5
            motion = Driven(path_along((0, clear, 0), (long / 2, size * 0.3, 0), swings(p, 1.0, p.uniform(1.5, 4.0))))
        matter = replace(p.matter(material), **slippery)
        shown = (time_s - APPEARS_S, np.inf) if p.sounds else (-np.inf, np.inf)
        object_id = thing.id if p.sounds else None
        play.bodies.append(Body(f"{p.id}.{k}", pieces, matter, (x, y, z), lean, motion, object_id, shown=shown))
        if not p.sounds:
            break
    play.caption = f"a {thing.caption} {thing.action}s down a ramp"
    return play


def _wall(builder: Builder, x: float, high: float, wide: float) -> Body:
    thick = high * 0.1
    return builder.fixture("wall", ((thick, high / 2, wide / 2), (x + thick, high / 2, 0.0)))


def _stand_in_the_way(builder: Builder, play: Mechanism, span: tuple[float, float], size: float, wide: float) -> None:
    """Things to be knocked over, between two places on x."""
    material, kind = builder.material(), builder.pick(("can", "box", "die", "mug", "ball"))
    thing = builder.thing("knock", NOUNS[kind], material, size * 0.7)
    play.objects.append(thing)
    for k in range(builder.count(1, 4)):
        pieces = pieces_of(kind, size * 0.7, material, builder)
        x, z = builder.uniform(*span), (k - 1.5) * wide * 0.3
        here = (x, lowest(pieces), z)
        play.bodies.append(
            Body(f"{builder.id}.stand{k}", pieces, builder.matter(material), here, motion=Free(), object_id=thing.id)
        )
