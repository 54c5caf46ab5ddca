"""Marble runs: marbles roll down troughs that lean one way and the other, drop from each to the next and knock against
the stops at their ends."""

from dataclasses import dataclass

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Driven, Free, Piece, PoseTrack
from openfoley.gym.bodies.families.drops import APPEARS_S
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.motions import turning
from openfoley.gym.bodies.families.parts import TUB_SIDES, rod, tub
from openfoley.gym.bodies.families.things import pieces_of, plural
from openfoley.gym.bodies.matter import GROUND
from openfoley.gym.bodies.records import Box, Surface, Vector

MOST = 6
BASIN, BASIN_DEEP, BASIN_THICK, MOST_FLARE = 1.6, 0.8, 0.08, 0.5
"""Of what the marbles arrive in, in sizes of a marble: its radius, its depth, half the thickness of its boards; rad."""
CLEAR = 0.7
"""Distance of a marble's middle from what it glides past, in its sizes."""


@dataclass(frozen=True)
class _Run:
    """levels: of troughs, each `long` (m on x) and `drop` above the next, leaning by `lean` (rad); wide: half the width
    between their lips; base: height of the lowest trough's low end; thick: half the thickness of boards; shift: how far
    the middle of each is from x = 0, to alternate sides. All in m."""

    levels: int
    long: float
    drop: float
    lean: float
    wide: float
    base: float
    thick: float
    shift: float

    def middle(self, level: int) -> Vector:
        """Of a trough's upper face."""
        rise = self.long / 2 * float(np.sin(self.lean))
        return (-self.way(level) * self.shift, self.base + rise + level * (self.drop + 2 * rise), 0.0)

    def way(self, level: int) -> float:
        """+1: down to the right."""
        return 1.0 if level % 2 else -1.0


def marble_run(builder: Builder) -> Mechanism:
    """One to six marbles. Silent: one glides down before the troughs, and up again."""
    p, play = builder, Mechanism()
    material = p.material("glass", "steel", "wood", "stone", "plastic", "ceramic", "rubber")
    size = p.size_m * p.uniform(0.4, 0.8)
    levels, wide = p.count(2, 5), size * p.uniform(0.6, 0.9)
    run = _Run(
        levels,
        long=size * p.uniform(5, 9),
        drop=size * p.uniform(1.3, 2.2),
        lean=p.uniform(0.08, 0.25),
        wide=wide,
        base=size * p.uniform(0.8, 2),
        thick=size * 0.12,
        shift=size * p.uniform(0.65, 0.9),
    )
    thing = p.thing("roll", plural("marble"), material, size)
    play.objects = [thing]
    paint = p.surface(p.material("wood", "plastic", "steel", "cardboard"), run.long * 0.3)
    play.bodies.append(Body(f"{p.id}.run", tuple(_troughs(p, run, size, paint))))
    end = run.way(0) * (run.long / 2 + size * 1.2) + run.middle(0)[0]
    if p.chance(0.75):
        thick = size * BASIN_THICK
        basin = tub(size * BASIN, size * BASIN_DEEP, thick, paint, flare=p.uniform(0.0, MOST_FLARE))
        play.bodies.append(Body(f"{p.id}.basin", tuple(basin), GROUND, (end, 2 * thick, 0.0)))
    top = run.middle(levels - 1)
    if not p.sounds:
        ball = pieces_of("marble", size, material, p)
        play.bodies.append(Body(f"{p.id}.0", ball, motion=Driven(_gliding(p, run, size))))
    for k, time_s in enumerate(p.times(0.5, 2.2, 2.0)[: p.count(1, MOST)] if p.sounds else []):
        up = -run.way(levels - 1) * (run.long / 2 - size * 0.7)
        y = top[1] + float(np.sin(run.lean)) * abs(up) + size * (0.5 + p.uniform(0.05, 0.6)) + size * 0.02
        there = (top[0] + up, y, p.uniform(-0.3, 0.3) * (wide - size / 2))
        free = Free(time_s, (run.way(levels - 1) * p.uniform(0, 0.3), 0.0, 0.0), spin_loss_s=15.0)
        shown = (time_s - APPEARS_S, np.inf)
        ball = pieces_of("marble", size, material, p)
        play.bodies.append(
            Body(f"{p.id}.{k}", ball, p.matter(material), there, motion=free, object_id=thing.id, shown=shown)
        )
    play.radius, play.height = run.long / 2 + run.shift + size, top[1] + size * 2
    play.caption = f"{thing.caption} roll down a marble run"
    return play


def _troughs(builder: Builder, run: _Run, size: float, paint: Surface) -> list[Piece]:
    """Boards with lips at both sides, a stop across the low end of the gap to the next, and posts."""
    pieces, lip = [], size * builder.uniform(0.3, 0.5)
    for level in range(run.levels):
        x, y, _ = run.middle(level)
        way = run.way(level)
        lean = rotation.about((0, 0, 1), -way * run.lean)
        boxes: list[tuple[Vector, Vector]] = [((run.long / 2, run.thick, run.wide), (0, -run.thick, 0))]
        boxes += [
            ((run.long / 2, (lip + 2 * run.thick) / 2, run.thick), (0, lip / 2 - run.thick, z * (run.wide + run.thick)))
            for z in (-1, 1)
        ]
        for half, centre in boxes:
            cx, cy, cz = rotation.turned(lean, centre)
            pieces.append(Piece(Box(half), paint, (x + cx, y + cy, cz), lean))
        # A wall at the high end, which stops what flies from above.
        begin = y + float(np.sin(run.lean)) * run.long / 2 - 2 * run.thick
        tall = (run.drop if level < run.levels - 1 else 0.0) / 2 + size * 0.5
        wall = (x - way * (run.long / 2 + run.thick), begin + tall, 0.0)
        pieces.append(Piece(Box((run.thick, tall, run.wide)), paint, wall))
    for side in (-1, 1):
        for z in (-1, 1):
            foot = (side * run.long * 0.42, 0.0, z * (run.wide + 2 * run.thick))
            head = (foot[0], run.middle(run.levels - 1)[1], foot[2])
            pieces.append(rod(foot, head, run.thick, paint, touches=False))
    return pieces


def _gliding(builder: Builder, run: _Run, size: float) -> PoseTrack:
    """To and fro and down before the troughs and the basin, as if in the air, then up again."""
    p, top = builder, run.middle(run.levels - 1)[1]
    period, rate, phase = p.uniform(5, 9), p.uniform(0.15, 0.5), p.uniform(0, 6.28)
    axis, spin = turning(p)
    # The corners of the basin's boards reach farthest.
    basin = (BASIN + 2 * BASIN_THICK + BASIN_DEEP * float(np.sin(MOST_FLARE))) / float(np.cos(np.pi / TUB_SIDES))
    before = max(run.wide + 4 * run.thick, basin * size) + CLEAR * size

    def path(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = 0.45 * run.long * np.sin(2 * np.pi * rate * t)
        y = size + top * (0.5 + 0.5 * np.cos(2 * np.pi * t / period + phase))
        return motion.points(x, y, -before), rotation.about_many(axis, spin(t))

    return path
