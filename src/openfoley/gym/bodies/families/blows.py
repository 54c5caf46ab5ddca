"""Blows of hammers, sticks and fists: when they fall, how high they are lifted, which stop short."""

from dataclasses import dataclass

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Joint, Piece, Servo
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.families.parts import turn_between
from openfoley.gym.bodies.matter import Matter
from openfoley.gym.bodies.records import Quaternion, Vector
from openfoley.gym.records import Track

STIFF_HZ = 40.0
"""Of the arm that leads a hammer: it follows its script within a millisecond, and a blow throws it back."""
FOLLOW_S = 0.004
"""The script goes on so long beyond contact; a blow lasts 6 ms."""


@dataclass(frozen=True)
class Blows:
    """Instants (s); falls and rises: how long before and after (s); heights: how far the hammer is lifted, in 0..1;
    gaps: distance at which it stops short, in 0..1, 0 for a hit."""

    times: np.ndarray
    falls: np.ndarray
    rises: np.ndarray
    heights: np.ndarray
    gaps: np.ndarray

    def distance(self, t: np.ndarray) -> np.ndarray:
        """From contact, 1 at rest: it falls with growing speed and is thrown back, or comes to a halt above."""
        found = np.ones(len(t))
        for time_s, fall, rise, height, gap in zip(
            self.times, self.falls, self.rises, self.heights, self.gaps, strict=True
        ):
            before, after = np.clip((t - time_s) / fall + 1, 0, 1), np.clip((t - time_s) / rise, 0, 1)
            if gap > 0:
                down, up = 1 - (1 - gap) * motion.smooth(before), gap + (1 - gap) * motion.smooth(after)
            else:
                speed, sunk = 2 * height / fall, 2 * height / fall * FOLLOW_S
                after = np.clip((t - time_s - FOLLOW_S) / rise, 0, 1)
                down = height * (1 - before**2)
                up = np.where(
                    t < time_s + FOLLOW_S, speed * (time_s - t), (height + sunk) * (1 - (1 - after) ** 2) - sunk
                )
                away = np.maximum(motion.smooth((time_s - fall - t) / fall), motion.smooth((t - time_s - rise) / rise))
                down, up = (part + (1 - height) * away for part in (down, up))
            found = np.minimum(found, np.where(t < time_s, down, up))
        return found


def any_blows(builder: Builder, *, bursts: bool | None = None) -> Blows:
    """At irregular times, or in bursts; about one in six stops short. In a silent scene all do."""
    p = builder
    times: list[float] = []
    if bursts if bursts is not None else p.chance(0.4):
        for first in p.times(0.9, 2.5):
            beat, count = p.uniform(0.13, 0.3), p.count(2, 6)
            times += [first + 0.3 + beat * k * p.uniform(0.97, 1.03) for k in range(count)]
    else:
        times = [t + 0.25 for t in p.times(*((0.3, 1.4) if p.chance(0.6) else (0.7, 2.2)))]
    kept: list[float] = []
    for time_s in sorted(times):
        if time_s < p.end_s - 0.1 and (not kept or time_s - kept[-1] > 0.11):
            kept.append(time_s)
    instants = np.array(kept)
    gap_before = np.diff(instants, prepend=instants[0] - 1.0)
    gap_after = np.diff(instants, append=instants[-1] + 1.0)
    u = p.rng.uniform
    falls = np.minimum(u(0.08, 0.28, len(instants)), 0.5 * gap_before)
    rises = np.minimum(falls * u(1.2, 2.5, len(instants)), 0.5 * gap_after)
    heights = u(0.3, 1.0, len(instants)) * np.minimum(1.0, falls / 0.15)
    short = p.rng.random(len(instants)) < (0.16 if p.sounds else 1.0)
    short &= falls > 0.1  # a quick one cannot be stopped
    if not p.sounds:
        keep = short
        instants, falls, rises, heights, short = (a[keep] for a in (instants, falls, rises, heights, short))
    gaps = np.where(short, u(0.12, 0.4, len(instants)), 0.0)
    return Blows(instants, falls, rises, heights, gaps)


@dataclass(frozen=True)
class Spot:
    """Where a hammer strikes: a point, the surface's normal there, and the direction from it to the arm's pivot."""

    point: Vector
    normal: Vector
    to_pivot: Vector


@dataclass(frozen=True)
class Striker:
    """pieces: of a hammer whose head is at the origin, and whose arm starts at (-reach, 0, 0); it touches at
    (0, -depth, 0). lift: angle at rest (rad)."""

    pieces: tuple[Piece, ...]
    matter: Matter
    mass_kg: float
    reach: float
    depth: float
    lift: float


def frame_of(spot: Spot) -> Quaternion:
    """Turns the striker's axes: y to the normal, x away from the pivot."""
    first = turn_between((0.0, 1.0, 0.0), spot.normal)
    along = np.array(rotation.turned(first, (1.0, 0.0, 0.0)))
    normal = np.array(spot.normal) / np.linalg.norm(spot.normal)
    wanted = -np.array(spot.to_pivot) + (np.array(spot.to_pivot) @ normal) * normal
    angle = float(np.arctan2(normal @ np.cross(along, wanted), along @ wanted))
    return rotation.then(rotation.about(spot.normal, angle), first)


def striking(
    builder: Builder, name: str, striker: Striker, spot: Spot, blows: Blows, object_id: str | None = None
) -> Body:
    """A hammer on a hinge at its arm's end that is led through the blows."""
    turn = frame_of(spot)
    raised = rotation.then(turn, rotation.about((0, 0, 1), striker.lift))
    to_pivot, to_head = (
        rotation.turned(turn, (-striker.reach, 0.0, 0.0)),
        rotation.turned(raised, (striker.reach, 0, 0)),
    )
    above = rotation.turned(turn, (0.0, striker.depth, 0.0))
    x, y, z = (float(v) for v in np.array(spot.point) + np.array(above) + np.array(to_pivot) + np.array(to_head))
    angle: Track = lambda t: striker.lift * (blows.distance(t) - 1)  # 0 is the place at rest
    joint = Joint("hinge", anchor=(-striker.reach, 0.0, 0.0), servo=Servo(angle, STIFF_HZ))
    return Body(
        f"{builder.id}.{name}",
        striker.pieces,
        striker.matter,
        (x, y, z),
        raised,
        joint,
        object_id,
        mass_kg=striker.mass_kg,
    )
