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
SMALLEST_SHARE, LARGEST_SHARE = 0.05, 0.45
"""Of the picture's height that a typical thing takes: 6 and 58 pixels of 128."""


@dataclass(frozen=True)
class Subject:
    """What a camera looks at: places [n, 3] (m) where things move and touch, the size of a typical thing (m), the
    middle of the shot (s), the height of the floor (m)."""

    places: np.ndarray
    thing_m: float
    middle_s: float
    floor: float = 0.0


def sample_camera(rng: np.random.Generator, subject: Subject, aspect: float) -> Camera:
    """A camera with a lens of 24 to 100 mm, from floor level to steeply from above. What happens fills the picture by
    a third or more, part of it may lie beyond its edges; a typical thing takes SMALLEST_SHARE of its height or more."""
    focal = float(rng.choice(LENSES_MM)) / 1000 / FILM_M
    steep = np.radians(rng.choice([rng.uniform(1, 8), rng.uniform(8, 35), rng.uniform(35, 75)], p=[0.15, 0.6, 0.25]))
    side = float(rng.choice([rng.uniform(-0.5, 0.5), rng.uniform(-1.4, 1.4)], p=[0.6, 0.4]))
    right = np.array([np.cos(side), 0.0, -np.sin(side)])
    up = np.array([np.sin(steep) * np.sin(side), np.cos(steep), np.sin(steep) * np.cos(side)])
    ahead = np.cross(right, up)
    low, high = np.percentile(subject.places @ np.stack([right, up, ahead], axis=1), (4, 96), axis=0)
    half = np.maximum((high - low) / 2, subject.thing_m)
    filled = float(np.exp(rng.uniform(np.log(0.4), np.log(1.2))))
    share = filled * subject.thing_m / (2 * max(float(half[1]), float(half[0]) / aspect))
    share = max(SMALLEST_SHARE * float(rng.uniform(0.7, 1.5)), min(share, LARGEST_SHARE))
    distance = max(subject.thing_m * focal / share, float(half[2]) + subject.thing_m)
    centre = (low + high) / 2 + rng.normal(0, 0.06, 3) * distance / focal
    middle = centre @ np.stack([right, up, ahead])
    kind = str(rng.choice(KINDS, p=SHARES))
    return Camera(focal, *_moving(rng, kind, subject, middle, (distance, float(steep), side)))


def _moving(
    rng: np.random.Generator, kind: str, subject: Subject, middle: np.ndarray, stand: tuple[float, float, float]
) -> tuple[Track, Track]:
    """Eye and turn of a camera at (distance, steepness, side) from what it looks at."""
    distance, steep, side = stand
    rate = float(rng.choice([-1, 1]) * rng.uniform(0.3, 1.0))
    orbit, dolly, truck, pan = (rate * amount * (kind == name) for name, amount in _SPEEDS)
    shaky = 0.004 if kind == "hand" else 0.0015 if kind != "still" and rng.random() < 0.5 else 0.0
    shake = [motion.wander(rng, shaky, 1.5) for _ in range(6)]

    def eye(t: np.ndarray) -> np.ndarray:
        since = t - subject.middle_s
        angle, away = side + orbit * since, distance * np.exp(dolly * since)
        right = truck * distance * since
        x = middle[0] - away * np.sin(angle) * np.cos(steep) + right * np.cos(side)
        z = middle[2] - away * np.cos(angle) * np.cos(steep) - right * np.sin(side)
        y = np.maximum(middle[1] + away * np.sin(steep), subject.floor + LOWEST_M)
        jitter = distance * np.stack([s(t) for s in shake[:3]], axis=1)
        return motion.points(x, y, z) + jitter * np.array([1.0, 0.5, 1.0])

    def turn(t: np.ndarray) -> np.ndarray:
        since = t - subject.middle_s
        right = (truck + pan) * distance * since
        ahead = middle + right[:, None] * np.array([np.cos(side), 0.0, -np.sin(side)]) - eye(t)
        yaw, pitch = np.arctan2(ahead[:, 0], ahead[:, 2]), np.arctan2(ahead[:, 1], np.hypot(ahead[:, 0], ahead[:, 2]))
        return motion.points(yaw + shake[3](t), pitch + shake[4](t), shake[5](t))

    return eye, turn


_SPEEDS = (("orbit", 0.15), ("dolly", 0.06), ("truck", 0.05), ("pan", 0.05))
"""Fastest: rad/s, share of the distance a second."""
