"""The records of a picture of solid bodies: shapes, surfaces, motions, light. Objects, contacts and lasting sounds use
the records of every Gym scene (gym.records).

World axes as there: x to the right, y up, z away from the camera, in metres; gravity points along -y. Quaternions are
(w, x, y, z) of unit length and turn a body's own axes into the world's.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]
UNTURNED: Quaternion = (1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Sphere:
    radius: float


@dataclass(frozen=True)
class Box:
    half: Vector


@dataclass(frozen=True)
class Cylinder:
    """Flat ends; its axis is its own z."""

    radius: float
    half_length: float


@dataclass(frozen=True)
class Capsule:
    """A cylinder with half balls as ends, half_length without them; its axis is its own z."""

    radius: float
    half_length: float


@dataclass(frozen=True)
class Hull:
    """The convex hull of these points (m)."""

    points: tuple[Vector, ...]


Shape = Sphere | Box | Cylinder | Capsule | Hull
Pattern = Literal["plain", "checks", "stripes", "dots", "grain", "speckle"]


@dataclass(frozen=True)
class Surface:
    """How a solid is painted: two linear RGB colours in 0..1 mixed by a pattern of `size_m` in the solid's own axes.
    gloss: strength of its highlight in 0..1; roughness in 0..1 sets the highlight's width."""

    color: Vector
    second: Vector = (0.0, 0.0, 0.0)
    pattern: Pattern = "plain"
    size_m: float = 0.1
    contrast: float = 0.0
    gloss: float = 0.2
    roughness: float = 0.5
    seed: int = 0


@dataclass(frozen=True)
class Motion:
    """Poses at start_s + k / rate_hz; a fixed thing has one. Before and after them the body stands still."""

    position: Float[np.ndarray, "poses 3"]
    rotation: Float[np.ndarray, "poses 4"]
    start_s: float = 0.0
    rate_hz: float = 1000.0

    def at(self, times: Float[np.ndarray, " n"]) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 4"]]:
        """Position (m) and rotation at these times (s), linear between the poses."""
        last = len(self.position) - 1
        place = np.clip((times - self.start_s) * self.rate_hz, 0, last)
        before = np.minimum(place.astype(np.int64), max(last - 1, 0))
        after, share = np.minimum(before + 1, last), (place - before)[:, None]
        position = (1 - share) * self.position[before] + share * self.position[after]
        first, second = self.rotation[before], self.rotation[after]
        # q and -q are the same rotation: the nearer of the two is blended.
        second = np.where((first * second).sum(1, keepdims=True) < 0, -second, second)
        rotation = (1 - share) * first + share * second
        return position, rotation / np.linalg.norm(rotation, axis=1, keepdims=True)


@dataclass(frozen=True)
class Solid:
    """One convex piece of a body, `offset` and `turn` in the body's own axes. A body of several pieces shares one
    Motion. shown: when it is in the picture (s). owner: the body's id, which begins with that of its mechanism."""

    shape: Shape
    surface: Surface
    motion: Motion
    offset: Vector = (0.0, 0.0, 0.0)
    turn: Quaternion = UNTURNED
    shown: tuple[float, float] = (-np.inf, np.inf)
    owner: str = ""


@dataclass(frozen=True)
class Light:
    """One sun (`direction` points to it, unit length), a sky and a bounce of light from the ground, in linear RGB.
    softness: angular radius of the sun (rad), 0 gives hard shadows."""

    direction: Vector
    sun: Vector
    sky: Vector
    ground: Vector
    softness: float = 0.0


@dataclass(frozen=True)
class Stage:
    """What a shot's camera sees: solids, the ground plane y = 0 (None: there is none), what lies behind all (colours
    at the horizon and above) and the light."""

    solids: tuple[Solid, ...]
    light: Light
    ground: Surface | None
    horizon: Vector = (0.6, 0.6, 0.6)
    zenith: Vector = (0.4, 0.5, 0.7)
