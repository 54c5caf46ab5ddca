"""Bowls and funnels: marbles run round in them, knock against each other and drop through."""

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Driven, Free, Piece, PoseTrack
from openfoley.gym.bodies.families.drops import APPEARS_S
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.things import NOUNS, UPRIGHT, pieces_of, plural
from openfoley.gym.bodies.matter import GROUND
from openfoley.gym.bodies.records import Box, Cylinder
from openfoley.gym.bodies.surfaces import any_surface

SIDES = 12


def bowl(builder: Builder) -> Mechanism:
    """Things are dropped into a bowl. Silent: one circles above its rim on a string."""
    p = builder
    radius = p.size_m * p.uniform(1.5, 2.6)
    bottom, steep = radius * p.uniform(0.35, 0.6), p.uniform(0.5, 1.1)
    return _fill(p, radius, bottom, steep, 0.0, "bowl")


def funnel(builder: Builder) -> Mechanism:
    """Marbles run down a funnel and drop through its hole. Silent: one circles above it on a string."""
    p = builder
    radius = p.size_m * p.uniform(1.8, 2.8)
    return _fill(
        p, radius, p.size_m * p.uniform(0.45, 0.7), p.uniform(0.35, 0.8), p.size_m * p.uniform(1.5, 3), "funnel"
    )


def _fill(builder: Builder, radius: float, bottom: float, steep: float, raised: float, name: str) -> Mechanism:
    p, play = builder, Mechanism()
    kind = p.pick(("marble", "marble", "ball", "die", "pebble", "can", "jack")) if name == "bowl" else "marble"
    material, size = p.material(), p.size_m * p.uniform(0.4, 0.75) * (1 if name == "bowl" else 0.8)
    things = p.thing("rattle" if name == "bowl" else "roll", plural(NOUNS[kind]), material, size)
    play.objects = [things]
    rim = raised + (radius - bottom) * float(np.tan(steep))
    play.bodies.append(_walls(p, radius, bottom, steep, raised, closed=name == "bowl"))
    play.radius, play.height = radius * 1.1, rim + size * 2
    count = p.count(1, 8)
    if not p.sounds:
        play.bodies.append(
            Body(f"{p.id}.0", pieces_of(kind, size, material, p), motion=Driven(_circling(p, radius, rim)))
        )
        play.caption = f"a {material} {NOUNS[kind]} circles"
        return play
    gap = p.pick((0.15, 0.6, 1.5))
    times = p.times(gap * 0.6, gap * 1.6, 1.5)[:count]
    for k, time_s in enumerate(times):
        angle, out = p.uniform(0, 2 * np.pi), radius * p.uniform(0.45, 0.85)
        x, z = out * np.cos(angle), out * np.sin(angle)
        y = rim + size * p.uniform(0.3, 2.0)
        round_ = p.uniform(-1.2, 1.2) * np.sqrt(motion.GRAVITY * radius * 0.3)
        let_go = Free(time_s, (float(-round_ * np.sin(angle)), 0.0, float(round_ * np.cos(angle))), spin_loss_s=5.0)
        play.bodies.append(
            Body(
                f"{p.id}.{k}",
                pieces_of(kind, size, material, p),
                p.matter(material),
                (float(x), float(y), float(z)),
                rotation.random_turn(p.rng),
                let_go,
                things.id,
                shown=(time_s - min(APPEARS_S, gap * 0.5), np.inf),
            )
        )
    play.caption = f"{things.caption} fall into a bowl" if name == "bowl" else f"{things.caption} run down a funnel"
    return play


def _walls(builder: Builder, radius: float, bottom: float, steep: float, raised: float, *, closed: bool) -> Body:
    """Panels around an axis; `bottom`: radius of the floor, or of the hole."""
    thick = radius * 0.05
    slant = (radius - bottom) / float(np.cos(steep))
    paint = any_surface(builder.rng, radius * 0.5) if builder.chance(0.5) else builder.surface("ceramic", radius)
    middle = (radius + bottom) / 2
    half_width = radius * float(np.tan(np.pi / SIDES)) * 1.02
    pieces = []
    for k in range(SIDES):
        about = rotation.about((0, 1, 0), 2 * np.pi * k / SIDES)
        turn = rotation.then(about, rotation.about((0, 0, 1), steep))
        # The panel's upper face goes through the middle of the slope.
        drop = thick * np.array([np.sin(steep), -np.cos(steep), 0.0])
        centre = np.array([middle, raised + (middle - bottom) * np.tan(steep) + thick * closed, 0.0]) + drop
        x, y, z = (float(v) for v in rotation.rotate(np.array(about), centre))
        pieces.append(Piece(Box((slant / 2 + thick, thick, half_width)), paint, (x, y, z), turn))
    if closed:
        pieces.append(Piece(Cylinder(bottom + thick, thick / 2), paint, (0, raised + thick / 2, 0), UPRIGHT))
    return Body(f"{builder.id}.walls", tuple(pieces), GROUND)


def _circling(builder: Builder, radius: float, rim: float) -> PoseTrack:
    p, rate, phase = builder, builder.uniform(1.5, 4.0), builder.uniform(0, 6.28)
    out, up = radius * p.uniform(0.4, 0.8), rim + p.size_m * p.uniform(0.5, 1.0)

    def path(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        angle = phase + rate * t
        swell = out * (1 + 0.2 * np.sin(0.7 * t))
        position = motion.points(swell * np.cos(angle), up + 0.1 * p.size_m * np.sin(1.3 * t), swell * np.sin(angle))
        return position, rotation.about_many((0.0, 1.0, 0.0), -angle)

    return path
