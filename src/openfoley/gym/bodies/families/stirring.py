"""Spoons that stir in bowls, pots, cups and pans."""

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies.description import Body, Free, Joint, Piece, Servo
from openfoley.gym.bodies.families.blows import STIFF_HZ, any_blows
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.motions import spells
from openfoley.gym.bodies.families.parts import SKIN, rod, tub
from openfoley.gym.bodies.families.things import NOUNS, UPRIGHT, lowest, pieces_of, plural
from openfoley.gym.bodies.records import Box, Cylinder, Sphere, Surface, Vector
from openfoley.gym.motion import GRAVITY
from openfoley.gym.records import Track

HEAVIEST_KG = 0.6
CORNERS = 1.08
"""Taps lean by this many times the angle at which the middle of a bowl's board is touched, as corners are farther."""
STRENGTH = 4.0
"""A hand holds at most so many times a spoon's weight, stretched out."""
ARM_HZ = 14.0
"""Of the hand that leads the spoon and gives way at the wall."""


def stirring(builder: Builder) -> Mechanism:
    """A spoon goes round in a bowl, scrapes along it and clinks against it, now and then among some things. Silent: it
    goes round above it."""
    p, play = builder, Mechanism()
    material, tool = p.material("ceramic", "steel", "glass", "wood", "plastic"), p.material("steel", "wood", "plastic")
    noun = p.pick(("bowl", "pot", "cup", "pan"))
    inside = p.size_m * p.uniform(0.5, 1.1)
    depth = inside * p.uniform(*{"bowl": (0.5, 0.9), "pot": (0.7, 1.1), "cup": (0.9, 1.4), "pan": (0.45, 0.6)}[noun])
    thick, flare = inside * p.uniform(0.04, 0.1), p.uniform(0.2, 0.6) if noun == "bowl" else p.uniform(0.0, 0.15)
    thing = p.thing("stir", noun, material, 2 * inside)
    play.objects = [thing]
    made = p.matter(material)
    shell = tuple(tub(inside, depth, thick, p.surface(material, inside), flare=flare, sides=12))
    play.bodies.append(Body(f"{p.id}.bowl", shell, made, (0, 2 * thick, 0), object_id=thing.id, rings=True))
    long, tip = depth + inside * p.uniform(1.7, 2.6), inside * p.uniform(0.08, 0.16)
    raised = 2 * thick + (tip * 1.1 + inside * 0.06 if p.sounds else depth + inside * 0.35)
    play.bodies += _spoon(p, tool, (long, tip, raised), _lean_at_wall((long, tip), inside, flare))
    if p.sounds and p.chance(0.4):
        _contents(p, play, (inside, 2 * thick), 0.4 * _weight(long))
    play.radius, play.height = inside * 2, raised + long
    play.caption = f"a {tool} spoon stirs in a {thing.caption}"
    return play


def _lean_at_wall(spoon: tuple[float, float], inside: float, flare: float) -> float:
    """Angle (rad) at which a spoon of this length and tip radius, hung over the middle, touches a bowl's wall."""
    (long, tip), lean = spoon, 0.0
    for _ in range(5):  # the more it leans, the higher and so the wider is where it touches
        reach = inside + (tip + long * (1 - float(np.cos(lean)))) * float(np.tan(flare)) - tip / float(np.cos(flare))
        lean = float(np.arcsin(min(0.8, reach / long)))
    return lean


def _weight(long: float) -> float:
    """kg; of a spoon with the hand behind it."""
    return min(HEAVIEST_KG, 300 * long**3)


def _contents(builder: Builder, play: Mechanism, sizes: tuple[float, float], mass_kg: float) -> None:
    """Small things in the bowl, away from where the spoon begins; heavy enough not to be pressed through its wall."""
    p, (inside, floor) = builder, sizes
    size = inside * builder.uniform(0.25, 0.35)
    kind, material = p.pick(("ball", "die", "marble")), p.material()
    things = p.thing("rattle", plural(NOUNS[kind]), material, size)
    play.objects.append(things)
    for k in range(p.count(1, 3)):
        pieces, angle = pieces_of(kind, size, material, p), np.pi + 1.1 * (k - 1)
        there = (inside * 0.55 * float(np.cos(angle)), floor + lowest(pieces), inside * 0.55 * float(np.sin(angle)))
        matter, name = p.matter(material), f"{p.id}.in{k}"
        play.bodies.append(Body(name, pieces, matter, there, motion=Free(), object_id=things.id, mass_kg=mass_kg))


def _spoon(builder: Builder, material: str, sizes: Vector, wall: float) -> list[Body]:
    """A yoke that turns about the vertical, and a spoon on it that leans outwards, both led by a hand; leaning by
    `wall` (rad), it touches the bowl. Its origin is at its tip."""
    p, (long, tip, raised) = builder, sizes
    paint, skin = p.surface(material, long), Surface(p.pick(SKIN), gloss=0.1)
    pieces = (
        rod((0, 0, 0), (0, long * 1.25, 0), tip * 0.3, paint),
        Piece(Sphere(tip), paint),
        Piece(Box((long * 0.1, long * 0.1, long * 0.07)), skin, (0, long, 0), touches=False),
        rod((0, long, 0), (-long * 0.1, long * 1.35, long * 0.6), long * 0.06, skin, touches=False),
    )
    deep = wall * p.uniform(0.9, 1.1)
    sway = motion.wander(p.rng, wall * p.uniform(0.3, 0.7), p.uniform(1.5, 4.0))
    moves = spells([(t, t + p.uniform(0.8, 3.0)) for t in p.times(1.5, 4.0)], 0.3, 0.4)
    rate, sign = 2 * np.pi * p.uniform(0.5, 2.0), p.pick((-1.0, 1.0))
    grid = np.linspace(p.start_s, p.end_s + 1.0, 2000)
    turned = np.concatenate([[0.0], np.cumsum(rate * moves(grid[:-1]) * np.diff(grid))])
    course: Track = lambda t: sign * np.interp(t, grid, turned)
    taps, back = any_blows(p, bursts=False), wall * p.uniform(0.7, 0.95)
    clinks: Track = lambda t: wall * CORNERS - back * taps.distance(t)
    scrapes: Track = lambda t: (deep + sway(t)) * (0.25 + 0.75 * moves(t))
    # Between strokes it taps the wall: scraping alone would be silent but for its rustle.
    strokes: Track = lambda t: moves(t) * scrapes(t) + (1 - moves(t)) * clinks(t)
    taps_between = np.any(moves(taps.times[taps.gaps == 0]) == 0)
    lean = strokes if p.chance(0.15) and taps_between else clinks
    weight = _weight(long)
    limit = STRENGTH * weight * GRAVITY * long
    yoke = Joint("hinge", (0, 1, 0), servo=Servo(course, ARM_HZ, limit=limit / 3))
    begin = float(lean(np.array([p.start_s]))[0])
    arm = Joint("hinge", (0, 0, 1), (0, long, 0), start=begin, servo=Servo(lean, STIFF_HZ, limit=limit))
    knob, matter = Piece(Cylinder(tip * 0.5, tip), paint, turn=UPRIGHT, touches=False), p.matter(material)
    turns = Body(f"{p.id}.yoke", (knob,), matter, (0, raised + long, 0), motion=yoke)
    return [turns, Body(f"{p.id}.spoon", pieces, matter, (0, -long, 0), motion=arm, parent=turns.id, mass_kg=weight)]
