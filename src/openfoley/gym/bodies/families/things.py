"""Things of one rigid body: balls, boxes, cans, rods, pebbles, dumb-bells, mugs, jacks, plates."""

import numpy as np

from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Piece
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.poses import reach
from openfoley.gym.bodies.records import UNTURNED, Box, Capsule, Cylinder, Hull, Shape, Sphere, Surface, Vector

ROUND = ("ball", "marble")
TUMBLING = ("box", "die", "can", "rod", "pebble", "dumbbell", "mug", "jack", "plate", "plank", "ring")
NOUNS = {
    "ball": "ball", "marble": "marble", "box": "box", "die": "cube", "can": "can", "rod": "rod", "pebble": "lump",
    "dumbbell": "dumbbell", "mug": "mug", "jack": "jack", "plate": "disc", "plank": "plank", "ring": "ring",
}  # fmt: skip
UPRIGHT = rotation.about((1.0, 0.0, 0.0), np.pi / 2 + 1e-4)
"""Turns the axis z of a cylinder to y, but for 0.006 degrees: MuJoCo 4.0 misses the ground under a cylinder whose axis
is parallel to its normal up to rounding."""
ALONG_X = rotation.about((0.0, 1.0, 0.0), np.pi / 2)


def plural(noun: str) -> str:
    """Of a noun, or of a caption that ends in one."""
    return noun + ("es" if noun.endswith(("x", "s")) else "s")


def any_kind(builder: Builder) -> str:
    return builder.pick(ROUND + TUMBLING)


def pieces_of(kind: str, size_m: float, material: str, builder: Builder) -> tuple[Piece, ...]:
    """The pieces of a thing whose largest extent is about `size_m`, about its middle; upright, if it can stand."""
    paint, r, u = builder.surface(material, size_m), size_m / 2, builder.uniform
    if kind in ROUND:
        return (Piece(Sphere(r), paint),)
    if kind == "die":
        return (Piece(Box((r * 0.75, r * 0.75, r * 0.75)), paint),)
    if kind == "box":
        return (Piece(Box((r * u(0.5, 1), r * u(0.3, 0.8), r * u(0.4, 0.8))), paint),)
    if kind == "plank":
        return (Piece(Box((r, r * u(0.08, 0.15), r * u(0.15, 0.4))), paint),)
    if kind == "can":
        return (Piece(Cylinder(r * u(0.5, 0.75), r * u(0.6, 0.9)), paint, turn=UPRIGHT),)
    if kind == "plate":
        return (Piece(Cylinder(r, r * u(0.1, 0.25)), paint, turn=UPRIGHT),)
    if kind == "rod":
        thin = r * u(0.08, 0.2)
        shape: Shape = Capsule(thin, r - thin) if builder.chance(0.5) else Cylinder(thin, r)
        return (Piece(shape, paint, turn=ALONG_X),)
    if kind == "pebble":
        return (Piece(Hull(_lump(builder, r)), paint),)
    return _compound(kind, r, paint, builder)


def _compound(kind: str, r: float, paint: Surface, builder: Builder) -> tuple[Piece, ...]:
    u = builder.uniform
    if kind == "dumbbell":
        end, bar = r * u(0.3, 0.45), r * u(0.1, 0.18)
        ends: Shape = Sphere(end) if builder.chance(0.5) else Box((end * 0.8, end * 0.8, end * 0.8))
        reach = r - end
        return (
            Piece(ends, paint, (-reach, 0, 0)),
            Piece(ends, paint, (reach, 0, 0)),
            Piece(Cylinder(bar, reach), paint, turn=ALONG_X),
        )
    if kind == "mug":
        wide, tall = r * 0.6, r * 0.7
        return (
            Piece(Cylinder(wide, tall), paint, turn=UPRIGHT),
            Piece(Box((r * 0.08, r * 0.35, r * 0.08)), paint, (wide + r * 0.3, 0, 0)),
            Piece(Box((r * 0.18, r * 0.08, r * 0.08)), paint, (wide + r * 0.15, r * 0.3, 0)),
            Piece(Box((r * 0.18, r * 0.08, r * 0.08)), paint, (wide + r * 0.15, -r * 0.3, 0)),
        )
    if kind == "jack":
        thin = r * u(0.12, 0.2)
        bar = Capsule(thin, r - thin)
        return tuple(Piece(bar, paint, turn=turn) for turn in (UNTURNED, UPRIGHT, ALONG_X))
    sides, thick = 8, r * u(0.1, 0.18)  # a ring of bars, lying
    middle = r - thick
    half = middle * np.tan(np.pi / sides) + thick * 0.5
    pieces = []
    for k in range(sides):
        angle = 2 * np.pi * k / sides
        centre: Vector = (float(middle * np.cos(angle)), 0.0, float(-middle * np.sin(angle)))
        pieces.append(
            Piece(Box((thick, thick, float(half))), paint, centre, rotation.about((0.0, 1.0, 0.0), float(angle)))
        )
    return tuple(pieces)


def _lump(builder: Builder, r: float) -> tuple[Vector, ...]:
    """Points on a squashed ball."""
    squash = np.array([1.0, builder.uniform(0.5, 0.9), builder.uniform(0.6, 1.0)])
    directions = builder.rng.standard_normal((14, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return tuple((float(x), float(y), float(z)) for x, y, z in r * squash * directions)


def lowest(pieces: tuple[Piece, ...]) -> float:
    """How far a thing reaches below its middle (m), standing as it is described."""
    return max(-piece.offset[1] + _below(piece) for piece in pieces)


def farthest(pieces: tuple[Piece, ...]) -> float:
    """How far a thing reaches from its middle (m), however it is turned."""
    return max(float(np.linalg.norm(piece.offset)) + reach(piece.shape) for piece in pieces)


def _below(piece: Piece) -> float:
    down = np.abs(rotation.rotate(np.array(piece.turn) * np.array([1, -1, -1, -1]), np.array([0.0, 1.0, 0.0])))
    match piece.shape:
        case Sphere(radius):
            return radius
        case Box(half):
            return float(down @ np.array(half))
        case Cylinder(radius, half_length):
            return float(down[2] * half_length + np.hypot(down[0], down[1]) * radius)
        case Capsule(radius, half_length):
            return float(down[2] * half_length + radius)
        case Hull(points):
            turned = rotation.rotate(np.array(piece.turn), np.array(points))
            return float(-turned[:, 1].min())


def string(length: float, thickness: float, builder: Builder) -> Piece:
    """A cord upwards from the middle of a body, which weighs and touches nothing."""
    paint = Surface((0.1, 0.1, 0.1) if builder.chance(0.5) else (0.7, 0.65, 0.5))
    return Piece(Capsule(thickness, length / 2), paint, (0.0, length / 2, 0.0), UPRIGHT, touches=False, weighs=False)
