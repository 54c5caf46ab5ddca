"""How much of what happens a camera sees, and the choice of a camera by that."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from openfoley.gym.bodies.cameras import Subject, sample_camera
from openfoley.gym.bodies.records import Solid
from openfoley.gym.bodies.visible import presence, visible
from openfoley.gym.records import Camera, Contact

CAMERA_TRIES = 5
ENOUGH_PRESENCE, ENOUGH_CONTACTS = 0.75, 0.5
"""Shares of the shot in which something that moves is seen, and of the contacts that are: a camera with both is taken.
Others stay: what is hidden or out of the picture occurs in footage too."""


@dataclass(frozen=True)
class Activity:
    """Of a shot: its solids, those of them that move (one a body), its contacts, and some times (s) at which something
    that moves should be seen."""

    solids: Sequence[Solid]
    moving: Sequence[Solid]
    contacts: Sequence[Contact]
    times: Float[np.ndarray, " n"]


def choose_camera(
    rng: np.random.Generator, subject: Subject, aspect: float, activity: Activity
) -> tuple[Camera, float]:
    """The first of a few sampled cameras that sees enough, else the one that sees most; and how much it sees: 1 is
    enough, 0 nothing."""
    found: list[tuple[float, Camera]] = []
    for _ in range(CAMERA_TRIES):
        camera = sample_camera(rng, subject, aspect)
        found.append((_share_seen(activity, camera, aspect), camera))
        if found[-1][0] >= 1:
            break
    share, camera = max(found, key=lambda one: one[0])
    return camera, share


def _share_seen(activity: Activity, camera: Camera, aspect: float) -> float:
    solids, contacts = activity.solids, activity.contacts
    seen = presence(activity.moving, solids, camera, aspect, activity.times).mean() / ENOUGH_PRESENCE
    if contacts:
        places, times = np.array([c.position for c in contacts]), np.array([c.time_s for c in contacts])
        seen = min(seen, visible(solids, camera, aspect, places, times).mean() / ENOUGH_CONTACTS)
    return float(seen)
