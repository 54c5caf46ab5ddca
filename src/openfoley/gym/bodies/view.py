"""The camera's geometry as numbers: where rays go, and which part of the picture a ball covers.

The inverse of `gym.picture.project`: a point of the picture at (u, v) picture heights from its centre is seen along
ahead + right * u / focal + up * v / focal.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from openfoley.gym.records import Camera

BEHIND = 1.0e-3
"""Depth (m) below which a ball reaches to the eye and may cover the whole picture."""
Boxes = Float[np.ndarray, "times n 4"]
"""(left, right, top, bottom) in 0..1 from the top left; left > right where nothing is seen."""


@dataclass(frozen=True)
class View:
    """Eye (m) and unit axes of the picture at each time; focal in picture heights, aspect as width / height."""

    eye: Float[np.ndarray, "times 3"]
    right: Float[np.ndarray, "times 3"]
    up: Float[np.ndarray, "times 3"]
    ahead: Float[np.ndarray, "times 3"]
    focal: float
    aspect: float

    @property
    def still(self) -> bool:
        tracks = np.concatenate([self.eye, self.right, self.up], axis=1)
        return bool(np.allclose(tracks, tracks[:1], atol=1e-6))

    def boxes(self, centers: Float[np.ndarray, "times n 3"], radii: Float[np.ndarray, "*times n"]) -> Boxes:
        """What balls cover: exact tangents in perspective, the whole picture for a ball that reaches to the eye."""
        from_eye = centers - self.eye[:, None]
        depth = (from_eye * self.ahead[:, None]).sum(-1)
        box = np.empty((*depth.shape, 4))
        in_front = depth > radii + BEHIND
        for first, axis, extent in ((0, self.right, self.aspect), (2, -self.up, 1.0)):
            aside = (from_eye * axis[:, None]).sum(-1)
            below = np.where(in_front, depth**2 - radii**2, 1.0)
            spread = radii * np.sqrt(np.maximum(aside**2 + below, 0.0))
            for side, sign in enumerate((-1, 1)):
                tangent = (aside * depth + sign * spread) / below
                box[..., first + side] = 0.5 + tangent * self.focal / extent
        box[~in_front] = (0.0, 1.0, 0.0, 1.0)
        box[depth < -radii] = (1.0, 0.0, 1.0, 0.0)
        return box

    def boxes_of_points(self, points: Float[np.ndarray, "times n corners 3"]) -> Boxes:
        """What the flat shapes between these corners cover, the whole picture for one that reaches behind the eye."""
        from_eye = points - self.eye[:, None, None]
        depth = (from_eye * self.ahead[:, None, None]).sum(-1)
        box = np.empty((*points.shape[:2], 4))
        for first, axis, extent in ((0, self.right, self.aspect), (2, -self.up, 1.0)):
            place = 0.5 + (from_eye * axis[:, None, None]).sum(-1) / np.maximum(depth, BEHIND) * self.focal / extent
            box[..., first], box[..., first + 1] = place.min(-1), place.max(-1)
        box[(depth < BEHIND).any(-1)] = (0.0, 1.0, 0.0, 1.0)
        box[(depth < BEHIND).all(-1)] = (1.0, 0.0, 1.0, 0.0)
        return box


def view_of(camera: Camera, aspect: float, times: Float[np.ndarray, " times"]) -> View:
    yaw, pitch, roll = (a[:, None] for a in np.asarray(camera.turn(times), dtype=float).T)
    none, one = np.zeros_like(yaw), np.ones_like(yaw)
    right = np.concatenate([np.cos(yaw), none, -np.sin(yaw)], axis=1)
    level = np.concatenate([np.sin(yaw), none, np.cos(yaw)], axis=1)
    above = np.concatenate([none, one, none], axis=1)
    up, ahead = above * np.cos(pitch) - level * np.sin(pitch), above * np.sin(pitch) + level * np.cos(pitch)
    right, up = right * np.cos(roll) - up * np.sin(roll), right * np.sin(roll) + up * np.cos(roll)
    return View(np.asarray(camera.eye(times), dtype=float), right, up, ahead, camera.focal, aspect)
