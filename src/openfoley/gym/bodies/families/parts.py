"""Parts that mechanisms share: rods and cords between points, frames, tubs and boxes of walls, hands."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Piece
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.records import UNTURNED, Box, Capsule, Cylinder, Quaternion, Surface, Vector

CORDS: tuple[Vector, ...] = ((0.1, 0.1, 0.1), (0.7, 0.65, 0.5), (0.85, 0.85, 0.85))
SKIN: tuple[Vector, ...] = ((0.85, 0.62, 0.48), (0.6, 0.38, 0.25), (0.3, 0.18, 0.11), (0.9, 0.72, 0.6))

TUB_SIDES = 10
GUARD_M = 0.015
"""Half the thickness of what things in a vessel meet, whatever is seen: they dent thinner walls beyond their middle."""


def turn_between(first: Vector, second: Vector) -> Quaternion:
    """The shortest turn of one direction to another."""
    a, b = (np.array(v) / np.linalg.norm(v) for v in (first, second))
    axis = np.cross(a, b)
    if np.linalg.norm(axis) < 1e-9:
        if a @ b > 0:
            return UNTURNED
        axis = np.cross(a, np.eye(3)[int(np.argmin(np.abs(a)))])
    x, y, z = (float(v) for v in axis)
    return rotation.about((x, y, z), float(np.arccos(np.clip(a @ b, -1, 1))))


def rod(
    start: Vector, end: Vector, radius: float, paint: Surface, *, touches: bool = True, flat: bool = False
) -> Piece:
    """A capsule, or a cylinder with flat ends, from one point to another."""
    middle, half, turn = _between(start, end)
    shape = Cylinder(radius, half) if flat else Capsule(radius, max(half - radius, 1e-4))
    return Piece(shape, paint, middle, turn, touches=touches)


def cord(start: Vector, end: Vector, thickness: float, builder: Builder) -> Piece:
    """It weighs and touches nothing."""
    middle, half, turn = _between(start, end)
    return Piece(Capsule(thickness, half), Surface(builder.pick(CORDS)), middle, turn, touches=False, weighs=False)


def _between(start: Vector, end: Vector) -> tuple[Vector, float, Quaternion]:
    """Middle, half length and turn of a line along z that is laid between two points."""
    a, b = np.array(start), np.array(end)
    x, y, z = (float(v) for v in (a + b) / 2)
    way = (float(b[0] - a[0]), float(b[1] - a[1]), float(b[2] - a[2]))
    return (x, y, z), float(np.linalg.norm(b - a)) / 2, turn_between((0.0, 0.0, 1.0), way)


def stuck(piece: Piece, by: Vector) -> Piece:
    """The piece shifted (m), as a part of another body that touches nothing."""
    x, y, z = (float(v) for v in np.array(piece.offset) + np.array(by))
    return replace(piece, offset=(x, y, z), touches=False)


def walls(
    inner: Vector,
    thick: float,
    paint: Surface,
    clear: Sequence[str] = (),
    high: float | None = None,
    *,
    is_open: bool = False,
) -> list[Piece]:
    """A box of walls around an inside of half extents `inner`, about its middle. clear: sides among left, right,
    bottom, top, front, back that collide but are not seen. high: height (m) up to which the sides are seen; above it
    they collide unseen. is_open: there is no top."""
    x, y, z = inner
    sides: dict[str, tuple[Vector, Vector]] = {
        "left": ((thick, y, z), (-x - thick, 0, 0)),
        "right": ((thick, y, z), (x + thick, 0, 0)),
        "front": ((x + 2 * thick, y, thick), (0, 0, -z - thick)),
        "back": ((x + 2 * thick, y, thick), (0, 0, z + thick)),
        "bottom": ((x + 2 * thick, thick, z + 2 * thick), (0, -y - thick, 0)),
        "top": ((x + 2 * thick, thick, z + 2 * thick), (0, y + thick, 0)),
    }
    if is_open:
        del sides["top"]
    made = []
    for name, (half, centre) in sides.items():
        axis = int(np.argmax(np.abs(centre)))
        guard = max(thick, GUARD_M)
        whole = name not in clear and thick >= GUARD_M and (high is None or axis == 1)
        solid, away = list(half), list(centre)
        if not whole:  # beyond the corners too: what is thin slips through where two sides only meet
            solid = [extent + guard for extent in half]
        solid[axis], away[axis] = guard, centre[axis] + float(np.sign(centre[axis])) * (guard - thick)
        made.append(Piece(Box((solid[0], solid[1], solid[2])), paint, (away[0], away[1], away[2]), seen=whole))
        if name not in clear and not whole:
            up = high / 2 if high is not None and axis != 1 else half[1]
            lifted = (centre[0], up - y if axis != 1 else centre[1], centre[2])
            made.append(Piece(Box((half[0], up, half[2])), paint, lifted, touches=False, weighs=False))
    return made


def tub(
    radius: float, depth: float, thick: float, paint: Surface, *, flare: float = 0.0, sides: int = TUB_SIDES
) -> list[Piece]:
    """A round wall of boards that lean outwards by `flare` (rad) on a disc; the inside of its floor is at y = 0 and
    `radius` wide."""
    made = [Piece(Cylinder(radius + 2 * thick, thick), paint, (0.0, -thick, 0.0), turn_between((0, 0, 1), (0, 1, 0)))]
    half = (radius + depth * np.sin(flare) + 2 * thick) * float(np.tan(np.pi / sides))
    out, up = radius + thick + depth / 2 * float(np.sin(flare)), depth / 2 * float(np.cos(flare))
    for k in range(sides):
        around = rotation.about((0, 1, 0), 2 * np.pi * k / sides)
        turn = rotation.then(around, rotation.about((0, 0, 1), -flare))
        made.append(Piece(Box((thick, depth / 2, half)), paint, rotation.turned(around, (out, up, 0.0)), turn))
    return made


def ring(radius: float, thick: float, paint: Surface, sides: int = 12, *, touches: bool = True) -> list[Piece]:
    """A hoop of rods around y."""
    made = []
    for k in range(sides):
        a, b = (2 * np.pi * (k + e) / sides for e in (0, 1))
        start = (radius * float(np.cos(a)), 0.0, radius * float(np.sin(a)))
        end = (radius * float(np.cos(b)), 0.0, radius * float(np.sin(b)))
        made.append(rod(start, end, thick, paint, touches=touches))
    return made


def hand(size: float, builder: Builder, *, fingers: int = 4) -> list[Piece]:
    """Fingers that point down to y = 0, around a gap of `size`, under a palm and an arm that goes up and back. It
    touches nothing; a gripper of a machine half the time."""
    paint = Surface(builder.pick(SKIN), gloss=0.1) if builder.chance(0.6) else builder.surface("steel", size)
    thick, high = size * builder.uniform(0.12, 0.2), size * builder.uniform(0.9, 1.3)
    made = []
    for k in range(fingers):
        angle = 2 * np.pi * (k + 0.5) / fingers
        out = np.array([np.cos(angle), np.sin(angle)]) * (size / 2 + thick)
        low, top = (float(out[0]), 0.0, float(out[1])), (float(out[0]) * 0.7, high, float(out[1]) * 0.7)
        made.append(rod(low, top, thick, paint, touches=False))
    made.append(Piece(Box((size * 0.5, thick * 1.2, size * 0.4)), paint, (0.0, high, 0.0), touches=False))
    back = (size * builder.uniform(-1.5, 1.5), high + size * 2.5, size * builder.uniform(1.0, 3.0))
    made.append(rod((0.0, high, 0.0), back, thick * 1.8, paint, touches=False))
    return made
