"""Heaps: things are dropped one after the other onto one another, or poured from a crate."""

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Driven, Fixed, Free, Piece, PoseTrack
from openfoley.gym.bodies.families.drops import APPEARS_S
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.motions import dips, path_along, turning
from openfoley.gym.bodies.families.parts import stuck, walls
from openfoley.gym.bodies.families.things import NOUNS, lowest, pieces_of, plural
from openfoley.gym.bodies.records import Vector

DROPPED = ("box", "die", "can", "rod", "pebble", "mug", "jack", "plate", "plank", "ring", "ball")
POURED = ("ball", "die", "box", "pebble", "can")
MOST_DROPPED, MOST_POURED = 6, 7
CLEAR_S = 0.45
"""Between two that are let go at the same place: the first is out of the way before the next is seen."""
POURING_S = 2.4


def piles(builder: Builder) -> Mechanism:
    """Two to six things fall onto the same spot, or three to seven are poured onto it and up to three dropped after
    them; some may lie there before. Now and then a board hides where they come to lie. Silent: a thing on a string is
    let down towards those that lie there, or a full crate is tipped too little."""
    p, play = builder, Mechanism()
    poured = p.chance(0.45)
    kind, material = p.pick(POURED if poured else DROPPED), p.material()
    size = p.size_m * p.uniform(0.6, 1.0)
    things = p.thing("drop", plural(NOUNS[kind]), material, size)
    play.objects = [things]
    below = p.count(1, 4) if not p.sounds else p.count(0, 2)
    above = size * p.uniform(3.5, 6.0)
    play.radius, play.height = size * p.uniform(2.5, 3.5), above + 1.5 * size
    matter = p.matter(material)
    for k in range(below):
        pieces, angle = pieces_of(kind, size, material, p), np.pi / 2 * k + p.uniform(-0.1, 0.1)
        there = (size * float(np.cos(angle)), lowest(pieces), size * float(np.sin(angle)))
        lies, sounds_as = (Free(), things.id) if p.sounds else (Fixed(), None)
        play.bodies.append(Body(f"{p.id}.below{k}", pieces, matter, there, motion=lies, object_id=sounds_as))
    begin = p.start_s + p.uniform(0.1, 0.8)
    if poured:
        _crate(p, play, (kind, material, size), (above, begin))
    elif not p.sounds:
        path = path_along((0, 0, 0), (0, 1, 0), dips(p, size * p.uniform(1.8, 2.2), above + size), turning(p))
        play.bodies.append(Body(f"{p.id}.led", pieces_of(kind, size, material, p), motion=Driven(path)))
    first, most = (begin + POURING_S, p.count(0, 3)) if poured else (p.start_s, p.count(2, MOST_DROPPED))
    rest = size * p.uniform(0.1, 0.5)
    for k, time_s in enumerate([t for t in p.times(CLEAR_S, 1.4) if t > first][:most] if p.sounds else []):
        there = (p.uniform(-rest, rest), above * p.uniform(0.9, 1.0), p.uniform(-rest, rest))
        spin: Vector = (p.uniform(-4, 4), p.uniform(-4, 4), p.uniform(-4, 4))
        pieces, shown = pieces_of(kind, size, material, p), (time_s - (APPEARS_S if k == 0 else 0.1), np.inf)
        free = Free(time_s, (p.uniform(-0.1, 0.1), 0.0, p.uniform(-0.1, 0.1)), spin, 4.0)
        turn = rotation.random_turn(p.rng)
        play.bodies.append(Body(f"{p.id}.{k}", pieces, matter, there, turn, free, things.id, shown=shown))
    if p.chance(0.25):
        half = (size * p.uniform(0.5, 1.5), size * p.uniform(0.3, 0.8), size * 0.1)
        play.bodies.append(p.fixture("board", (half, (size * p.uniform(-1, 1), half[1], -size * p.uniform(1.8, 2.6)))))
    play.caption = f"{things.caption} {'are poured onto' if poured else 'fall on'} a heap"
    return play


def _crate(builder: Builder, play: Mechanism, thing: tuple[str, str, float], when: tuple[float, float]) -> None:
    """An open box with things in it that is held beside the heap at this height (m), tipped over it at this time (s)
    and taken away."""
    p, (kind, material, size), (above, begin) = builder, thing, when
    inner = (size * 1.15, size * 1.25, size * 1.15)
    paint = p.surface(p.material("wood", "cardboard", "plastic", "steel"), size)
    sides = walls(inner, size * p.uniform(0.06, 0.1), paint, is_open=True)
    cells = [(x, y, z) for y in (0, 1) for x in (-1, 1) for z in (-1, 1)][: p.count(3, MOST_POURED)]
    farthest = 2.3 if p.sounds else p.uniform(0.4, 0.9)
    path = _tipped(p, (above, size), (begin, farthest))
    fillings: list[Piece] = []
    for k, (x, y, z) in enumerate(cells):
        pieces = pieces_of(kind, size, material, p)
        inside = (x * size * 0.56, lowest(pieces) - inner[1] + y * size * 1.05, z * size * 0.56)
        if p.sounds:
            start = path(np.array([p.start_s]))[0][0]
            there = (float(start[0]) + inside[0], float(start[1]) + inside[1], inside[2])
            free = Free(spin_loss_s=4.0)
            play.bodies.append(
                Body(f"{p.id}.in{k}", pieces, p.matter(material), there, motion=free, object_id=play.objects[0].id)
            )
        else:
            fillings += [stuck(piece, inside) for piece in pieces]
    heavy = 1e6 * size**3
    crate = Body(f"{p.id}.crate", (*sides, *fillings), p.matter("wood"), motion=Driven(path), mass_kg=heavy)
    play.bodies.append(crate)


def _tipped(builder: Builder, stand: tuple[float, float], tip: tuple[float, float]) -> PoseTrack:
    """It leans about z until its things fall out, or not so far, over and over."""
    p, (above, size), (begin, farthest) = builder, stand, tip
    takes, period, sounds = p.uniform(0.7, 1.6), p.uniform(1.6, 3.0), p.sounds

    def path(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if sounds:
            leans = motion.smooth((t - begin) / takes)
            away = motion.smooth((t - begin - takes - 0.4) / 0.6)
        else:
            leans, away = 0.5 - 0.5 * np.cos(2 * np.pi * np.maximum(t - begin, 0) / period), np.zeros(len(t))
        x = -size * (1.9 + 6 * away)
        return motion.points(x, above, 0.0), rotation.about_many((0.0, 0.0, 1.0), -farthest * leans)

    return path
