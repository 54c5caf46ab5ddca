"""Hammers, mallets and sticks that strike what is held: blocks, bars, drums, pots, bells and gongs."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from openfoley.gym.bodies.description import Body, Joint, Piece
from openfoley.gym.bodies.families.blows import Spot, Striker, any_blows, striking
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.parts import cord, rod
from openfoley.gym.bodies.families.things import UPRIGHT
from openfoley.gym.bodies.records import UNTURNED, Box, Capsule, Cylinder, Hull, Sphere, Vector
from openfoley.gym.records import GymObject

UP: Vector = (0.0, 1.0, 0.0)
DENSE, HEAVIEST_KG = 1500.0, 1.5
"""kg / m^3, of a cube as large as what is struck; a hammer weighs a share of it."""


@dataclass
class _Target:
    """What is struck, and where."""

    noun: str
    objects: list[GymObject]
    bodies: list[Body]
    spots: list[Spot]
    half: float
    height: float
    fixtures: list[Body] = field(default_factory=list)


def hammers(builder: Builder) -> Mechanism:
    """One to three hammers strike at irregular times, some stop short. Silent: all of them do."""
    p, play = builder, Mechanism()
    target = p.pick((_block, _bars, _drum, _bell, _gong))(p)
    play.objects, play.bodies = target.objects, [*target.bodies, *target.fixtures]
    kind, material = p.pick(("hammer", "mallet", "stick", "rod")), p.material("wood", "steel", "plastic", "rubber")
    for k, spot in enumerate(target.spots):
        striker = _striker(p, kind, material, target.half)
        play.bodies.append(striking(p, f"striker{k}", striker, spot, any_blows(p)))
    reach = target.half * 2.5
    play.radius, play.height = max(target.half, reach * 0.7), target.height + reach * 0.5
    play.caption = f"a {kind} strikes {target.noun}"
    return play


def _striker(builder: Builder, kind: str, material: str, half: float) -> Striker:
    """For a target of this half extent."""
    p, matter = builder, builder.matter(material)
    head, reach = half * p.uniform(0.15, 0.35), half * p.uniform(1.8, 4.0)
    paint, grip = p.surface(material, head * 2), p.surface(p.material("wood", "plastic", "steel"), reach)
    arm = head * p.uniform(0.2, 0.4)
    lift = p.uniform(0.5, 1.1)
    mass_kg = min(HEAVIEST_KG, DENSE * (2 * half) ** 3 * p.uniform(0.05, 0.2))
    if kind in ("stick", "rod"):
        thick = half * p.uniform(0.05, 0.12)
        tilt = 0.0 if kind == "rod" else p.uniform(0.05, 0.2)  # a stick strikes with its end
        shape = rod((-reach, reach * tilt, 0), (thick, 0, 0), thick, paint)
        return Striker((shape,), matter, mass_kg, reach, thick, lift)
    if kind == "mallet":
        made = Piece(Sphere(head), paint)
    else:
        wide = head * p.uniform(0.5, 0.9)
        shape = Box((wide, head, wide)) if p.chance(0.5) else Cylinder(wide, head)
        made = Piece(shape, paint, turn=UPRIGHT if isinstance(shape, Cylinder) else UNTURNED)
    handle = rod((-reach, 0, 0), (0, 0, 0), arm, grip, touches=False)
    return Striker((handle, made), matter, mass_kg, reach, head, lift)


def _sideways(builder: Builder) -> Vector:
    """Where the arm comes from on something that lies: mostly from a side."""
    angle = builder.pick((0.0, np.pi, builder.uniform(0, 2 * np.pi)))
    return (float(np.cos(angle)), 0.0, float(np.sin(angle)))


def _block(builder: Builder) -> _Target:
    """A block, an anvil, or a stump that stands."""
    p = builder
    material = p.material()
    size, noun = p.size_m * p.uniform(0.8, 1.6), p.pick(("block", "box", "post", "stump"))
    high = size * (p.uniform(0.9, 1.6) if noun in ("post", "stump") else p.uniform(0.3, 0.8))
    half = (size * 0.4, high / 2, size * p.uniform(0.25, 0.4))
    thing, paint = p.thing("strike", noun, material, size), p.surface(material, size)
    shape = Cylinder(half[0], half[1]) if noun in ("post", "stump") else Box(half)
    piece = Piece(shape, paint, turn=UPRIGHT) if isinstance(shape, Cylinder) else Piece(shape, paint)
    body = Body(f"{p.id}.held", (piece,), p.matter(material), (0, high / 2, 0), object_id=thing.id, rings=True)
    spot = Spot((p.uniform(-0.3, 0.3) * half[0], high, 0.0), UP, _sideways(p))
    return _Target(f"a {thing.caption}", [thing], [body], [spot], size / 2, high)


def _bars(builder: Builder) -> _Target:
    """Bars side by side, long to short, on two rails."""
    p = builder
    material, count = p.material("wood", "steel", "glass", "stone", "ceramic", "plastic"), p.count(3, 7)
    long, step = p.size_m * p.uniform(1.0, 1.6), p.size_m * p.uniform(0.25, 0.4)
    thick, high, shrink = step * p.uniform(0.1, 0.3), p.size_m * p.uniform(0.15, 0.5), p.uniform(0.88, 0.96)
    bodies, objects, spots, matter = [], [], [], p.matter(material)
    struck = [int(k) for k in p.rng.permutation(count)[: p.count(1, 3)]]
    arm = (0.0, 0.0, p.pick((-1.0, 1.0)))
    for k in range(count):
        half = (step * 0.42, thick, long / 2 * shrink**k)
        x = (k - (count - 1) / 2) * step
        thing = p.thing("strike", "bar", material, 2 * half[2])
        piece = Piece(Box(half), p.surface(material, long))
        place_at = (x, high + thick, 0.0)
        bodies.append(Body(f"{p.id}.bar{k}", (piece,), matter, place_at, object_id=thing.id, rings=True))
        objects.append(thing)
        if k in struck:
            spots.append(Spot((x, high + 2 * thick, p.uniform(-0.2, 0.2) * half[2]), UP, arm))
    rail = (step * count / 2, high / 2, step * 0.12)
    rails = p.fixture("rails", *((rail, (0.0, high / 2, z * long * 0.3 * shrink**count)) for z in (-1, 1)))
    return _Target(f"{material} bars", objects, bodies, spots, long / 2, high, [rails])


def _drum(builder: Builder) -> _Target:
    """A drum, pot or bucket with a flat top; two sticks half the time."""
    p = builder
    material, noun = p.material("plastic", "steel", "wood", "cardboard", "ceramic"), p.pick(("drum", "pot", "bucket"))
    radius, high = p.size_m * p.uniform(0.4, 0.9), p.size_m * p.uniform(0.4, 1.2)
    thing, paint = p.thing("strike", noun, material, 2 * radius), p.surface(material, radius)
    rim = p.surface(p.material("steel", "wood"), radius)
    pieces = (
        Piece(Cylinder(radius, high / 2), paint, turn=UPRIGHT),
        Piece(Cylinder(radius * 1.03, high * 0.04), rim, (0, -high * 0.4, 0), UPRIGHT, touches=False),
        Piece(Cylinder(radius * 1.03, high * 0.04), rim, (0, high * 0.42, 0), UPRIGHT, touches=False),
    )
    body = Body(f"{p.id}.held", pieces, p.matter(material), (0, high / 2, 0), object_id=thing.id, rings=True)
    spread = p.uniform(0.3, 0.6) * radius
    angles = (0.6, np.pi - 0.6) if p.chance(0.6) else (p.uniform(0, 6.28),)
    spots = []
    for angle in angles:
        out = (float(np.cos(angle)), 0.0, -float(np.sin(angle)))
        spots.append(Spot((out[0] * spread, high, out[2] * spread), UP, out))
    return _Target(f"a {thing.caption}", [thing], [body], spots, radius, high)


def _gallows(builder: Builder, top: float, size: float) -> Body:
    """A beam on two posts at both sides."""
    p, thin, wide = builder, size * 0.05, size * builder.uniform(0.9, 1.3)
    paint = p.surface(p.material("wood", "steel"), size)
    ends = ((-wide, top, 0.0), (wide, top, 0.0))
    pieces = [rod(*ends, thin, paint, touches=False)]
    pieces += [rod((x, 0, z), (x, y, z), thin, paint, touches=False) for x, y, z in ends]
    return Body(f"{p.id}.gallows", tuple(pieces))


def _hung(
    builder: Builder, noun: str, material: str, size: float, make: Callable[[float], tuple[Piece, ...]]
) -> _Target:
    """Something on cords or a short stem, which swings about x when struck from the front or from behind."""
    p = builder
    line, low = size * p.uniform(0.15, 0.6), size * p.uniform(0.3, 0.8)
    middle, up = low + size / 2, size / 2 + line
    thing, pieces = p.thing("strike", noun, material, size), make(size)
    cords = [cord((x, size * 0.3, 0), (x, up, 0), size * 0.015, p) for x in (-size * 0.2, size * 0.2)]
    joint = Joint("hinge", (1, 0, 0), (0, up, 0), loss_s=p.uniform(0.05, 0.2), spring_hz=p.uniform(2.0, 5.0))
    body = Body(
        f"{p.id}.held",
        (*pieces, *cords),
        p.matter(material),
        (0, middle, 0),
        motion=joint,
        object_id=thing.id,
        rings=True,
    )
    side = p.pick((-1.0, 1.0))
    deep = _thickness(pieces)
    spot = Spot(
        (0.0, middle, side * deep), (0.0, 0.0, side), p.pick(((1.0, 0.0, 0.0), (-1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
    )
    return _Target(
        f"a {thing.caption}", [thing], [body], [spot], size / 2, middle + up, [_gallows(p, middle + up, size)]
    )


def _thickness(pieces: tuple[Piece, ...]) -> float:
    match pieces[0].shape:
        case Cylinder(_, half_length):
            return half_length
        case Box(half):
            return half[2]
        case Sphere(radius) | Capsule(radius, _):
            return radius
        case Hull(points):
            return float(max(z for _, _, z in points))


def _gong(builder: Builder) -> _Target:
    p, material = builder, builder.material("steel", "glass", "wood", "ceramic", "plastic")
    paint, flat = p.surface(material, p.size_m), p.uniform(0.03, 0.08)

    def make(size: float) -> tuple[Piece, ...]:
        if noun == "plate":
            return (Piece(Box((size / 2, size / 2 * tall, size * flat)), paint),)
        return (Piece(Cylinder(size / 2, size * flat), paint),)

    noun, tall = p.pick(("gong", "plate")), p.uniform(0.5, 1.0)
    return _hung(p, noun, material, p.size_m * p.uniform(0.8, 1.8), make)


def _bell(builder: Builder) -> _Target:
    p, material = builder, builder.material("steel", "ceramic", "glass", "wood")
    paint, narrow = p.surface(material, p.size_m), p.uniform(0.35, 0.6)

    def make(size: float) -> tuple[Piece, ...]:
        points: list[Vector] = []
        for y, r in ((-0.5, 0.5), (-0.4, 0.42), (0.3, 0.5 * narrow), (0.5, 0.25 * narrow)):
            for k in range(14):
                a = 2 * np.pi * (k + 0.5) / 14
                points.append((size * r * float(np.cos(a)), size * y, size * r * float(np.sin(a))))
        return (Piece(Hull(tuple(points)), paint),)

    target = _hung(p, "bell", material, p.size_m * p.uniform(0.8, 1.5), make)
    size, spot = 2 * target.half, target.spots[0]
    rim = Spot((0.0, spot.point[1] - size * 0.4, spot.point[2]), spot.normal, spot.to_pivot)
    target.spots = [rim]
    return target
