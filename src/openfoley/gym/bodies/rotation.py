"""Quaternions (w, x, y, z) of unit length, on single ones and on arrays [n, 4]."""

import numpy as np
from jaxtyping import Float

from openfoley.gym.bodies.records import Quaternion, Vector


def about(axis: Vector, angle: float) -> Quaternion:
    """The turn by an angle (rad) about an axis of any length."""
    direction = np.asarray(axis, dtype=np.float64)
    direction = direction / np.linalg.norm(direction) * np.sin(angle / 2)
    return (float(np.cos(angle / 2)), float(direction[0]), float(direction[1]), float(direction[2]))


def about_many(axis: Vector, angles: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 4"]:
    direction = np.asarray(axis, dtype=np.float64)
    direction = direction / np.linalg.norm(direction)
    return np.concatenate([np.cos(angles / 2)[:, None], np.sin(angles / 2)[:, None] * direction], axis=1)


def product(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """first after second: turns by `second`, then by `first`."""
    w, x, y, z = np.moveaxis(np.asarray(first), -1, 0)
    v, a, b, c = np.moveaxis(np.asarray(second), -1, 0)
    return np.stack(
        [
            w * v - x * a - y * b - z * c,
            w * a + x * v + y * c - z * b,
            w * b - x * c + y * v + z * a,
            w * c + x * b - y * a + z * v,
        ],
        axis=-1,
    )


def then(second: Quaternion, first: Quaternion) -> Quaternion:
    """Turn by `first`, then by `second`."""
    w, x, y, z = product(np.array(second), np.array(first))
    return (float(w), float(x), float(y), float(z))


def rotate(q: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Vectors [..., 3] turned by q [..., 4]."""
    q, v = np.asarray(q), np.asarray(v)
    u, w = q[..., 1:], q[..., :1]
    t = 2 * np.cross(u, v)
    return v + w * t + np.cross(u, t)


def turned(q: Quaternion, v: Vector) -> Vector:
    x, y, z = rotate(np.array(q), np.array(v))
    return (float(x), float(y), float(z))


def spins(q: Float[np.ndarray, "n 4"], step_s: float) -> Float[np.ndarray, "n 3"]:
    """Angular velocity (rad/s, world's axes) from rotations a step apart; the last repeats."""
    if len(q) < 2:
        return np.zeros((len(q), 3))
    conjugate = q[:-1] * np.array([1.0, -1.0, -1.0, -1.0])
    delta = product(q[1:], conjugate)
    delta = np.where(delta[:, :1] < 0, -delta, delta)
    half = np.linalg.norm(delta[:, 1:], axis=1, keepdims=True)
    scale = np.where(half > 1e-9, 2 * np.arctan2(half, delta[:, :1]) / np.maximum(half, 1e-12), 2.0)
    spin = delta[:, 1:] * scale / step_s
    return np.concatenate([spin, spin[-1:]])


def random_turn(rng: np.random.Generator) -> Quaternion:
    """Any rotation, all equally likely."""
    w, x, y, z = rng.standard_normal(4)
    length = float(np.sqrt(w * w + x * x + y * y + z * z))
    return (float(w) / length, float(x) / length, float(y) / length, float(z) / length)
