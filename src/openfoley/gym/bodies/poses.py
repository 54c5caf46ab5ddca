"""Solids as arrays: shape sizes, the planes of hulls, and where every solid is at every time."""

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial import ConvexHull

from openfoley.gym.bodies.records import Box, Capsule, Cylinder, Hull, Quaternion, Shape, Solid, Sphere, Vector

SAME_PLANE = 1e-5
"""Triangles of a hull whose normals and distances (m) differ by less are one face."""


@dataclass(frozen=True)
class Poses:
    """Centre (m) and rotation (own axes to the world's) of each solid at each time, and whether it is shown."""

    place: Float[np.ndarray, "times solids 3"]
    turn: Float[np.ndarray, "times solids 3 3"]
    shown: Bool[np.ndarray, "times solids"]

    @property
    def moving(self) -> Bool[np.ndarray, " solids"]:
        """Solids that are not the same at all times."""
        same = np.isclose(self.place, self.place[:1], atol=1e-6).all(axis=(0, 2))
        same &= np.isclose(self.turn, self.turn[:1], atol=1e-5).all(axis=(0, 2, 3))
        return ~(same & (self.shown == self.shown[:1]).all(axis=0))


def poses_of(solids: tuple[Solid, ...], times: Float[np.ndarray, " times"]) -> Poses:
    place = np.zeros((len(times), len(solids), 3))
    turn = np.zeros((len(times), len(solids), 3, 3))
    shown = np.zeros((len(times), len(solids)), dtype=bool)
    bodies: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # pieces of a body share one Motion
    for k, solid in enumerate(solids):
        if id(solid.motion) not in bodies:
            position, rotation = solid.motion.at(times)
            bodies[id(solid.motion)] = position, rotation_matrix(rotation)
        position, rotation = bodies[id(solid.motion)]
        place[:, k] = position + rotation @ np.array(solid.offset)
        turn[:, k] = rotation @ rotation_matrix(np.array(solid.turn))
        shown[:, k] = (times >= solid.shown[0]) & (times < solid.shown[1])
    return Poses(place, turn, shown)


def box_corners(poses: Poses, half: np.ndarray) -> Float[np.ndarray, "times solids 8 3"]:
    """Corners of boxes of these half extents [solids, 3] or [times, solids, 3] around the solids, in their axes."""
    signs = np.array(list(product((-1.0, 1.0), repeat=3)))
    return poses.place[:, :, None] + (half[..., None, :] * signs) @ np.swapaxes(poses.turn, -1, -2)


def rotation_matrix(quaternion: Float[np.ndarray, "*n 4"] | Quaternion) -> Float[np.ndarray, "*n 3 3"]:
    w, x, y, z = np.moveaxis(np.asarray(quaternion, dtype=float), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


@lru_cache(maxsize=256)
def hull_planes(points: tuple[Vector, ...]) -> Float[np.ndarray, "planes 4"]:
    """Outward unit normals of a convex hull's faces and their distances from the origin."""
    triangles = ConvexHull(np.asarray(points, dtype=float)).equations
    planes: list[np.ndarray] = []
    for plane in triangles * (1, 1, 1, -1):
        if not any(np.allclose(plane, known, atol=SAME_PLANE) for known in planes):
            planes.append(plane)
    found = np.array(planes)
    found.setflags(write=False)  # every caller gets the same
    return found


def reach(shape: Shape) -> float:
    """Radius (m) of the ball around the shape's own origin that holds it."""
    match shape:
        case Sphere(radius):
            return radius
        case Box(half):
            return float(np.linalg.norm(half))
        case Cylinder(radius, half_length):
            return float(np.hypot(radius, half_length))
        case Capsule(radius, half_length):
            return radius + half_length
        case Hull(points):
            return float(np.linalg.norm(points, axis=1).max())


def bounds(shape: Shape) -> Vector:
    """Half extents (m) of a box around the shape's own origin and axes that holds it."""
    match shape:
        case Sphere(radius):
            return (radius, radius, radius)
        case Box(half):
            return half
        case Cylinder(radius, half_length):
            return (radius, radius, half_length)
        case Capsule(radius, half_length):
            return (radius, radius, half_length + radius)
        case Hull(points):
            x, y, z = (float(v) for v in np.abs(points).max(axis=0))
            return (x, y, z)


def thickness(shape: Shape) -> float:
    """Radius (m) of a ball that fits into the shape."""
    match shape:
        case Sphere(radius) | Capsule(radius, _):
            return radius
        case Box(half):
            return min(half)
        case Cylinder(radius, half_length):
            return min(radius, half_length)
        case Hull(points):
            planes, middle = hull_planes(points), np.mean(points, axis=0)
            return float((planes[:, 3] - planes[:, :3] @ middle).min())
