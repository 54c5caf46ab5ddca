"""Hands that put things down, and that knock."""

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies.description import Body, Driven, Joint, Piece, Servo
from openfoley.gym.bodies.families.blows import Spot, Striker, any_blows, striking
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.parts import SKIN, hand, rod
from openfoley.gym.bodies.families.things import NOUNS, lowest, pieces_of
from openfoley.gym.bodies.records import Box, Sphere, Surface, Vector
from openfoley.gym.records import GymObject

PUT_KINDS = ("mug", "can", "box", "die", "plate", "ball", "jack", "pebble")
ARM_HZ = 14.0


def putting(builder: Builder) -> Mechanism:
    """Hands put things down, rest, and lift them again. Silent: they hover above the ground and go up again."""
    p, play = builder, Mechanism()
    count = p.count(1, 3)
    for k in range(count):
        kind, material, size = p.pick(PUT_KINDS), p.material(), p.size_m * p.uniform(0.6, 1.2)
        thing = p.thing("put", NOUNS[kind], material, size)
        play.objects.append(thing)
        x, z = (k - (count - 1) / 2) * p.size_m * 2.6, p.uniform(-0.5, 0.5) * p.size_m
        play.bodies += _put(p, f"{k}", thing, pieces_of(kind, size, material, p), (x, 0.0, z))
    play.radius, play.height = p.size_m * (0.8 + 1.3 * count), p.size_m * 3
    play.caption = f"a {play.objects[0].caption} is put down again and again"
    return play


def _put(builder: Builder, name: str, thing: GymObject, pieces: tuple[Piece, ...], there: Vector) -> list[Body]:
    """A thing on a slanting slide that is led down and up, and the hand above it, which lets go between."""
    p, size, low = builder, thing.size_m, lowest(pieces)
    lift, slant = size * p.uniform(0.8, 2.5), p.uniform(-0.7, 0.7)
    axis = (float(np.sin(slant)), float(np.cos(slant)), 0.0)
    times, dwells = _visits(p)
    falls = [p.uniform(0.3, 0.7) for _ in times]
    gap = 0.0 if p.sounds else p.uniform(0.15, 0.4)

    def above(t: np.ndarray) -> np.ndarray:
        """0 on the ground, 1 lifted."""
        height = np.ones(len(t))
        for time_s, dwell, fall in zip(times, dwells, falls, strict=True):
            before = np.clip((t - time_s) / fall + 1, 0, 1)
            down = 1 - before**2 if p.sounds else 1 - (1 - gap) * motion.smooth(before)
            up = gap + (1 - gap) * motion.smooth((t - time_s - dwell) / 0.4)
            height = np.minimum(height, np.where(t < time_s, down, up))
        return height

    def away(t: np.ndarray) -> np.ndarray:
        """How far the hand has gone up from the thing, 0..1, while that stands."""
        gone = [
            motion.smooth((t - time_s - 0.15) / 0.3) - motion.smooth((t - time_s - dwell + 0.45) / 0.4)
            for time_s, dwell in zip(times, dwells, strict=True)
            if dwell > 1.0 and p.sounds
        ]
        return np.sum(gone, axis=0) if gone else np.zeros(len(t))

    x, y, z = (float(v) for v in np.array(there) + lift * np.array(axis) + np.array([0.0, low, 0.0]))
    base, way = np.array([there[0], low + size * 0.1, there[2]]), np.array(axis) * lift
    path = lambda t: (
        base + way * above(t)[:, None] + np.array([0.0, size * 1.2, 0.0]) * away(t)[:, None],
        np.tile(np.array([1.0, 0.0, 0.0, 0.0]), (len(t), 1)),
    )
    holds = Body(f"{p.id}.hand{name}", tuple(hand(size * p.uniform(0.7, 0.9), p)), motion=Driven(path))
    if not p.sounds:
        held = lambda t: (path(t)[0] - np.array([0.0, size * 0.1, 0.0]), path(t)[1])
        return [Body(f"{p.id}.{name}", pieces, motion=Driven(held)), holds]
    slide = Joint("slide", axis, servo=Servo(lambda t: lift * (above(t) - 1), ARM_HZ))
    return [
        Body(f"{p.id}.{name}", pieces, p.matter(thing.material), (x, y, z), motion=slide, object_id=thing.id),
        holds,
    ]


def _visits(builder: Builder) -> tuple[list[float], list[float]]:
    """When things are put down, and how long they stand."""
    p, times, dwells = builder, [], []
    time_s = p.start_s + p.uniform(0.5, 1.5)
    while time_s < p.end_s - 0.3:
        times.append(time_s)
        dwells.append(p.uniform(0.2, 2.0))
        time_s += dwells[-1] + 0.4 + 0.75 + p.uniform(0.0, 1.0)
    return times, dwells


def knocking(builder: Builder) -> Mechanism:
    """A fist knocks on a door, a table or a box, in bursts. Silent: it stops short each time."""
    p, play = builder, Mechanism()
    noun, size = p.pick(("door", "table", "box", "window")), p.size_m
    materials = ("glass",) if noun == "window" else ("wood", "plastic", "steel", "cardboard")
    material = p.material(*materials)
    wide, thick = size * p.uniform(1.5, 3.0), size * p.uniform(0.06, 0.15)
    thing, paint = p.thing("knock", noun, material, wide), p.surface(material, wide)
    play.objects = [thing]
    if noun in ("door", "window"):
        high = wide * p.uniform(0.7, 1.1)
        pieces = (Piece(Box((wide / 2, high, thick)), paint), *_border(p, wide / 2, high, thick))
        body = Body(f"{p.id}.held", pieces, p.matter(material), (0, high, 0), object_id=thing.id, rings=True)
        spot = Spot((p.uniform(-0.2, 0.2) * wide, high * p.uniform(0.8, 1.4), -thick), (0.0, 0.0, -1.0), _from(p))
        play.height = 2 * high
    else:
        high = size * p.uniform(0.5, 1.2)
        slab = (wide / 2, thick, wide / 3) if noun == "table" else (wide / 2, high / 2, wide / 3)
        middle = high - slab[1]
        corners = [(x * slab[0] * 0.9, z * slab[2] * 0.9) for x in (-1, 1) for z in (-1, 1) if noun == "table"]
        legs = [rod((x, -middle, z), (x, 0, z), thick * 0.7, paint) for x, z in corners]
        pieces = (Piece(Box(slab), paint), *legs)
        body = Body(f"{p.id}.held", pieces, p.matter(material), (0, middle, 0), object_id=thing.id, rings=True)
        spot = Spot((p.uniform(-0.5, 0.5) * slab[0], high, 0.0), (0.0, 1.0, 0.0), (p.pick((-1.0, 1.0)), 0.0, -0.5))
        play.height = high + size * 1.5
    play.bodies = [body, striking(p, "fist", _fist(p, size), spot, any_blows(p, bursts=True))]
    play.radius = wide / 2 + size
    play.caption = f"knocking on a {thing.caption}"
    return play


def _from(builder: Builder) -> Vector:
    return builder.pick(((1.0, -0.3, 0.0), (-1.0, -0.3, 0.0), (0.0, -1.0, 0.0)))


def _border(builder: Builder, wide: float, high: float, thick: float) -> list[Piece]:
    paint, edge = builder.surface("wood", wide), wide * 0.08
    sides = (((edge, high + edge, thick * 1.5), (side * (wide + edge), 0.0, 0.0)) for side in (-1, 1))
    return [Piece(Box(half), paint, centre, touches=False) for half, centre in sides]


def _fist(builder: Builder, size: float) -> Striker:
    """A fist of knuckles before a forearm; or a gloved one, a ball."""
    p, paint = builder, Surface(builder.pick(SKIN), gloss=0.1)
    r, reach = size * p.uniform(0.2, 0.3), size * p.uniform(1.2, 2.0)
    arm = rod((-reach, 0, 0), (0, 0, 0), r * 0.6, paint, touches=False)
    palm = Piece(Box((r * 0.8, r * 0.6, r)), paint, touches=False)
    knuckles = [Piece(Sphere(r * 0.35), paint, (r * 0.3, -r * 0.65, (k - 1.5) * r * 0.5)) for k in range(4)]
    weight = min(1.0, 900 * r**3 * 8)
    return Striker((arm, palm, *knuckles), p.matter("rubber"), weight, reach, r, p.uniform(0.3, 0.7))
