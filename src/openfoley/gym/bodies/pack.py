"""A stage at the times of a chunk as the arrays that the kernels read."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import warp as wp
from jaxtyping import Float

from openfoley.gym.bodies.poses import Poses, bounds, box_corners, hull_planes, reach, thickness
from openfoley.gym.bodies.records import Box, Capsule, Cylinder, Hull, Shape, Sphere, Stage, Surface, Vector
from openfoley.gym.bodies.shading import CHECKS, DOTS, GRAIN, PLAIN, SPECKLE, STRIPES, Paint, World
from openfoley.gym.bodies.shapes import BOX, CAPSULE, CYLINDER, HULL, SPHERE, Form

PATTERNS = {"plain": PLAIN, "checks": CHECKS, "stripes": STRIPES, "dots": DOTS, "grain": GRAIN, "speckle": SPECKLE}
NO_GROUND = Surface((0.0, 0.0, 0.0))
NO_SOLID = Sphere(0.0)
Row = dict[str, int | float | Vector]


class Struct(Protocol):
    """A class decorated by wp.struct: Warp has no public name for its type."""

    def numpy_dtype(self) -> dict[str, list]: ...


def pack_world(stage: Stage, poses: Poses, subframes: int, device: wp.Device) -> World:  # pyright: ignore[reportGeneralTypeIssues]  # a struct of Warp
    planes: list[np.ndarray] = []
    forms = []
    for solid in stage.solids:
        faces = hull_planes(solid.shape.points) if isinstance(solid.shape, Hull) else np.zeros((0, 4))
        forms.append(_form(solid.shape, sum(map(len, planes)), len(faces)))
        planes.append(faces)
    surfaces = [solid.surface for solid in stage.solids] + [stage.ground or NO_GROUND]
    light, world = stage.light, World()
    world.forms = records(Form, _columns([*forms, _form(NO_SOLID, 0, 0)]), device)  # never empty
    world.paints = records(Paint, _columns([_paint(surface) for surface in surfaces]), device)
    faces = np.concatenate([*planes, np.zeros((1, 4))]).astype(np.float32)  # never empty
    world.planes = wp.array(faces, dtype=wp.vec4, device=device)
    world.place = wp.array(poses.place.astype(np.float32), dtype=wp.vec3, device=device)
    world.turn = wp.array(poses.turn.astype(np.float32), dtype=wp.mat33, device=device)
    world.sweep = wp.array(_sweeps(stage, poses, subframes).astype(np.float32), dtype=float, device=device)
    world.to_sun, world.sun = wp.vec3(*light.direction), wp.vec3(*light.sun)
    world.sky, world.bounce, world.softness = wp.vec3(*light.sky), wp.vec3(*light.ground), light.softness
    world.horizon, world.zenith = wp.vec3(*stage.horizon), wp.vec3(*stage.zenith)
    world.has_ground, world.solids = int(stage.ground is not None), len(stage.solids)
    return world


def _sweeps(stage: Stage, poses: Poses, subframes: int) -> Float[np.ndarray, "frames solids"]:
    """How far (m) a corner of a solid gets from where it is in the middle sub-frame."""
    half = np.array([bounds(solid.shape) for solid in stage.solids], dtype=float).reshape(-1, 3)
    corners = box_corners(poses, half)
    corners = corners.reshape(len(corners) // subframes, subframes, *corners.shape[1:])
    return np.linalg.norm(corners - corners[:, subframes // 2, None], axis=-1).max(axis=(1, 3), initial=0.0)


def records(struct: Struct, columns: Mapping[str, np.ndarray | list], device: wp.Device) -> wp.array:
    """An array of a Warp struct from the values of its fields."""
    count = len(next(iter(columns.values())))
    layout = struct.numpy_dtype()
    fields = list(zip(layout["names"], layout["formats"], strict=True))
    packed = np.zeros(count, dtype=np.dtype(fields, align=True))
    for name, values in columns.items():
        packed[name] = values
    return wp.array(packed, dtype=struct, device=device)


def _columns(rows: list[Row]) -> dict[str, list]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _form(shape: Shape, first: int, count: int) -> Row:
    match shape:
        case Sphere(radius):
            kind, size = SPHERE, (radius, radius, radius)
        case Box(half):
            kind, size = BOX, half
        case Cylinder(radius, half_length):
            kind, size = CYLINDER, (radius, half_length, 0.0)
        case Capsule(radius, half_length):
            kind, size = CAPSULE, (radius, half_length, 0.0)
        case Hull():
            kind, size = HULL, (0.0, 0.0, 0.0)
    own = {
        "kind": int(kind),
        "size": size,
        "reach": reach(shape),
        "thickness": thickness(shape),
        "width": sorted(bounds(shape))[1],
        "bounds": bounds(shape),
    }
    return {**own, "first": first, "count": count}


def _paint(surface: Surface) -> Row:
    rng = np.random.default_rng(surface.seed)
    axis, phase = rng.normal(size=3), rng.uniform(0, 1, 3)
    if surface.pattern == "grain":  # boards are cut along the trunk, beside its middle
        axis[1] *= 0.1
        phase += (0, 4, 4)
    axis /= np.linalg.norm(axis)
    return {
        "color": surface.color,
        "second": surface.second,
        "pattern": int(PATTERNS[surface.pattern]),
        "size": max(surface.size_m, 1e-4),
        "contrast": surface.contrast,
        "gloss": surface.gloss,
        "roughness": surface.roughness,
        "axis": tuple(axis),
        "phase": tuple(phase),
        "seed": surface.seed & 0x7FFFFFFF,
    }
