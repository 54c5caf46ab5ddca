"""The records of a Gym scene: objects, what moves (parts with closed-form tracks, or a stage of solid bodies), and
sound events with exact times.

World axes: x to the right, y up, z away from the camera, in metres; the floor is y = 0. Time is in seconds from the
first frame.
A track is a function of an array of times; picture and sound evaluate the same tracks, so they are in sync.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from openfoley.gym.bodies.records import Stage

Track = Callable[[np.ndarray], np.ndarray]
"""Times [n] (s) -> values [n] or [n, 3]."""


@dataclass(frozen=True)
class Look:
    """How a part is painted. Colours are linear RGB in 0..1; texture waves are in radians per metre of the part's own
    plane."""

    color: tuple[float, float, float]
    gloss: float = 0.2
    alpha: float = 1.0
    bulge: float = 1.0  # 1 = ball, 0 = flat plate
    waves: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)  # (kx, ky) of the grain, (kx, ky) of its warp
    warp: float = 0.0
    contrast: float = 0.0
    sharpness: float = 1.0
    phase: float = 0.0


@dataclass(frozen=True)
class Part:
    """A rounded box seen face on: half extents and corner radius (m), a track of centres [n, 3], of angles (rad) and
    of opacity."""

    half: tuple[float, float]
    radius: float
    look: Look
    position: Track
    angle: Track | None = None
    opacity: Track | None = None
    shadow: bool = True
    in_front: bool = False
    object_id: str | None = None


@dataclass(frozen=True)
class GymObject:
    """Something that can sound. `size_m` sets its pitch, `seed` its own timbre."""

    id: str
    caption: str
    material: str
    size_m: float
    seed: int
    action: str


@dataclass(frozen=True)
class Contact:
    """One sounding instant. `impulse` in 0..1 sets loudness and brightness. `grains` > 1 spreads it over a rattle of
    `spread_s`. partner: an object of the same shot that rings too, less."""

    time_s: float
    action: str
    object_id: str
    impulse: float
    position: tuple[float, float, float]
    grains: int = 1
    spread_s: float = 0.0
    partner: str | None = None


@dataclass(frozen=True)
class Friction:
    """A sound that lasts: rolling, sliding, pouring. `level` is its amplitude in 0..1 over time.

    clock_s: where its source's clock starts; a sound with a clock depends on the time alone, so that it goes on over
    cuts. turns: of an engine, since then."""

    start_s: float
    end_s: float
    action: str
    object_id: str
    level: Track
    position: Track
    clock_s: float | None = None
    turns: Track | None = None


@dataclass
class Performance:
    """One actor's contribution to a shot. family: of its mechanism, where it is one of solid bodies."""

    objects: list[GymObject] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)
    frictions: list[Friction] = field(default_factory=list)
    caption: str = ""
    family: str = ""


@dataclass(frozen=True)
class Camera:
    """A pinhole. `focal` is in picture heights; `eye` and `turn` (yaw, pitch, roll in rad) are tracks."""

    focal: float
    eye: Track
    turn: Track


@dataclass(frozen=True)
class Grade:
    """The picture's style: light, background, camera and compression."""

    light: tuple[float, float, float]
    ambient: float
    floor: Look
    wall: Look
    wall_z: float
    tint: tuple[float, float, float]
    gamma: float
    noise: float
    blur: float  # standard deviation in 1/96 of the picture height
    quantization: float  # 0 = none; step of the 8 x 8 transform's coefficients
    motion_blur: bool
    saturation: float
    outline: bool  # held-out style: dark contour, flat paint
    shadow: float


@dataclass(frozen=True)
class Shot:
    start_s: float
    end_s: float
    camera: Camera
    grade: Grade
    performances: tuple[Performance, ...]
    room_s: float  # reverberation time
    room_level: float
    stage: Stage | None = None  # solid bodies; None: the flat world, painted from the parts of its performances
    place: int | None = None  # shots of one place share its sound, which goes on over their cuts; None: a shot alone


@dataclass(frozen=True)
class Scene:
    seed: int
    split: str
    duration_s: float
    aspect: float
    gain_db: float
    shots: tuple[Shot, ...]
    caption: str
    captions: tuple[str, ...]

    @property
    def objects(self) -> list[GymObject]:
        return [o for shot in self.shots for p in shot.performances for o in p.objects]
