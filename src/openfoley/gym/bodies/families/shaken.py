"""Boxes, trays, jars and cans that are shaken or tilted; what is in them rattles."""

from dataclasses import dataclass

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Driven, Free, Piece, PoseTrack
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.motions import spells
from openfoley.gym.bodies.families.parts import ring, rod, stuck, turn_between, walls
from openfoley.gym.bodies.families.things import NOUNS, lowest, pieces_of, plural
from openfoley.gym.bodies.records import Cylinder, Vector
from openfoley.gym.records import GymObject

CONTENTS = ("ball", "marble", "ball", "die", "die", "pebble", "can", "rod")
MOST = {"ball": 7, "marble": 7, "die": 4}
"""Others take several times as long against walls: one or two of them."""
FARTHEST_M, FASTEST_HZ = 0.15, 6.0


@dataclass(frozen=True)
class _Vessel:
    """inner: half extents of its inside (m); pieces: its walls; hidden: nobody sees into it."""

    noun: str
    inner: Vector
    pieces: tuple[Piece, ...]
    hidden: bool = False


def shaken(builder: Builder) -> Mechanism:
    """A vessel of one to eight things is shaken in bursts, or tilted to and fro. Silent: its things are stuck to it;
    a closed can is carried about slowly."""
    p, play = builder, Mechanism()
    vessel = p.pick((_box, _tray, _jar, _can))(p)
    material, kind = p.material(), p.pick(CONTENTS)
    size = min(vessel.inner) * p.uniform(0.5, 0.95)
    things = p.thing("shake", plural(NOUNS[kind]), material, size)
    above = p.size_m * p.uniform(0.8, 2.5) + vessel.inner[1]
    path = _gently(p, above) if vessel.hidden and not p.sounds else _shaking(p, above, vessel)
    play.objects = [_shell(p, vessel)] if vessel.hidden else [things]
    contents = [] if vessel.hidden and not p.sounds else _contents(p, vessel, kind, size, material)
    pieces = vessel.pieces
    if p.sounds:
        for k, (where, parts) in enumerate(contents):
            there = (where[0], where[1] + above, where[2])
            play.bodies.append(
                Body(
                    f"{p.id}.{k}",
                    parts,
                    p.matter(material),
                    there,
                    motion=Free(spin_loss_s=2.0),
                    object_id=None if vessel.hidden else things.id,
                )
            )
    else:
        pieces += tuple(stuck(part, where) for where, parts in contents for part in parts)
    shell = play.objects[0].id if vessel.hidden and p.sounds else None
    matter = p.matter(p.material("wood", "plastic", "steel", "cardboard"))
    heavy = 1000 * size**3 * 1000
    play.bodies.append(
        Body(f"{p.id}.vessel", pieces, matter, motion=Driven(path), object_id=shell, rings=vessel.hidden, mass_kg=heavy)
    )
    play.radius = max(vessel.inner) * 2.2
    play.height = above + vessel.inner[1] * 2
    what = "something rattles" if vessel.hidden else f"{things.caption} rattle"
    play.caption = f"{what} in a {vessel.noun} that is shaken"
    return play


def _shell(builder: Builder, vessel: _Vessel) -> GymObject:
    material = builder.material("steel", "plastic", "cardboard", "wood")
    return builder.thing("shake", vessel.noun, material, 2 * max(vessel.inner))


def _contents(
    builder: Builder, vessel: _Vessel, kind: str, size: float, material: str
) -> list[tuple[Vector, tuple[Piece, ...]]]:
    """Where they are at first, in the vessel's axes, and what they are made of; on a grid with some room."""
    x, y, z = (int(max(1, 2 * half // (size * 1.08))) for half in vessel.inner)
    cells = [(i, j, k) for j in range(y) for i in range(x) for k in range(z)]
    count = min(builder.count(1, MOST.get(kind, 2)), len(cells))
    found = []
    for cell in cells[:count]:
        parts = pieces_of(kind, size, material, builder)
        a, _, c = ((q + 0.5) * 2 * half / n - half for q, half, n in zip(cell, vessel.inner, (x, y, z), strict=True))
        found.append(((a, lowest(parts) - vessel.inner[1] + cell[1] * size * 1.05, c), parts))
    return found


def _box(builder: Builder) -> _Vessel:
    """Its lid and one side are clear, or its front is low."""
    p, s = builder, builder.size_m
    inner = (s * p.uniform(0.6, 1.3), s * p.uniform(0.4, 0.8), s * p.uniform(0.4, 0.9))
    paint, thick = p.surface(p.material("wood", "cardboard", "plastic", "steel"), s), s * p.uniform(0.04, 0.08)
    clear = p.pick((("front", "top"), ("front", "top", "back"), ("front",)))
    return _Vessel("box", inner, tuple(walls(inner, thick, paint, clear)))


def _tray(builder: Builder) -> _Vessel:
    """Its walls are low; what would leap out meets a lid that is not seen."""
    p, s = builder, builder.size_m
    inner = (s * p.uniform(0.9, 1.6), s * p.uniform(0.35, 0.6), s * p.uniform(0.6, 1.2))
    paint, thick = p.surface(p.material("wood", "plastic", "steel", "cardboard"), s), s * p.uniform(0.04, 0.08)
    return _Vessel("tray", inner, tuple(walls(inner, thick, paint, ("top",), high=inner[1] * p.uniform(0.3, 0.9))))


def _jar(builder: Builder) -> _Vessel:
    """Of clear glass between its bottom, some hoops and a lid."""
    p, s = builder, builder.size_m
    wide, high = s * p.uniform(0.5, 0.8), s * p.uniform(0.6, 1.2)
    inner, thick = (wide, high, wide), s * 0.05
    clear = ("left", "right", "front", "back", "top", "bottom")
    paint, rim = p.surface(p.material("plastic", "steel", "wood"), s), p.surface("glass", s)
    up, pieces = turn_between((0.0, 0.0, 1.0), (0.0, 1.0, 0.0)), walls(inner, thick, paint, clear)
    out = wide * 1.42
    for y in (-high - thick, high + thick):
        pieces.append(Piece(Cylinder(out, thick), paint, (0, y, 0), up, touches=False))
    for k in range(p.count(0, 3)):
        level = high * (k - 1) * 0.7
        pieces += [stuck(part, (0.0, level, 0.0)) for part in ring(out, s * 0.015, rim, touches=False)]
    return _Vessel("jar", inner, tuple(pieces))


def _can(builder: Builder) -> _Vessel:
    """Closed: a can, or a rattle on a stick."""
    p, s = builder, builder.size_m
    wide, high = s * p.uniform(0.3, 0.5), s * p.uniform(0.35, 0.8)
    inner, paint = (wide, high, wide), p.surface(p.material("steel", "plastic", "cardboard", "wood"), s)
    pieces = walls(inner, s * 0.05, paint, ("left", "right", "front", "back", "top", "bottom"))
    up = turn_between((0.0, 0.0, 1.0), (0.0, 1.0, 0.0))
    pieces.append(Piece(Cylinder(wide * 1.42, high + s * 0.1), paint, turn=up, touches=False))
    if p.chance(0.5):
        pieces.append(rod((0, -high - s * 1.2, 0), (0, -high, 0), s * 0.08, paint, touches=False))
        return _Vessel("maraca", inner, tuple(pieces), hidden=True)
    return _Vessel("can", inner, tuple(pieces), hidden=True)


def _shaking(builder: Builder, above: float, vessel: _Vessel) -> PoseTrack:
    """In spells with rests between them; some open vessels are tilted to and fro instead."""
    p = builder
    strength = spells([(t, t + p.uniform(0.4, 1.8)) for t in p.times(1.2, 3.0)], 0.15, 0.2)
    tilted = not vessel.hidden and p.chance(0.35)
    reach = 0.0 if tilted else min(max(vessel.inner) * p.uniform(0.3, 0.9), FARTHEST_M)
    rate = min(FASTEST_HZ, float(np.sqrt(p.uniform(12, 40) / max(reach, 0.01))) / (2 * np.pi))  # 1.2 to 4 g
    way = p.rng.normal(0, 1, 3) * np.array(p.pick(((1.0, 0.2, 0.2), (0.3, 1.0, 0.2), (0.7, 0.7, 0.5))))
    way = way / np.linalg.norm(way) * reach
    lean, slow, phase = p.uniform(0.3, 0.7) if tilted else p.uniform(0.0, 0.15), p.uniform(0.4, 1.2), p.uniform(0, 6.28)
    axis = p.pick(((0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.4, 0.0, 1.0)))
    speed = slow if tilted else rate

    def path(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        swing = strength(t) * np.sin(2 * np.pi * rate * t)
        amount = motion.smooth((t - p.start_s) / 0.6) if tilted else strength(t)
        angle = lean * amount * np.sin(2 * np.pi * speed * t + phase)
        return np.array([0.0, above, 0.0]) + way * swing[:, None], rotation.about_many(axis, angle)

    return path


def _gently(builder: Builder, above: float) -> PoseTrack:
    """It floats and leans slowly."""
    p, s = builder, max(builder.size_m, 0.08)
    x, y, z, lean = (motion.wander(p.rng, scale, 0.4) for scale in (s * 0.6, s * 0.3, s * 0.3, 0.4))

    def path(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return motion.points(x(t), above + y(t), z(t)), rotation.about_many((0, 0, 1), lean(t))

    return path
