"""Whether a contact can be seen: its place is in the picture and no solid stands before it or before what touches."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float, Int

from openfoley.gym.bodies.poses import Poses, hull_planes, poses_of, reach
from openfoley.gym.bodies.records import Box, Capsule, Cylinder, Hull, Shape, Solid, Sphere
from openfoley.gym.bodies.view import View, view_of
from openfoley.gym.records import Camera

TOUCH_M = 0.025
"""A solid whose surface is this near to a contact takes part in it (a fast body is some way from where it touches when
the onset is set); lines of sight end this far before it."""
GRAZE_M = 0.001
"""Depth to which a line of sight may enter a solid."""
SIMILAR = 1.5
"""Of the bodies that touch, those up to this many times as large as the smallest are what one looks at."""
SMALLEST = 0.02
"""Share of the picture's height: 2.5 of 128 pixels."""
GOLDEN = (5**0.5 - 1) / 2
SEARCH_STEPS = 30  # 0.618^30: a millionth of the line
SURE = 1e-5
"""Share of the line: deeper by this than GRAZE_M, a line enters whatever is left of the search."""


def visible(
    solids: Sequence[Solid],
    camera: Camera,
    aspect: float,
    points: Float[np.ndarray, "n 3"],
    times: Float[np.ndarray, " n"],
) -> Bool[np.ndarray, " n"]:
    """Which contacts at world points (m) and times (s) can be seen: their place is in the picture, and no solid hides
    either the place or the middle of the smaller body that touches there.

    A ball lies on the floor over the very point where it touches it, and a step seen from below hides where a rod lands
    on it, though the rod is seen. So the smaller of the bodies that touch hides nothing; the larger and others do.
    """
    view, poses = view_of(camera, aspect, times), poses_of(tuple(solids), times)
    line = points - view.eye
    seen, _ = _in_picture(view, line)
    if not solids or not seen.any():
        return seen
    piece, ignored = _looked_at(solids, poses, points)
    length = np.linalg.norm(line, axis=1, keepdims=True)
    before = points - line / length * np.minimum(TOUCH_M, length)
    middle = np.where(ignored.any(1, keepdims=True), poses.place[np.arange(len(points)), piece], before)
    return seen & (_clear(solids, poses, view.eye, before, ignored) | _clear(solids, poses, view.eye, middle, ignored))


def presence(
    moving: Sequence[Solid],
    solids: Sequence[Solid],
    camera: Camera,
    aspect: float,
    times: Float[np.ndarray, " n"],
) -> Bool[np.ndarray, " n"]:
    """At which times the middle of one of the `moving` solids is in the picture, not hidden by others and not smaller
    than SMALLEST of the picture's height."""
    found = np.zeros(len(times), dtype=bool)
    view, poses, own = view_of(camera, aspect, times), poses_of(tuple(solids), times), poses_of(tuple(moving), times)
    for k, solid in enumerate(moving):
        seen, depth = _in_picture(view, own.place[:, k] - view.eye)
        with np.errstate(divide="ignore"):
            size = 2 * reach(solid.shape) / depth * camera.focal
        seen &= own.shown[:, k] & (size > SMALLEST) & ~found
        if seen.any():
            same = np.tile([other.motion is solid.motion for other in solids], (len(times), 1))
            found |= seen & _clear(solids, poses, view.eye, own.place[:, k], same)
    return found


def _in_picture(view: View, line: np.ndarray) -> tuple[Bool[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Which lines [n, 3] from the eye end in the picture, and how far ahead (m)."""
    x, y, depth = ((line * axis).sum(1) for axis in (view.right, view.up, view.ahead))
    with np.errstate(divide="ignore", invalid="ignore"):
        u, v = x / depth * view.focal / view.aspect, y / depth * view.focal
    return (depth > 0) & (np.abs(u) <= 0.5) & (np.abs(v) <= 0.5), depth


def _clear(
    solids: Sequence[Solid], poses: Poses, eye: np.ndarray, end: np.ndarray, ignored: np.ndarray
) -> Bool[np.ndarray, " n"]:
    """Whether no solid that is not ignored [n, solids] crosses the line from eye to end [n, 3]."""
    clear = np.ones(len(end), dtype=bool)
    for k, solid in enumerate(solids):
        # Only lines through the ball around a solid are searched.
        from_center, way = eye - poses.place[:, k], end - eye
        nearest = np.clip(-(from_center * way).sum(1) / np.maximum((way**2).sum(1), 1e-12), 0, 1)
        aside = np.linalg.norm(from_center + way * nearest[:, None], axis=1)
        which = np.flatnonzero(clear & poses.shown[:, k] & ~ignored[:, k] & (aside < reach(solid.shape)))
        if len(which):
            turn = poses.turn[which, k]
            start, stop = (np.einsum("nij,ni->nj", turn, p) for p in (from_center[which], (from_center + way)[which]))
            clear[which] = ~_enters(solid.shape, start, stop)
    return clear


def _looked_at(
    solids: Sequence[Solid], poses: Poses, points: np.ndarray
) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, "n solids"]]:
    """The smallest piece that touches at each point, and all pieces of the smaller bodies that touch there."""
    touches = np.zeros(poses.shown.shape, dtype=bool)
    for k, solid in enumerate(solids):
        away = points - poses.place[:, k]
        near = np.flatnonzero(poses.shown[:, k] & (np.linalg.norm(away, axis=1) < reach(solid.shape) + TOUCH_M))
        if len(near):
            own = np.einsum("nij,ni->nj", poses.turn[near, k], away[near])
            touches[near, k] = np.abs(signed_distance(solid.shape, own)) < TOUCH_M
    motions = np.array([id(solid.motion) for solid in solids])
    same = motions[:, None] == motions  # pieces of one body
    size = np.array([reach(solid.shape) for solid in solids])
    body_size = np.where(same, size + np.linalg.norm([s.offset for s in solids], axis=1), 0).max(1)
    touching = np.where(touches, body_size, np.inf)
    smaller = touches & (body_size <= SIMILAR * touching.min(1, keepdims=True))
    return touching.argmin(1), (smaller.astype(np.int64) @ same.astype(np.int64)) > 0


def signed_distance(shape: Shape, p: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """Distance (m) of points in the shape's axes from its surface, negative inside; of a hull a lower bound outside."""
    match shape:
        case Sphere(radius):
            return np.linalg.norm(p, axis=1) - radius
        case Box(half):
            beyond = np.abs(p) - half
        case Cylinder(radius, half_length):
            beyond = np.stack([np.hypot(p[:, 0], p[:, 1]) - radius, np.abs(p[:, 2]) - half_length], axis=1)
        case Capsule(radius, half_length):
            return np.linalg.norm(p - np.clip(p, (0, 0, -half_length), (0, 0, half_length)), axis=1) - radius
        case Hull(points):
            planes = hull_planes(points)
            return (p @ planes[:, :3].T - planes[:, 3]).max(1)
    return np.linalg.norm(np.maximum(beyond, 0), axis=1) + np.minimum(beyond.max(1), 0)


def _enters(shape: Shape, start: np.ndarray, stop: np.ndarray) -> Bool[np.ndarray, " n"]:
    """Which lines from start to stop [n, 3] come deeper than GRAZE_M into a shape. The signed distance is convex along
    a line, as the shapes are convex: a golden-section search, until every line is known to or not to."""
    low, high = np.zeros(len(start)), np.ones(len(start))
    way = stop - start
    length = np.linalg.norm(way, axis=1)
    for _ in range(SEARCH_STEPS):
        first, second = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        at_first, at_second = (signed_distance(shape, start + way * t[:, None]) for t in (first, second))
        low, high = np.where(at_first < at_second, low, first), np.where(at_first < at_second, second, high)
        nearest = np.minimum(at_first, at_second)
        # What is found is in what is left; a metre on, the distance is another by a metre at most.
        if np.all((nearest < -GRAZE_M - SURE * length) | (nearest - (high - low) * length > -GRAZE_M)):
            return nearest <= -GRAZE_M
    return signed_distance(shape, start + way * ((low + high) / 2)[:, None]) <= -GRAZE_M
