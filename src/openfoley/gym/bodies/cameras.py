"""Cameras: where they stand, what lens they have, how they move."""

from dataclasses import dataclass

import numpy as np

from openfoley.gym import motion
from openfoley.gym.records import Camera, Track

FILM_M = 0.024
"""Height of the film to which focal lengths in mm refer."""
LENSES_MM = (24.0, 28.0, 35.0, 50.0, 70.0, 100.0)
KINDS = ("still", "hand", "pan", "truck", "dolly", "orbit")
SHARES = (0.35, 0.25, 0.1, 0.1, 0.1, 0.1)
LOWEST_M = 0.03
SMALLEST_SHARE = 0.05
"""Of the picture's height that a typical thing takes, as far as possible: 6 pixels of 128."""


@dataclass(frozen=True)
class View:
    """What a camera looks at: the middle, radius and height (m) of what happens, and the middle of the shot (s)."""

    middle: tuple[float, float, float]
    radius: float
    height: float
    middle_s: float
    floor: float = 0.0


def sample_camera(rng: np.random.Generator, view: View, aspect: float, thing_m: float) -> Camera:
    """A camera with a lens of 24 to 100 mm, from floor level to steeply from above. What happens fills the
    picture by a half or more, part of it may lie beyond its edges; things of `thing_m` take SMALLEST_SHARE or more."""
    focal = float(rng.choice(LENSES_MM)) / 1000 / FILM_M
    share = float(np.exp(rng.uniform(np.log(0.06), np.log(0.4))))  # of the picture's height that a thing takes
    reach = max(view.height / 2, view.radius / aspect)
    share = max(SMALLEST_SHARE, min(share, thing_m * rng.uniform(0.5, 1.6) / (2 * reach)))
    distance = thing_m * focal / share
    steep = np.radians(rng.choice([rng.uniform(1, 8), rng.uniform(8, 35), rng.uniform(35, 75)], p=[0.15, 0.6, 0.25]))
    side = float(rng.choice([rng.uniform(-0.5, 0.5), rng.uniform(-1.4, 1.4)], p=[0.6, 0.4]))
    kind = str(rng.choice(KINDS, p=SHARES))
    off = np.array([rng.normal(0, 0.12) * reach, rng.normal(0, 0.1) * reach])
    return Camera(focal, *_moving(rng, kind, view, off, (distance, float(steep), side)))


def _moving(
    rng: np.random.Generator, kind: str, view: View, off: np.ndarray, stand: tuple[float, float, float]
) -> tuple[Track, Track]:
    """Eye and turn of a camera at (distance, steepness, side) from the view's middle."""
    distance, steep, side = stand
    rate = float(rng.choice([-1, 1]) * rng.uniform(0.3, 1.0))
    orbit, dolly, truck, pan = (rate * amount * (kind == name) for name, amount in _SPEEDS)
    shaky = 0.004 if kind == "hand" else 0.0015 if kind != "still" and rng.random() < 0.5 else 0.0
    shake = [motion.wander(rng, shaky, 1.5) for _ in range(6)]
    middle = np.array(view.middle) + np.array([off[0] * np.cos(side), off[1], off[0] * -np.sin(side)])

    def eye(t: np.ndarray) -> np.ndarray:
        since = t - view.middle_s
        angle, away = side + orbit * since, distance * np.exp(dolly * since)
        right = truck * distance * since
        x = middle[0] - away * np.sin(angle) * np.cos(steep) + right * np.cos(side)
        z = middle[2] - away * np.cos(angle) * np.cos(steep) - right * np.sin(side)
        y = np.maximum(middle[1] + away * np.sin(steep), view.floor + LOWEST_M)
        jitter = distance * np.stack([s(t) for s in shake[:3]], axis=1)
        return motion.points(x, y, z) + jitter * np.array([1.0, 0.5, 1.0])

    def turn(t: np.ndarray) -> np.ndarray:
        since = t - view.middle_s
        right = (truck + pan) * distance * since
        ahead = middle + right[:, None] * np.array([np.cos(side), 0.0, -np.sin(side)]) - eye(t)
        yaw, pitch = np.arctan2(ahead[:, 0], ahead[:, 2]), np.arctan2(ahead[:, 1], np.hypot(ahead[:, 0], ahead[:, 2]))
        return motion.points(yaw + shake[3](t), pitch + shake[4](t), shake[5](t))

    return eye, turn


_SPEEDS = (("orbit", 0.15), ("dolly", 0.06), ("truck", 0.05), ("pan", 0.05))
"""Fastest: rad/s, share of the distance a second."""
