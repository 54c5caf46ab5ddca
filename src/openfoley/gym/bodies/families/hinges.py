"""Things on hinges: seesaws, doors and lids."""

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Free, Joint, Piece, Servo
from openfoley.gym.bodies.families.drops import APPEARS_S
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.things import NOUNS, pieces_of
from openfoley.gym.bodies.records import Box, Cylinder
from openfoley.gym.records import Track

NEAR_MISS = 0.2
"""Share of strokes that stop short in scenes that sound."""


def seesaw(builder: Builder) -> Mechanism:
    """Things fall on the ends of a seesaw, which strikes the ground. Silent: it rocks by itself and does not reach
    it."""
    p, play = builder, Mechanism()
    material, half = p.material("wood", "steel", "plastic", "stone", "brass", "clay"), p.size_m * p.uniform(1.8, 3.0)
    thick, wide, high = half * 0.03, half * p.uniform(0.12, 0.3), half * p.uniform(0.18, 0.4)
    board = p.thing("knock", "seesaw", material, half)
    play.objects, lowest_angle = [board], float(np.arcsin(high / half))
    start = p.uniform(0.5, 0.9) * lowest_angle * p.pick((-1.0, 1.0))
    paint = p.surface(material, half)
    cheek = wide + thick * 2
    play.bodies.append(p.fixture("post", *(((thick, high / 2, thick), (0, high / 2, z)) for z in (-cheek, cheek))))
    servo = None
    if not p.sounds:
        rate, reach = p.uniform(0.3, 0.8), p.uniform(0.3, 0.7) * lowest_angle
        rocks: Track = lambda t: reach * np.sin(2 * np.pi * rate * (t - p.start_s))
        servo, start = Servo(rocks), 0.0
    loss = p.uniform(0.6, 3.0)
    play.bodies.append(
        Body(
            f"{p.id}.board",
            (
                Piece(Box((half, thick, wide)), paint),
                Piece(Cylinder(thick * 1.2, cheek + thick), paint, (0, -thick, 0), touches=False, weighs=False),
            ),
            p.matter(material),
            (0, high, 0),
            rotation.about((0, 0, 1), start),
            Joint("hinge", (0, 0, 1), loss_s=loss, servo=servo),
            board.id,
        )
    )
    play.radius, play.height = half * 1.1, high * 2 + p.size_m * 2
    if p.sounds:
        _load(p, play, half, high)
    play.caption = f"things fall on a {board.caption}" if p.sounds else f"a {board.caption} rocks"
    return play


def _load(builder: Builder, play: Mechanism, half: float, high: float) -> None:
    """Things that fall on alternate ends."""
    p, kind, material = builder, builder.pick(("ball", "die", "box", "pebble", "can")), builder.material()
    size, side = p.size_m * p.uniform(0.5, 0.9), p.pick((-1.0, 1.0))
    thing = p.thing("drop", NOUNS[kind], material, size)
    play.objects.append(thing)
    for k, time_s in enumerate(p.times(0.9, 2.5, 0.8)[: p.count(1, 5)]):
        at = (side * half * p.uniform(0.6, 0.9), high * 2 + size * p.uniform(0.6, 3.0), 0.0)
        shown = (time_s - APPEARS_S, np.inf)
        pieces = pieces_of(kind, size, material, p)
        play.bodies.append(
            Body(f"{p.id}.{k}", pieces, p.matter(material), at, motion=Free(time_s), object_id=thing.id, shown=shown)
        )
        side = -side


def door(builder: Builder) -> Mechanism:
    """A door or gate is slammed against its post, again and again. Silent: it closes almost."""
    p, play = builder, Mechanism()
    material = p.material("wood", "steel", "glass", "plastic", "brass", "stone")
    wide, tall = p.size_m * p.uniform(1.8, 3.0), p.size_m * p.uniform(1.5, 4.0)
    thick, clear = wide * p.uniform(0.02, 0.05), tall * 0.03
    thing = p.thing("slam", p.pick(("door", "gate")), material, (wide + tall) / 2)
    play.objects, post = [thing], thick * p.uniform(1.5, 2.5)
    high = tall / 2 + clear
    play.bodies.append(
        p.fixture(
            "frame",
            ((post, high, post), (wide + post + thick * 0.5, high, 0)),
            ((post * 0.6, high, thick), (wide - post * 0.6, high, thick * 2.0)),  # the stop
        )
    )
    play.bodies.append(p.fixture("hinges", ((post, high, post), (-post, high, 0))))
    paint = p.surface(material, wide)
    pieces = _panel(p, wide, tall, thick) if p.chance(0.5) else (Piece(Box((wide / 2, tall / 2, thick)), paint),)
    open_to = p.uniform(0.6, 1.6)
    servo = Servo(_slams(p, open_to), p.uniform(1.5, 4.0))
    play.bodies.append(
        Body(
            f"{p.id}.door",
            tuple(Piece(q.shape, paint, q.offset, q.turn) for q in pieces),
            p.matter(material),
            (wide / 2 + thick * 0.25, high + clear, 0),
            motion=Joint("hinge", (0, 1, 0), (-wide / 2, 0, 0), start=open_to, servo=servo),
            object_id=thing.id,
            ignores=(f"{p.id}.hinges",),
        )
    )
    play.radius, play.height = wide * 1.1, tall * 1.1
    play.caption = f"a {thing.caption} slams" if p.sounds else f"a {thing.caption} moves"
    return play


def lid(builder: Builder) -> Mechanism:
    """The lid of a box falls shut, again and again. Silent: it is lowered almost."""
    p, play = builder, Mechanism()
    material = p.material("wood", "steel", "ceramic", "plastic", "cardboard", "glass", "clay", "brass")
    wide, deep, tall = (p.size_m * p.uniform(1.0, 2.2) for _ in range(3))
    thick = p.size_m * p.uniform(0.04, 0.09)
    thing = p.thing("clap", "lid", material, (wide + deep) / 2)
    play.objects = [thing]
    walls = [((wide / 2, tall / 2, thick), (0.0, tall / 2, s * (deep / 2 - thick))) for s in (-1, 1)]
    walls += [((thick, tall / 2, deep / 2 - 2 * thick), (s * (wide / 2 - thick), tall / 2, 0.0)) for s in (-1, 1)]
    play.bodies.append(p.fixture("box", *walls))
    open_to = p.uniform(0.5, 1.7)
    paint, half = p.surface(material, wide), (wide / 2 + thick, thick, deep / 2 + thick)
    pieces = [Piece(Box(half), paint)]
    if p.chance(0.5):
        pieces.append(Piece(Cylinder(thick * 1.5, thick * 3), paint, (0, thick * 3, 0)))
    anchor = (-half[0], 0.0, 0.0)
    servo = Servo(_slams(p, open_to, -0.05), p.uniform(1.5, 3.5))
    shut = Body(
        f"{p.id}.lid",
        tuple(pieces),
        p.matter(material),
        (0, tall + thick * 1.05, 0),
        motion=Joint("hinge", (0, 0, 1), anchor, start=open_to, servo=servo),
        object_id=thing.id,
    )
    play.bodies.append(shut)
    play.radius, play.height = max(wide, deep), tall + wide * 0.7
    play.caption = f"a {thing.caption} falls shut" if p.sounds else f"a {thing.caption} moves"
    return play


def _panel(builder: Builder, wide: float, tall: float, thick: float) -> tuple[Piece, ...]:
    """A gate of bars."""
    paint = builder.surface("wood", wide)
    bar, count = wide * 0.05, builder.count(3, 6)
    rails = [Piece(Box((wide / 2, bar, thick)), paint, (0, y, 0)) for y in (-tall / 2 + bar, tall / 2 - bar)]
    spots = np.linspace(-wide / 2 + bar, wide / 2 - bar, count)
    return (*rails, *(Piece(Box((bar, tall / 2, thick)), paint, (float(x), 0, 0)) for x in spots))


def _slams(builder: Builder, open_to: float, beyond: float = -0.25) -> Track:
    """The angle a hand leads to: from open to beyond the closed place, held there, and back; or only almost there, as
    now and then among strokes that sound."""
    p, shut, held = builder, builder.uniform(0.12, 0.4), builder.uniform(0.15, 0.6)
    back = p.uniform(0.4, 1.0)
    strokes = []
    for begin in p.times(shut + held + back + 0.5, shut + held + back + 1.8, 0.5):
        short = not p.sounds or p.chance(NEAR_MISS)
        # A near miss comes as fast at first but slows down, so that it does not swing on.
        strokes.append((begin, shut + 0.4 if short else shut, open_to * p.uniform(0.12, 0.4) if short else beyond))

    def angle(t: np.ndarray) -> np.ndarray:
        value = np.full(len(t), open_to)
        for begin, lasts, end in strokes:
            there = motion.smooth((t - begin) / lasts) - motion.smooth((t - begin - lasts - held) / back)
            value += (end - open_to) * there
        return value

    return angle
