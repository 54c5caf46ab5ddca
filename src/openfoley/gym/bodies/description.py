"""The description of a mechanism of rigid bodies, as families of scenes give it and the dynamics simulate it.

World axes, units and quaternions as in `records`. Times are in seconds of the scene.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from openfoley.gym.bodies.matter import GROUND, Matter
from openfoley.gym.bodies.records import UNTURNED, Quaternion, Shape, Surface, Vector
from openfoley.gym.records import Track

PoseTrack = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Times [n] (s) -> positions [n, 3] (m) and rotations [n, 4]."""
ALWAYS = (-np.inf, np.inf)
AT_ONCE = -np.inf


@dataclass(frozen=True)
class Piece:
    """One convex piece of a body. touches: whether it collides. weighs: whether it adds to the body's mass (strings
    and marks do neither). seen: whether it is in the picture (a clear pane is not)."""

    shape: Shape
    surface: Surface
    offset: Vector = (0.0, 0.0, 0.0)
    turn: Quaternion = UNTURNED
    touches: bool = True
    weighs: bool = True
    seen: bool = True


@dataclass(frozen=True)
class Fixed:
    """Held where it is. belt: velocity (m/s, along the body's own axes) of its surface, as of a conveyor."""

    belt: Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Free:
    """Held in place until `release_s`, then let go with this velocity (m/s) and spin (rad/s), both along the world's
    axes. spin_loss_s: time constant (s) in which rolling resistance and air brake its spin; None: not at all."""

    release_s: float = AT_ONCE
    velocity: Vector = (0.0, 0.0, 0.0)
    spin: Vector = (0.0, 0.0, 0.0)
    spin_loss_s: float | None = 8.0


@dataclass(frozen=True)
class Servo:
    """A motor that carries a body's weight and pulls its joint towards `angle(t)` (rad or m from its place) as a spring
    of this natural frequency, critically damped, but never harder than `limit` (N m or N): a hand that gives way at a
    blow."""

    angle: Track
    frequency_hz: float = 12.0
    limit: float = np.inf


@dataclass(frozen=True)
class Joint:
    """A hinge, slide or ball joint to the parent, or to the world. `axis` and `anchor` (m) are in the body's own axes.
    start: how far from its place it begins; angles: how far it can go (rad or m). `velocity` (rad/s or m/s) is given
    to it at `release_s`; before, it is held. loss_s: time constant (s) of its friction; spring_hz: of a spring that
    pulls it back to its place."""

    kind: Literal["hinge", "slide", "ball"]
    axis: Vector = (0.0, 0.0, 1.0)
    anchor: Vector = (0.0, 0.0, 0.0)
    start: float = 0.0
    angles: tuple[float, float] | None = None
    release_s: float = AT_ONCE
    velocity: float = 0.0
    loss_s: float | None = None
    spring_hz: float = 0.0
    servo: Servo | None = None


@dataclass(frozen=True)
class Driven:
    """Moved along a prescribed path whatever it meets; it passes through fixed bodies. The path replaces `place` and
    `turn`."""

    path: PoseTrack


@dataclass(frozen=True)
class Body:
    """A rigid body, at `place` and `turn` when the shot starts (with a parent: in the parent's axes). object_id: the
    object that its contacts sound as; None: the other's. mass_kg: instead of that of its matter; driven bodies are as
    good as infinitely heavy, but if they are a billion times as heavy as what they meet, the solver fails. rings: it
    sounds whatever strikes it, else the lighter of two bodies does. soft: its contacts make no sound. shown: when it is
    there at all (s). ignores: ids of bodies that it does not collide with."""

    id: str
    pieces: tuple[Piece, ...]
    matter: Matter = GROUND
    place: Vector = (0.0, 0.0, 0.0)
    turn: Quaternion = UNTURNED
    motion: Fixed | Free | Joint | Driven = Fixed()
    object_id: str | None = None
    parent: str | None = None
    mass_kg: float | None = None
    rings: bool = False
    soft: bool = False
    shown: tuple[float, float] = ALWAYS
    ignores: tuple[str, ...] = ()
