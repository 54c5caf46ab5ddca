"""Wheels with pegs or spokes that turn against a clapper: from a whirr of clicks to single ones, or the other way."""

from dataclasses import replace

import numpy as np

from openfoley.gym.bodies.description import Body, Driven, Joint, Piece
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.motions import pendulum
from openfoley.gym.bodies.families.parts import rod
from openfoley.gym.bodies.records import Box, Cylinder, Sphere, Vector
from openfoley.gym.records import Track

FASTEST_CLICKS_HZ = 22.0


def wheel(builder: Builder) -> Mechanism:
    """A wheel that is spun now and then and runs down, goes to and fro, or turns evenly. Silent: the clapper hangs
    clear of its pegs."""
    p, play = builder, Mechanism()
    radius, count = p.size_m * p.uniform(1.0, 2.5), p.count(3, 20)
    peg = min(radius * p.uniform(0.02, 0.06), 0.25 * np.pi * radius / count)
    material = p.material("wood", "plastic", "steel", "cardboard", "rubber")
    long = radius * p.uniform(0.35, 0.8)
    low = radius * p.uniform(1.1, 1.5)
    deep = radius * p.uniform(0.05, 0.15)
    pieces, ring, front = (_spokes if p.chance(0.4) else _disc)(p, radius, count, (peg, deep))
    # The body's origin is on the rim, as what a camera follows are origins.
    pieces = tuple(replace(q, offset=(q.offset[0], q.offset[1] + radius, q.offset[2])) for q in pieces)
    spin, between = _spins(p, count), np.pi / 2 % (2 * np.pi / count) + np.pi / count  # the tongue begins between two
    path = pendulum((0.0, low, 0.0), radius, lambda t: between + spin(t))
    play.bodies.append(Body(f"{p.id}.wheel", pieces, p.matter("wood"), motion=Driven(path)))
    thing = p.thing("strike", "clapper", material, long)
    play.objects = [thing]
    # The tip reaches below the outer edge of the pegs; pushed aside, it goes round past them.
    tip = low + ring + (-peg * p.uniform(0.3, 1.2) if p.sounds else peg * p.uniform(2.0, 4.0))
    play.bodies += _clapper(p, (tip, long, front), material, thing.id)
    play.bodies.append(_stand(p, low, radius, deep))
    play.radius, play.height = radius * 1.1, tip + long
    play.caption = f"a {thing.caption} clicks on the pegs of a wheel"
    return play


def _disc(
    builder: Builder, radius: float, count: int, sizes: tuple[float, float]
) -> tuple[tuple[Piece, ...], float, float]:
    """A board with pegs on its face, or standing out from its rim; how far they reach, and where on z they are."""
    p, (peg, deep) = builder, sizes
    paint, pins = p.surface(p.material("wood", "plastic", "steel"), radius), p.surface(p.material("steel", "wood"), peg)
    hub = Piece(Sphere(radius * 0.12), pins, (0, 0, -deep * 0.3), touches=False)
    outward = p.chance(0.4)
    board, pieces = radius * (0.85 if outward else 1.0), [hub]
    for k in range(count):
        x, y = float(np.cos(2 * np.pi * k / count)), float(np.sin(2 * np.pi * k / count))
        if outward:
            start, end = (x * board * 0.9, y * board * 0.9, 0.0), (x * radius, y * radius, 0.0)
        else:
            at = radius - 2 * peg
            start, end = (x * at, y * at, 0.0), (x * at, y * at, -deep - peg)
        pieces.append(rod(start, end, peg, pins))
        if p.chance(0.3):  # marks that show how it turns
            mark = (x * board * 0.6, y * board * 0.6, -deep * 0.2)
            pieces.append(Piece(Sphere(radius * 0.07), pins, mark, touches=False))
    face = Cylinder(board, deep * 0.2)
    reach, front = (radius, 0.0) if outward else (radius - peg, -deep * 0.6)
    return (Piece(face, paint, touches=False), *pieces), reach, front


def _spokes(
    builder: Builder, radius: float, count: int, sizes: tuple[float, float]
) -> tuple[tuple[Piece, ...], float, float]:
    """As `_disc`, of spokes without a rim."""
    p, (peg, deep) = builder, sizes
    paint, hub = p.surface(p.material("steel", "wood", "plastic"), radius), Cylinder(radius * 0.15, deep * 0.6)
    pieces = [Piece(hub, paint, touches=False)]
    for k in range(count):
        x, y = float(np.cos(2 * np.pi * k / count)), float(np.sin(2 * np.pi * k / count))
        pieces.append(rod((0, 0, 0), (x * radius, y * radius, 0.0), peg, paint))
    return tuple(pieces), radius, 0.0


def _spins(builder: Builder, count: int) -> Track:
    """The wheel's angle (rad)."""
    p, sign = builder, builder.pick((-1.0, 1.0))
    step = 2 * np.pi / count
    fastest = min(step * FASTEST_CLICKS_HZ, 14.0)
    kind = p.pick(("spun", "spun", "spun", "even", "swings"))
    begin = p.start_s + p.uniform(0.0, 0.6)
    if kind == "even":
        rate = sign * min(step * p.scaled(0.7, 15.0), fastest)
        return lambda t: rate * np.maximum(t - begin, 0)
    if kind == "swings":
        period, reach = p.uniform(1.0, 4.0), min(step * p.uniform(1.0, 6.0), 3.0)
        return lambda t: reach * np.sin(2 * np.pi * np.maximum(t - begin, 0) / period)
    starts = [begin, *(t for t in p.times(2.5, 5.0) if t > begin + 2.0)]
    rates = [sign * fastest * p.uniform(0.3, 1.0) for _ in starts]
    start_up, loss = p.uniform(0.1, 0.3), p.uniform(0.6, 2.5)

    def angle(t: np.ndarray) -> np.ndarray:
        """Each spin adds its own: it speeds up, then loses speed evenly in proportion."""
        total = np.zeros(len(t))
        for time_s, rate in zip(starts, rates, strict=True):
            since = np.maximum(t - time_s, 0)
            total += rate * (loss * (1 - np.exp(-since / loss)) - start_up * (1 - np.exp(-since / start_up)))
        return total

    return angle


def _clapper(builder: Builder, sizes: Vector, material: str, object_id: str) -> list[Body]:
    """A tongue with a round tip that hangs from a pivot above the wheel, and the arm that holds it. A flat tip would
    jam on a peg."""
    p, (tip, long, front) = builder, sizes
    thick = long * p.uniform(0.04, 0.09)
    paint, hold = p.surface(material, long), p.surface(p.material("wood", "steel"), long)
    leaf = Box((thick * 0.8, long * 0.35, thick * p.uniform(1.0, 4.0)))
    pieces = (
        rod((0, -long / 2, 0), (0, long / 2, 0), thick, paint),
        Piece(leaf, paint, (0, long * 0.1, 0), touches=False),
    )
    joint = Joint("hinge", anchor=(0, long / 2, 0), loss_s=p.uniform(0.02, 0.08), spring_hz=p.uniform(8, 18))
    matter = replace(p.matter(material), friction=0.1)
    there, top, back = (0.0, tip + long / 2, front), tip + long, long * p.uniform(0.3, 0.7)
    body = Body(f"{p.id}.clapper", pieces, matter, there, motion=joint, object_id=object_id, rings=True)
    beam = rod((0, top, front), (0, top, back), thick * 1.2, hold, touches=False)
    post = rod((0, 0, back), (0, top, back), thick * 1.2, hold, touches=False)
    return [body, Body(f"{p.id}.arm", (beam, post))]


def _stand(builder: Builder, low: float, radius: float, deep: float) -> Body:
    """Legs behind the wheel, to its axle."""
    p, thin, back = builder, radius * 0.05, deep * 2 + radius * 0.1
    paint = p.surface(p.material("wood", "steel"), radius)
    pieces = [rod((0, low, 0), (0, low, back), thin, paint, touches=False)]
    pieces += [rod((x, 0, back), (0, low, back), thin, paint, touches=False) for x in (-radius * 0.6, radius * 0.6)]
    return Body(f"{p.id}.stand", tuple(pieces))
