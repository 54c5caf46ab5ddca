"""What stands and moves around the mechanisms of a shot: clutter, tables, distractors, occluders."""

from dataclasses import dataclass

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Piece
from openfoley.gym.bodies.records import UNTURNED, Box, Capsule, Cylinder, Motion, Shape, Solid, Sphere, Vector
from openfoley.gym.bodies.surfaces import any_surface, surface_of
from openfoley.gym.materials import SOLID
from openfoley.gym.records import Camera

CLUTTER_SHARE, DISTRACTOR_SHARE = 0.45, 0.35
DISTRACTOR_HZ = 100.0


@dataclass(frozen=True)
class Region:
    """Where mechanisms play: around `middle` within `radius`, up to `height` above `floor` (m), in this span (s)."""

    middle: Vector
    radius: float
    height: float
    floor: float
    start_s: float
    end_s: float


def clutter(rng: np.random.Generator, region: Region, size_m: float, name: str) -> list[Body]:
    """Things that never move, around what happens; now and then a wall behind it."""
    bodies = []
    count = int(rng.integers(1, 7)) if rng.random() < CLUTTER_SHARE else 0
    for k in range(count):
        angle, away = rng.uniform(0, 2 * np.pi), region.radius * rng.uniform(1.25, 2.2)
        size = size_m * float(np.exp(rng.uniform(np.log(0.5), np.log(3))))
        shape = _any_shape(rng, size)
        turn = rotation.about((1.0, 0.0, 0.0), np.pi / 2) if isinstance(shape, Cylinder) else UNTURNED
        turn = rotation.then(rotation.about((0.0, 1.0, 0.0), float(rng.uniform(0, 6.28))), turn)
        up = shape.half[1] if isinstance(shape, Box) else shape.half_length if isinstance(shape, Cylinder) else size / 2
        x, z = region.middle[0] + away * np.cos(angle), region.middle[2] + away * np.sin(angle)
        surface = surface_of(str(rng.choice(SOLID)), size, rng)
        bodies.append(
            Body(f"{name}.{k}", (Piece(shape, surface),), place=(float(x), region.floor + up, float(z)), turn=turn)
        )
    return bodies


def table(rng: np.random.Generator, region: Region, name: str) -> list[Body]:
    """A top at the height of the view's floor, on four legs; things may fall over its edge."""
    wide, deep = region.radius * rng.uniform(1.05, 2.0), region.radius * rng.uniform(0.7, 1.6)
    thick = float(rng.uniform(0.02, 0.06))
    top = any_surface(rng, region.radius * 0.3) if rng.random() < 0.6 else surface_of("wood", region.radius, rng)
    leg, tall = float(rng.uniform(0.02, 0.05)), (region.floor - 2 * thick) / 2
    pieces = [Piece(Box((float(wide), thick, float(deep))), top, (0.0, region.floor - thick, 0.0))]
    for x in (-1, 1):
        for z in (-1, 1):
            offset = (x * float(wide - leg), tall, z * float(deep - leg))
            pieces.append(Piece(Box((leg, tall, leg)), top, offset))
    return [Body(name, tuple(pieces), place=(region.middle[0], 0.0, region.middle[2]))]


def distractors(rng: np.random.Generator, region: Region) -> list[Solid]:
    """Things that move in the background and touch nothing: they float, turn, swing or drive past."""
    if rng.random() > DISTRACTOR_SHARE:
        return []
    solids = []
    for _ in range(int(rng.integers(1, 4))):
        size = region.radius * float(np.exp(rng.uniform(np.log(0.08), np.log(0.5))))
        times = np.arange(region.start_s, region.end_s + 1 / DISTRACTOR_HZ, 1 / DISTRACTOR_HZ)
        x = region.middle[0] + float(rng.uniform(-1.5, 1.5)) * region.radius
        z = region.middle[2] + region.radius * float(rng.uniform(1.5, 3.0))
        y = region.floor + size + float(rng.uniform(0.0, 1.5)) * region.height
        kind = str(rng.choice(["float", "vane", "pendulum", "pass"]))
        reach = region.radius * float(rng.uniform(0.2, 0.8))
        base = np.tile([x, y, z], (len(times), 1))
        turns = np.tile(np.array(UNTURNED), (len(times), 1))
        if kind == "float":
            base += np.stack([motion.wander(rng, reach, 0.5)(times) for _ in range(3)], axis=1) * [1, 0.4, 0.3]
        elif kind == "pass":
            base[:, 0] += reach * 3 * np.sin(2 * np.pi * times * rng.uniform(0.05, 0.4) + rng.uniform(0, 6.28))
        elif kind == "pendulum":
            angle = rng.uniform(0.3, 0.9) * np.sin(2 * np.pi * times * rng.uniform(0.3, 1.0) + rng.uniform(0, 6.28))
            base[:, :2] += reach * np.stack([np.sin(angle), 1 - np.cos(angle)], axis=1)
        if kind in ("vane", "float"):
            axis: Vector = (0.0, 0.3, 1.0) if kind == "vane" else (1.0, 0.5, 0.2)
            turns = rotation.about_many(axis, rng.uniform(-4, 4) * times)
        base[:, 1] = np.maximum(base[:, 1], region.floor + size * 1.05)
        base[:, 2] = np.maximum(base[:, 2], region.middle[2] + region.radius + size)
        shape = Box((size, size * 0.12, size * 0.06)) if kind == "vane" else _any_shape(rng, size)
        path = Motion(base, turns, region.start_s, DISTRACTOR_HZ)
        solids.append(Solid(shape, surface_of(str(rng.choice(SOLID)), size, rng), path))
    return solids


def occluder(rng: np.random.Generator, target: np.ndarray, time_s: float, camera: Camera) -> Solid:
    """A post or a panel close to the camera, before a part of what happens about `target` at this time."""
    eye = camera.eye(np.array([time_s]))[0]
    ahead = target - eye
    place = eye + ahead * rng.uniform(0.3, 0.5)
    width = float(np.linalg.norm(ahead)) / camera.focal * float(rng.uniform(0.02, 0.12))
    across = np.array([ahead[2], 0.0, -ahead[0]]) / max(float(np.hypot(ahead[0], ahead[2])), 1e-6)
    place = place + across * rng.uniform(-0.35, 0.35) * np.linalg.norm(ahead) / camera.focal
    tall = width * float(rng.uniform(1, 8))
    surface = any_surface(rng, width)
    shape: Shape = Box((width / 2, tall, width * 0.1)) if rng.random() < 0.6 else Capsule(width / 2, tall)
    turn = UNTURNED if isinstance(shape, Box) else rotation.about((1.0, 0.0, 0.0), np.pi / 2)
    yaw = rotation.about((0.0, 1.0, 0.0), float(np.arctan2(ahead[0], ahead[2])))
    place[1] = max(place[1], tall * 0.5)
    return Solid(shape, surface, Motion(place[None], np.array([rotation.then(yaw, turn)])))


def _any_shape(rng: np.random.Generator, size: float) -> Shape:
    kind = int(rng.integers(3))
    if kind == 0:
        x, y, z = (float(v) for v in size / 2 * rng.uniform(0.3, 1.0, 3))
        return Box((x, y, z))
    if kind == 1:
        return Cylinder(size / 2 * float(rng.uniform(0.3, 0.8)), size / 2 * float(rng.uniform(0.3, 1.0)))
    return Sphere(size / 2)
