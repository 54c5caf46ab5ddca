"""Newton's cradle: a row of hanging balls; those that are lifted swing in, as many leave at the other end."""

from dataclasses import dataclass, replace

import numpy as np

from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Driven, Joint, Piece
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.motions import pendulum, swings
from openfoley.gym.bodies.families.parts import cord, rod
from openfoley.gym.bodies.families.things import pieces_of, string
from openfoley.gym.bodies.matter import Matter
from openfoley.gym.bodies.records import Box, Vector
from openfoley.gym.motion import GRAVITY

ELASTIC, BRIEF_S = 0.94, 0.003
"""Restitution of the balls and how long they touch: a blow goes through the row only if it leaves each gap before it
reaches the next."""
GAP = 0.5
"""Between two balls at rest: the share of the way that the first one goes in BRIEF_S."""


@dataclass(frozen=True)
class _Row:
    """pivots: where the balls hang, `length` above them. wide: half the distance of a ball's two cords. lean: of those
    that are lifted (rad)."""

    pivots: list[Vector]
    length: float
    wide: float
    lean: float
    pieces: tuple[Piece, ...]
    matter: Matter
    object_id: str


def cradle(builder: Builder) -> Mechanism:
    """Three to seven balls. Silent: they hang apart and swing together, or across the row like waves."""
    p, play = builder, Mechanism()
    material = p.material("steel", "glass", "stone", "wood", "plastic", "ceramic")
    count, size = p.count(3, 7), p.size_m * p.uniform(0.4, 1.0)
    radius = size / 2
    length, wide = size * p.uniform(2.5, 6), size * p.uniform(0.6, 1.5)
    top = radius + length + size * p.uniform(0.2, 0.6)
    lean = p.uniform(0.25, 0.8)
    speed = float(np.sqrt(2 * GRAVITY * length * (1 - np.cos(lean))))
    pitch = 2 * radius + GAP * BRIEF_S * speed if p.sounds else radius * p.uniform(2.5, 3.5)
    pivots = [((k - (count - 1) / 2) * pitch, top, 0.0) for k in range(count)]
    thing = p.thing("strike", "balls", material, size)
    play.objects, matter = [thing], replace(p.matter(material), restitution=ELASTIC, contact_s=BRIEF_S, friction=0.05)
    row = _Row(pivots, length, wide, lean, pieces_of("ball", size, material, p), matter, thing.id)
    half = pitch * count / 2 + radius
    play.bodies = [*(_colliding(p, row) if p.sounds else _apart(p, row)), _frame(p, half, top, wide, size)]
    play.radius, play.height = half + length * float(np.sin(row.lean)), top
    play.caption = f"{thing.caption} of a cradle click against each other"
    return play


def _colliding(builder: Builder, row: _Row) -> list[Body]:
    """Balls on two cords each; some are lifted at one end, or at both."""
    p, count = builder, len(row.pivots)
    lifted = p.count(1, max(1, count - 2))
    both = 2 * lifted < count and p.chance(0.3)
    cords = [cord((0, 0, 0), (0, row.length, side * row.wide), row.length * 0.004, p) for side in (-1, 1)]
    release_s, loss_s = p.start_s + p.scaled(0.15, 1.5), p.uniform(15, 60)
    swing = Joint("hinge", (0, 0, 1), (0, row.length, 0), release_s=release_s, loss_s=loss_s)
    bodies = []
    for k, (x, y, z) in enumerate(row.pivots):
        side = -1 if k < lifted else 1 if both and k >= count - lifted else 0
        turn = rotation.about((0, 0, 1), side * row.lean)
        down = rotation.turned(turn, (0.0, -row.length, 0.0))
        there = (x + down[0], y + down[1], z)
        bodies.append(Body(f"{p.id}.{k}", (*row.pieces, *cords), row.matter, there, turn, swing, row.object_id))
    return bodies


def _apart(builder: Builder, row: _Row) -> list[Body]:
    p, across = builder, builder.chance(0.5)
    period = 2 * np.pi * float(np.sqrt(row.length / GRAVITY))
    together, line = swings(p, row.lean, period), string(row.length, row.length * 0.005, p)
    bodies = []
    for k, pivot in enumerate(row.pivots):
        angle = swings(p, row.lean, period * p.uniform(0.85, 1.2)) if across else together
        path = pendulum(pivot, row.length, angle, (1.0, 0.0, 0.0) if across else (0.0, 0.0, 1.0))
        bodies.append(Body(f"{p.id}.{k}", (*row.pieces, line), row.matter, motion=Driven(path)))
    return bodies


def _frame(builder: Builder, half: float, top: float, wide: float, size: float) -> Body:
    """Two rails on four posts, and a base plate."""
    p, thin = builder, size * builder.uniform(0.04, 0.1)
    paint = p.surface(p.material("steel", "wood", "plastic"), size)
    pieces = [Piece(Box((half, thin, wide)), paint, (0.0, thin, 0.0))] if p.chance(0.6) else []
    for side in (-wide, wide):
        pieces.append(rod((-half, top, side), (half, top, side), thin, paint))
        pieces += [rod((x, 0, side), (x, top, side), thin, paint) for x in (-half, half)]
    return Body(f"{p.id}.frame", tuple(pieces))
