"""Wind chimes: tubes that hang round a clapper, which gusts swing against them."""

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies.description import Body, Driven, Joint, Piece, Servo
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.motions import pendulum, spells, swings
from openfoley.gym.bodies.families.parts import cord, rod
from openfoley.gym.bodies.families.things import UPRIGHT
from openfoley.gym.bodies.matter import Matter
from openfoley.gym.bodies.records import Box, Cylinder, Sphere, Surface, Vector
from openfoley.gym.records import Track

MATERIALS = ("steel", "glass", "wood", "ceramic", "plastic", "brass", "clay")
WIND_HZ = 3.0
"""Of the spring by which wind leads the clapper."""
SMALLEST_M = 0.1
"""Smaller ones would hardly be audible."""
MOST_LEAN = 0.9
"""rad"""


def chimes(builder: Builder) -> Mechanism:
    """Three to seven tubes. Silent: tubes and clapper swing together in an even breeze and keep their distance."""
    p, play = builder, Mechanism()
    material, count = p.material(*MATERIALS), p.count(3, 7)
    size = max(p.size_m, SMALLEST_M) * p.uniform(1.0, 2.0)
    thin = size * p.uniform(0.025, 0.05)
    ball = size * p.uniform(0.1, 0.18)
    gap = thin * p.uniform(0.6, 2.0)
    out = max(ball + gap + thin, 2.6 * thin / (2 * float(np.sin(np.pi / count))))
    line, top = size * p.uniform(0.15, 0.4), size * p.uniform(1.7, 2.3)
    matter, paint = p.matter(material), p.surface(material, size * 0.3)
    breeze = swings(p, p.uniform(0.1, 0.3), p.uniform(1.0, 2.5))
    reach = line + size * 0.45  # of the clapper, from where all hang
    for k in range(count):
        long = size * (0.75 + 0.35 * k / count)
        angle = 2 * np.pi * k / count
        pivot = (out * float(np.cos(angle)), top, out * float(np.sin(angle)))
        thing = p.thing("ring", "wind chime", material, long)
        play.objects.append(thing)
        half, down = long / 2, line + long / 2
        pieces = (rod((0, -half, 0), (0, half, 0), thin, paint), cord((0, half, 0), (0, down, 0), thin * 0.15, p))
        there = (pivot[0], top - down, pivot[2])
        if p.sounds:
            swing = Joint("ball", anchor=(0, down, 0), loss_s=p.uniform(0.8, 3.0))
            play.bodies.append(Body(f"{p.id}.{k}", pieces, matter, there, motion=swing, object_id=thing.id, rings=True))
        else:
            play.bodies.append(Body(f"{p.id}.{k}", pieces, motion=Driven(pendulum(pivot, down, breeze))))
    if p.sounds:
        play.bodies += _blown(p, top, reach, ball, (out - thin - ball) / reach)
    else:
        path = pendulum((0, top, 0), 0.0, breeze)
        play.bodies.append(Body(f"{p.id}.clapper", _clapper(p, reach, ball), motion=Driven(path)))
    play.bodies.append(_roof(p, top, out + 2 * thin, size))
    play.radius, play.height = max(out * 2, size * 0.6), top
    play.caption = f"{material} wind chimes ring in the wind"
    return play


def _clapper(builder: Builder, reach: float, ball: float) -> tuple[Piece, ...]:
    """From where it hangs at the origin: a ball or a disc, and a sail below it."""
    p, paint = builder, builder.surface(builder.material("wood", "plastic", "stone"), ball)
    low = (0.0, -reach, 0.0)
    weight = (
        Piece(Sphere(ball), paint, low) if p.chance(0.6) else Piece(Cylinder(ball, ball * 0.3), paint, low, UPRIGHT)
    )
    sail = (0.0, -reach * p.uniform(1.7, 2.1), 0.0)
    plate = Piece(Box((ball * 0.8, ball * 1.2, ball * 0.08)), paint, sail, touches=False, weighs=False)
    return weight, plate, cord((0, 0, 0), sail, ball * 0.05, p)


def _blown(builder: Builder, top: float, reach: float, ball: float, touching: float) -> list[Body]:
    """A clapper that leans to all sides, on two hinges; the tubes stand `touching` (rad) aside."""
    p, paint = builder, Surface((0.2, 0.2, 0.2))
    knob = (Piece(Sphere(ball * 0.2), paint, touches=False),)
    first, second = (_gusts(p, touching) for _ in range(2))
    yoke = Joint("hinge", (1, 0, 0), servo=Servo(first, WIND_HZ))
    arm = Joint("hinge", (0, 0, 1), servo=Servo(second, WIND_HZ))
    matter = Matter(1500, 0.5, 0.2)
    pieces = _clapper(p, reach, ball)
    hung = Body(f"{p.id}.yoke", knob, matter, (0, top, 0), motion=yoke)
    return [hung, Body(f"{p.id}.clapper", pieces, matter, motion=arm, parent=hung.id)]


def _gusts(builder: Builder, touching: float) -> Track:
    """Angles (rad) of gusts from changing sides, with calm between them."""
    p = builder
    wind = motion.wander(p.rng, min(MOST_LEAN, touching * p.uniform(3.0, 8.0)), p.uniform(1.0, 3.0))
    blows = spells([(t, t + p.uniform(0.6, 2.5)) for t in p.times(1.0, 3.5)], 0.3, 0.6)
    return lambda t: wind(t) * (0.15 + 0.85 * blows(t))


def _roof(builder: Builder, top: float, wide: float, size: float) -> Body:
    """What they hang from, and what holds that: a bracket on a post, or nothing that is seen."""
    p, paint = builder, builder.surface(builder.material("wood", "steel"), size)
    thick = size * 0.03
    pieces = [Piece(Cylinder(wide, thick), paint, (0, top + thick, 0), UPRIGHT, touches=False)]
    if p.chance(0.7):
        far: Vector = (0.0, top + size * 0.3, wide * 2 + size * 0.2)
        pieces.append(rod((0, top, 0), (0, far[1], 0), thick * 0.4, paint, touches=False))
        pieces.append(rod((0, far[1], 0), far, thick, paint, touches=False))
        pieces.append(rod(far, (0, 0, far[2]), thick, paint, touches=False))
    return Body(f"{p.id}.roof", tuple(pieces))
