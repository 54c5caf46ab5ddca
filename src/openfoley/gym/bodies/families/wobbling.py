"""Coins, plates, lids and rings that spin or wobble down to rest, faster and faster as they get lower.

A disc of radius r that leans by a from lying, and rolls on its edge in place, goes round with W^2 = 4 g / (r sin a);
its angular velocity is W sin a along the diameter to the point of contact (Moffatt 2000, Nature 404, 833).
"""

from dataclasses import replace

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Driven, Free, Piece
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.motions import dips, path_along
from openfoley.gym.bodies.families.parts import hand, ring
from openfoley.gym.bodies.families.things import UPRIGHT, string
from openfoley.gym.bodies.matter import Matter
from openfoley.gym.bodies.records import Cylinder, Quaternion, Sphere, Vector
from openfoley.gym.motion import GRAVITY

MATERIALS = ("steel", "glass", "plastic", "ceramic", "wood", "stone", "brass", "clay")
MOST = 3


def rolling(matter: Matter) -> Matter:
    """For edges that roll: with the longer and livelier blows of other things, a disc gains energy as it wobbles (its
    lean grows by a tenth in 0.2 s)."""
    return replace(matter, restitution=0.2, contact_s=0.003, friction=max(matter.friction, 0.6))


def wobbling(builder: Builder) -> Mechanism:
    """One to three. Silent: they wobble on a cushion, or turn on threads."""
    p, play = builder, Mechanism()
    kind, material = p.pick(("coin", "plate", "lid", "ring")), p.material(*MATERIALS)
    size = p.size_m * p.uniform(0.7, 1.3)
    thing = p.thing("spin", kind, material, size)
    play.objects = [thing]
    hung = not p.sounds and p.chance(0.5)
    # On a cushion there is only one: two might meet.
    times = p.times(1.5, 4.0, 1.5)[: p.count(1, MOST) if p.sounds or hung else 1]
    floor = max(size * 0.6, 0.06) if not p.sounds and not hung else 0.0  # things sink in by 15 mm
    wide = size * 1.5 * len(times)
    if floor:
        play.bodies.append(p.cushion((size * 2.2, floor / 2, size * 2.2), (0, floor / 2, 0)))
    for k, time_s in enumerate(times):
        x, (pieces, thick) = (k - (len(times) - 1) / 2) * size * 2.5, _disc(p, kind, size, material)
        name, matter = f"{p.id}.{k}", rolling(p.matter(material))
        if hung:
            low, high = size * 0.7, size * p.uniform(2, 4)
            turn = ((0.0, 1.0, 0.0), _turning_fast(p))
            path = path_along((x, 0, 0), (0, 1, 0), dips(p, low, high), turn)
            line = string(size * 6, size * 0.01, p)
            on_edge = (_on_edge(q) for q in pieces)
            play.bodies.append(Body(name, (*on_edge, line), matter, motion=Driven(path)))
            continue
        turn, let_go, up = _thrown(p, size / 2, thick, time_s)
        there = (x, floor + up, 0.0)
        play.bodies.append(Body(name, pieces, matter, there, turn, let_go, thing.id))
        play.bodies.append(_letting_go(p, f"hand{k}", (x, there[1] + size * 0.35, 0.0), size, time_s))
    play.radius, play.height = wide * 0.8 + size * 0.5, floor + size * 2
    play.caption = f"a {thing.caption} wobbles and comes to rest"
    return play


def _on_edge(piece: Piece) -> Piece:
    turn, offset = rotation.then(UPRIGHT, piece.turn), rotation.turned(UPRIGHT, piece.offset)
    return replace(piece, turn=turn, offset=offset)


def _turning_fast(builder: Builder) -> motion.Track:
    rate, phase = builder.pick((-1, 1)) * builder.uniform(2, 9), builder.uniform(0, 6.28)
    return lambda t: phase + rate * t


def _disc(builder: Builder, kind: str, size: float, material: str) -> tuple[tuple[Piece, ...], float]:
    """Lying, and half its thickness at the edge."""
    p, paint, r = builder, builder.surface(material, size), size / 2
    if kind == "ring":
        thick = r * p.uniform(0.08, 0.16)
        return tuple(ring(r - thick, thick, paint, sides=16)), thick
    flat = r * p.uniform(0.04, 0.1)
    pieces = [Piece(Cylinder(r, flat), paint, turn=UPRIGHT)]
    other = p.surface(material, size)
    if kind == "plate":
        pieces.append(Piece(Cylinder(r * 0.6, flat * 0.2), other, (0, flat, 0), UPRIGHT, touches=False))
    elif kind == "lid":
        pieces.append(Piece(Sphere(r * 0.15), other, (0, flat + r * 0.12, 0)))
    else:
        pieces.append(Piece(Cylinder(r * 0.5, flat * 1.05), other, turn=UPRIGHT, touches=False))
        # A mark that shows how it turns.
        pieces.append(Piece(Sphere(r * 0.12), other, (r * 0.7, flat * 0.3, 0), touches=False, weighs=False))
    return tuple(pieces), flat


def _thrown(builder: Builder, r: float, thick: float, time_s: float) -> tuple[Quaternion, Free, float]:
    """Its turn, how it is let go, and the height of its middle."""
    p, sign = builder, builder.pick((-1.0, 1.0))
    on_edge = p.sounds and p.chance(0.35)
    lean = p.uniform(1.3, 1.5) if on_edge else p.uniform(0.3, 1.0 if p.sounds else 0.5)
    side = p.uniform(0, 2 * np.pi)
    turn = rotation.then(rotation.about((0, 1, 0), side), rotation.about((0, 0, 1), lean))
    down = rotation.turned(turn, (-1.0, 0.0, 0.0))  # the diameter to the lowest point
    if on_edge:  # spun upright about the vertical
        rate = sign * p.uniform(6, 16)
        spin: Vector = (0.0, rate, 0.0)
    else:
        rate = sign * float(np.sqrt(4 * GRAVITY / (r * np.sin(lean)))) * float(np.sin(lean)) * p.uniform(0.7, 1.2)
        spin = (rate * down[0], rate * down[1], rate * down[2])
    up = r * float(np.sin(lean)) + thick * float(np.cos(lean)) + r * p.pick((0.1, 0.2, p.uniform(0.2, 0.9)))
    return turn, Free(time_s, (0.0, 0.0, 0.0), spin, spin_loss_s=p.uniform(1.0, 4.0)), up


def _letting_go(builder: Builder, name: str, there: Vector, size: float, time_s: float) -> Body:
    """A hand that holds it before, and goes up and away."""
    path = path_along(there, (0.0, size * 5, size), lambda t: motion.smooth((t - time_s) / 0.35))
    return Body(f"{builder.id}.{name}", tuple(hand(size * 0.5, builder, fingers=2)), motion=Driven(path))
