"""Rows of dominoes and pendulums that knock into blocks: what stands is toppled."""

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Driven, Free, Joint, Piece
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.motions import approaches, path_along, pendulum, swings
from openfoley.gym.bodies.families.things import NOUNS, lowest, pieces_of, plural, string
from openfoley.gym.bodies.records import UNTURNED, Box, Sphere
from openfoley.gym.motion import GRAVITY

LONGEST_ROW = 14


def dominoes(builder: Builder) -> Mechanism:
    """A row, straight or curved, is pushed over at one end. Silent: a finger comes near, again and again, and stops
    short."""
    p, play = builder, Mechanism()
    material, tall = p.material("wood", "plastic", "stone", "ceramic", "steel", "cardboard"), p.size_m
    half = (tall * p.uniform(0.06, 0.13), tall / 2, tall * p.uniform(0.15, 0.35))
    gap = tall * p.uniform(0.4, 0.75)
    count = p.count(4, LONGEST_ROW)
    bend = p.pick((0.0, p.uniform(-0.15, 0.15), p.uniform(-0.3, 0.3)))
    thing = p.thing("topple", "dominoes", material, tall)
    play.objects.append(thing)
    paint = [p.surface(material, tall) for _ in range(p.count(1, 3))]
    matter, where, course = p.matter(material), np.zeros(2), bend * (count - 1) / 2
    places, courses = [], []
    for _ in range(count):
        places.append(where.copy())
        courses.append(course)
        course -= bend
        where += gap * np.array([np.cos(course), -np.sin(course)])
    middle = (np.min(places, axis=0) + np.max(places, axis=0)) / 2
    for k in range(count):
        x, z = (float(v) for v in places[k] - middle)
        pieces = (Piece(Box(half), paint[k % len(paint)]),)
        turn = rotation.about((0, 1, 0), float(courses[k]))
        play.bodies.append(Body(f"{p.id}.{k}", pieces, matter, (x, tall / 2, z), turn, Free(), thing.id))
    play.bodies.append(_finger(p, play.bodies[0], half, float(courses[0])))
    play.radius = float(np.ptp(np.array(places), axis=0).max()) / 2 + tall
    play.height = tall * 1.2
    play.caption = f"{material} dominoes fall over one after another"
    return play


def _finger(builder: Builder, first: Body, half: tuple[float, float, float], course: float) -> Body:
    """It comes to the top of the first domino and pushes it, or stops short of it."""
    p, thick = builder, half[1] * 0.2
    away = half[0] + thick
    touch = p.start_s + p.scaled(0.4, max(0.5, (p.end_s - p.start_s) * 0.4))
    far, reach, span = half[1] * 1.5, half[0] * 2.5, p.uniform(0.15, 0.4)

    feint, before = p.chance(0.3), touch - 2 * span - 0.6

    def push(t: np.ndarray) -> np.ndarray:
        there = motion.smooth((t - touch) / span) - motion.smooth((t - touch - span) / span / 2)
        near = motion.smooth((t - before) / span / 2) - motion.smooth((t - before - 2 * span) / 0.5)
        # Beyond the balance, then drawn back; before it, perhaps, not quite as far as the first domino.
        return away + far * (1 - there - 0.85 * near * feint) - reach * there

    distance = push if p.sounds else approaches(p, away + half[1] * p.uniform(0.1, 0.3), away + half[1] * 2)
    turn = rotation.about((0, 1, 0), course)
    back = rotation.turned(turn, (-1.0, 0.0, 0.0))
    base = (first.place[0], half[1] * 1.7, first.place[2])
    pieces = (Piece(Sphere(thick), p.surface(p.material("plastic", "wood", "rubber"), thick * 4)),)
    return Body(f"{p.id}.finger", pieces, motion=Driven(path_along(base, back, distance)))


def pendulum_into_blocks(builder: Builder) -> Mechanism:
    """A ball on a string swings into a tower or a row. Silent: it swings beside it, to and fro."""
    p, play = builder, Mechanism()
    material, struck = p.material(), p.material("wood", "plastic", "cardboard", "stone", "ceramic", "steel", "glass")
    size = p.size_m * p.uniform(0.6, 1.0)
    length, radius = p.size_m * p.uniform(3, 6), size / 2
    kind = p.pick(("die", "box", "can", "can"))
    blocks = p.thing("knock", plural(NOUNS[kind]), struck, size)
    ball = p.thing("swing", "ball", material, size)
    play.objects, count = [blocks, ball], p.count(2, 8)
    pieces, columns, matter = pieces_of(kind, size, struck, p), p.count(1, 3), p.matter(struck)
    half = lowest(pieces)
    top = 2 * half * (1 + (count - 1) // columns)
    for k in range(count):
        x, z = radius * 2.2, (k % columns - (columns - 1) / 2) * size * 1.15
        y = half * (1 + 2 * (k // columns))
        play.bodies.append(Body(f"{p.id}.{k}", pieces, matter, (x, y, z), motion=Free(), object_id=blocks.id))
    low = max(radius * 1.2, top * p.uniform(0.3, 0.7))
    pivot = (0.0, low + length, 0.0)
    bob = (*pieces_of("ball", size, material, p), string(length, size * 0.03, p))
    lean = p.uniform(0.5, 1.1)
    turn = rotation.about((0, 0, 1), -lean)
    hung = (-length * float(np.sin(lean)), pivot[1] - length * float(np.cos(lean)), 0.0)
    release = p.start_s + p.scaled(0.3, max(0.4, (p.end_s - p.start_s) * 0.4))
    swing: Joint | Driven = Joint("hinge", (0, 0, 1), (0, length, 0), release_s=release, loss_s=p.uniform(3, 20))
    if not p.sounds:
        aside = (0.0, pivot[1], -columns * size * 0.6 - size * p.uniform(0.7, 1.5))
        period = 2 * np.pi * float(np.sqrt(length / GRAVITY))
        swing = Driven(pendulum(aside, length, swings(p, lean, period)))
    play.bodies.append(
        Body(f"{p.id}.bob", bob, p.matter(material), hung, turn if p.sounds else UNTURNED, swing, ball.id)
    )
    play.radius, play.height = length * float(np.sin(lean)) + size, pivot[1] * 0.8
    play.caption = f"a {material} ball swings into {blocks.caption}"
    return play
