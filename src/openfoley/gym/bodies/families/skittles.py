"""Standing things that are bowled over: skittles, pyramids, heaps."""

import numpy as np

from openfoley.gym.bodies.description import Body, Driven, Free, Piece
from openfoley.gym.bodies.families.drops import APPEARS_S
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.motions import path_along, swings
from openfoley.gym.bodies.families.things import NOUNS, UPRIGHT, lowest, pieces_of, plural
from openfoley.gym.bodies.records import Capsule, Cylinder, Sphere, Vector
from openfoley.gym.motion import GRAVITY


def skittles(builder: Builder) -> Mechanism:
    """One or two balls are bowled into a triangle of skittles. Silent: a ball rolls by on felt, or hovers past."""
    p, play = builder, Mechanism()
    material, bowled = p.material("wood", "plastic", "glass", "ceramic", "steel", "stone"), p.material()
    size, rows = p.size_m, p.count(2, 4)
    pin = p.thing("knock", "skittles", material, size)
    ball = p.thing("roll", "ball", bowled, size * 0.8)
    play.objects = [pin, ball]
    pieces, matter = _pin(p, size, material), p.matter(material)
    apart = size * p.uniform(0.55, 0.9)
    for row in range(rows):
        for k in range(row + 1):
            at = (row * apart * 0.87, lowest(pieces), (k - row / 2) * apart)
            play.bodies.append(Body(f"{p.id}.{row}.{k}", pieces, matter, at, motion=Free(), object_id=pin.id))
    radius = size * p.uniform(0.3, 0.45)
    away = size * p.uniform(3, 6)
    speed = p.uniform(4, 9) * float(np.sqrt(size))
    play.radius, play.height = (away + rows * apart) / 2 + size, size * 1.5
    balls = pieces_of("ball", 2 * radius, bowled, p)
    if not p.sounds:
        aside = -(rows / 2 * apart + radius + size * p.uniform(0.6, 1.2))
        reach = away * p.uniform(0.4, 0.8)
        path = path_along((0, radius + size * 0.1, aside), (reach, 0, 0), swings(p, 1.0, 2 * np.pi * reach / speed))
        play.bodies.append(Body(f"{p.id}.ball", balls, motion=Driven(path)))
        play.caption = f"a {ball.caption} passes"
        return play
    for k, time_s in enumerate(p.times(1.2, 3.5, 1.2)[: p.count(1, 2)]):
        start = (-away, radius, p.uniform(-0.3, 0.3) * rows * apart / 2)
        motion = Free(time_s, (speed, 0, 0), (0, 0, -speed / radius), spin_loss_s=20.0)
        shown = (time_s - APPEARS_S if k else -np.inf, np.inf)
        play.bodies.append(
            Body(f"{p.id}.ball{k}", balls, p.matter(bowled), start, motion=motion, object_id=ball.id, shown=shown)
        )
    play.caption = f"a {ball.caption} rolls into {pin.caption}"
    return play


def _pin(builder: Builder, tall: float, material: str) -> tuple[Piece, ...]:
    """A skittle: a can, a bottle with a neck, or one with a round head."""
    p, paint = builder, builder.surface(material, tall)
    wide, kind = tall * p.uniform(0.12, 0.2), p.pick(("can", "bottle", "head"))
    if kind == "can":
        return (Piece(Cylinder(wide, tall / 2), paint, turn=UPRIGHT),)
    body = Piece(Cylinder(wide, tall * 0.33), paint, (0, -tall * 0.17, 0), UPRIGHT)
    if kind == "bottle":
        neck = wide * 0.4
        return body, Piece(Capsule(neck, tall * 0.17 - neck / 2), paint, (0, tall * 0.33 - neck / 2, 0), UPRIGHT)
    return body, Piece(Sphere(wide * 0.85), paint, (0, tall * 0.16 + wide * 0.7, 0))


def pyramid(builder: Builder) -> Mechanism:
    """A ball is thrown at a pyramid or wall of cans or boxes. Silent: it flies past, to and fro, on a string."""
    p, play = builder, Mechanism()
    material, thrown = p.material("steel", "plastic", "wood", "cardboard", "glass", "stone"), p.material()
    kind, size = p.pick(("can", "can", "die", "box", "mug")), p.size_m * p.uniform(0.6, 1.0)
    can = p.thing("knock", plural(NOUNS[kind]), material, size)
    ball = p.thing("throw", "ball", thrown, size * 0.8)
    play.objects, rows = [can, ball], p.count(2, 4)
    pieces, matter = pieces_of(kind, size, material, p), p.matter(material)
    half, apart, wall = lowest(pieces), size * p.uniform(1.02, 1.15), p.chance(0.3)
    for row in range(rows):
        count = 3 if wall else rows - row
        for k in range(count):
            at = (0.0, half * (1 + 2 * row), (k - (count - 1) / 2) * apart)
            play.bodies.append(Body(f"{p.id}.{row}.{k}", pieces, matter, at, motion=Free(), object_id=can.id))
    away, radius, tall = size * p.uniform(3, 6), size * p.uniform(0.3, 0.5), 2 * half * rows
    play.radius, play.height = away * 0.7 + size, tall * 1.3
    balls = pieces_of("ball", 2 * radius, thrown, p)
    if not p.sounds:
        over = tall + radius + size * p.uniform(0.3, 0.8)
        path = path_along((0, over, 0), (away * 0.6, size * 0.2, size * 0.3), swings(p, 1.0, p.uniform(1.2, 3.0)))
        play.bodies.append(Body(f"{p.id}.ball", balls, motion=Driven(path)))
        play.caption = f"a {ball.caption} passes"
        return play
    for k, time_s in enumerate(p.times(1.0, 3.0, 1.0)[: p.count(1, 3)]):
        start = (-away, max(radius * 1.1, tall * p.uniform(0.3, 0.9)), p.uniform(-0.3, 0.3) * apart)
        velocity = _throw(start, (0.0, tall * p.uniform(0.2, 0.8), p.uniform(-0.4, 0.4) * apart), p.uniform(0.25, 0.5))
        shown = (time_s - APPEARS_S if k else -np.inf, np.inf)
        motion = Free(time_s, velocity, (0.0, 0.0, p.uniform(-10, 10)))
        play.bodies.append(
            Body(f"{p.id}.ball{k}", balls, p.matter(thrown), start, motion=motion, object_id=ball.id, shown=shown)
        )
    play.caption = f"a {ball.caption} is thrown at {can.caption}"
    return play


def _throw(start: Vector, target: Vector, seconds: float) -> Vector:
    """Velocity of a throw that arrives at the target after so long."""
    x, y, z = (float(b - a) / seconds for a, b in zip(start, target, strict=True))
    return (x, y + GRAVITY * seconds / 2, z)
