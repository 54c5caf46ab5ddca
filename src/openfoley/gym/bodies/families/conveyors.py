"""Conveyors: a belt brings boxes, cans and parcels out of a tunnel to its end, where they fall on the floor, into a bin
or on the next belt."""

from dataclasses import dataclass

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Driven, Fixed, Free, Piece, PoseTrack
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism, moved
from openfoley.gym.bodies.families.parts import rod, walls
from openfoley.gym.bodies.families.things import NOUNS, lowest, pieces_of, plural
from openfoley.gym.bodies.matter import GROUND, Matter
from openfoley.gym.bodies.records import UNTURNED, Box, Cylinder, Quaternion, Vector
from openfoley.gym.bodies.surfaces import any_surface
from openfoley.gym.motion import GRAVITY
from openfoley.gym.records import Track

KINDS = ("box", "box", "box", "die", "can", "mug", "plank", "pebble", "jack", "dumbbell")
GRIPPY = Matter(2000, 0.4, 0.9)
"""Of belts."""
MOST, CLEATS = 7, 4


@dataclass(frozen=True)
class _Belt:
    """left, right: its ends (m on x); top: its height; deep: half its width on z; speed: m/s to the right."""

    left: float
    right: float
    top: float
    deep: float
    thick: float
    speed: float


def conveyor(builder: Builder) -> Mechanism:
    """Things come one after another. Silent: the belt goes to and fro and brings none of them to its end."""
    p, play = builder, Mechanism()
    kind = p.pick(KINDS)
    material = p.material(
        *p.pick((("cardboard",), ("wood", "plastic", "steel", "glass", "ceramic", "rubber", "stone")))
    )
    size = p.size_m * p.uniform(0.6, 1.0)
    thing = p.thing("drop", plural(NOUNS[kind]), material, size)
    play.objects = [thing]
    speed = p.uniform(0.5, 1.6) * float(np.sqrt(size * 2.5))
    long, high = size * p.uniform(4, 7), min(size * p.scaled(1.2, 5), 1.2)
    belts = [_Belt(-long, 0.0, high, size * p.uniform(0.7, 1.1), size * p.uniform(0.06, 0.15), speed)]
    if high > 3 * size and p.chance(0.4):
        left = size * p.uniform(-0.5, 0.1)
        faster = speed * p.uniform(0.7, 1.2)
        belts.append(
            _Belt(left, left + long * 0.7, high * p.uniform(0.35, 0.6), belts[0].deep * 1.2, belts[0].thick, faster)
        )
    to_and_fro = None if p.sounds else _to_and_fro(p, size)
    for k, belt in enumerate(belts):
        play.bodies += _belt_of(p, belt, f"belt{k}", to_and_fro or _even(p, belt.speed))
    play.bodies.append(_tunnel(p, belts[0], size))
    end, last = belts[-1].right, belts[-1]
    if p.chance(0.35):
        flight = last.speed * float(np.sqrt(2 * last.top / GRAVITY))
        play.bodies.append(_bin(p, end + flight + size * 0.4, size))
        end += flight + 2 * size
    for k, time_s in enumerate(_starts(p, 1.6 * size / speed)):
        pieces, aside = pieces_of(kind, size * p.uniform(0.75, 1.0), material, p), p.uniform(-0.25, 0.25) * size
        facing = rotation.about((0, 1, 0), p.uniform(-0.5, 0.5))
        # The first one is on its way already, the others come out of the tunnel.
        x = -long * p.uniform(0.2, 0.5) if k == 0 and p.sounds else -long + size * 0.7
        name, matter, there = f"{p.id}.{k}", p.matter(material), (x, high + lowest(pieces), aside)
        if to_and_fro is None:
            free = Free(time_s, (speed, 0.0, 0.0), spin_loss_s=4.0)
            play.bodies.append(Body(name, pieces, matter, there, facing, free, thing.id, shown=(time_s, np.inf)))
        elif k < 3:
            carried = (-size * (1.2 + 1.3 * k), there[1], aside)
            play.bodies.append(Body(name, pieces, matter, motion=Driven(_carried(carried, facing, to_and_fro))))
    play.radius, play.height = (end + long) / 2 + size * 0.5, high + size
    play.caption = f"{thing.caption} fall off a conveyor"
    play.bodies = [moved(b, UNTURNED, ((long - end) / 2, 0.0, 0.0)) for b in play.bodies]
    return play


def _starts(builder: Builder, gap_s: float) -> list[float]:
    """When things start, at least a gap apart, in time to arrive."""
    found = [builder.start_s]
    for time_s in builder.times(0.6, 2.2, 1.5):
        if time_s - found[-1] > gap_s:
            found.append(time_s)
    return found[:MOST]


def _even(builder: Builder, speed: float) -> Track:
    return lambda t: speed * (t - builder.start_s)


def _to_and_fro(builder: Builder, size: float) -> Track:
    """How far a belt has moved (m): forward by half a thing's size at most."""
    p, reach = builder, size * builder.uniform(0.8, 2.0)
    period, phase = p.uniform(2.0, 5.0), p.uniform(0, 6.28)
    return lambda t: size * 0.4 - reach * (0.5 - 0.5 * np.cos(2 * np.pi * t / period + phase))


def _carried(there: Vector, turn: Quaternion, goes: Track) -> PoseTrack:
    x, y, z = there
    return lambda t: (motion.points(x + goes(t), y, z), np.tile(np.array(turn), (len(t), 1)))


def _belt_of(builder: Builder, belt: _Belt, name: str, goes: Track) -> list[Body]:
    """The belt on its legs, with bars across that go round with it."""
    p, middle, half = builder, (belt.left + belt.right) / 2, (belt.right - belt.left) / 2
    paint, steel = any_surface(p.rng, belt.deep * 0.5), p.surface(p.material("steel", "plastic", "wood"), belt.deep)
    core = Piece(Box((half, belt.thick, belt.deep)), paint)
    rolls = [Piece(Cylinder(belt.thick, belt.deep), paint, (x, 0, 0)) for x in (-half, half)]
    fixed = Fixed((belt.speed, 0.0, 0.0)) if p.sounds else Fixed()
    low = belt.top - belt.thick
    legs = [
        rod((x, -low, z), (x, 0, z), belt.thick * 0.5, steel, touches=False)
        for x in (-half * 0.85, half * 0.85)
        for z in (-belt.deep, belt.deep)
    ]
    body = Body(f"{p.id}.{name}", (core, *rolls, *legs), GRIPPY, (middle, low, 0.0), motion=fixed)
    around = 4 * half + 2 * np.pi * belt.thick
    bar = Piece(Box((belt.thick * 0.25, belt.thick * 0.05, belt.deep)), steel, touches=False)
    bars = [
        Body(f"{p.id}.{name}.bar{k}", (bar,), motion=Driven(_round(belt, goes, around * k / CLEATS)))
        for k in range(CLEATS)
    ]
    return [body, *bars]


def _round(belt: _Belt, goes: Track, first: float) -> PoseTrack:
    """Along the top, round the right end, back below and round the left end."""
    long, bend = belt.right - belt.left, np.pi * belt.thick
    low = belt.top - belt.thick

    def path(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        at = (first + goes(t)) % (2 * long + 2 * bend)
        angle = np.clip((at - long) / belt.thick, 0, np.pi) + np.clip((at - 2 * long - bend) / belt.thick, 0, np.pi)
        x = belt.left + np.clip(at, 0, long) - np.clip(at - long - bend, 0, long)
        place = motion.points(x + belt.thick * np.sin(angle), low + belt.thick * np.cos(angle), 0.0)
        return place, rotation.about_many((0.0, 0.0, 1.0), -angle)

    return path


def _tunnel(builder: Builder, belt: _Belt, size: float) -> Body:
    """Walls and a roof over the belt's beginning."""
    p, thin, half = builder, size * 0.05, size * 0.85
    paint, roof = p.surface(p.material("steel", "wood", "plastic", "cardboard"), size), belt.top + size * 1.3
    tall, deep = roof / 2, belt.deep + thin
    boxes: list[tuple[Vector, Vector]] = [((half, tall, thin), (0, tall, z)) for z in (-deep, deep)]
    boxes += [((half, thin, deep), (0, roof, 0)), ((thin, tall, deep), (-half, tall, 0))]
    pieces = tuple(Piece(Box(h), paint, c, touches=False) for h, c in boxes)
    return Body(f"{p.id}.tunnel", pieces, place=(belt.left + half - thin, 0.0, 0.0))


def _bin(builder: Builder, x: float, size: float) -> Body:
    """Open above."""
    p, inner = builder, (size * 1.4, size * builder.uniform(0.3, 0.6), size * 1.3)
    paint = p.surface(p.material("wood", "plastic", "steel", "cardboard"), size)
    return Body(
        f"{p.id}.bin", tuple(walls(inner, size * 0.06, paint, is_open=True)), GROUND, (x, inner[1] + size * 0.12, 0.0)
    )
