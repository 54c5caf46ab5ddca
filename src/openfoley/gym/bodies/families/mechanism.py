"""What a family samples a mechanism with (`Builder`), and what it returns (`Mechanism`)."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Driven, Free, Piece, PoseTrack
from openfoley.gym.bodies.matter import CUSHION, GROUND, Matter, matter_of
from openfoley.gym.bodies.records import UNTURNED, Box, Quaternion, Surface, Vector
from openfoley.gym.bodies.surfaces import any_surface, surface_of
from openfoley.gym.records import GymObject

Choice = TypeVar("Choice")
SMALLEST_SOUND_M = 0.05
"""Smaller things sound like one of this size: their modes would lie beyond hearing."""


@dataclass
class Mechanism:
    """The bodies and objects of a family, around x = z = 0 on the plane y = 0, within `radius` and up to `height` (m).
    The first object is the one that the caption names."""

    bodies: list[Body] = field(default_factory=list)
    objects: list[GymObject] = field(default_factory=list)
    caption: str = ""
    radius: float = 1.0
    height: float = 1.0


@dataclass(frozen=True)
class Builder:
    """What the mechanisms of a shot have in common, and how they draw what they need. rng: all chance comes from it.
    size_m: of a typical thing. sounds: False for the silent near miss, in which no contact may sound. id: prefix of the
    ids of bodies and objects, which are unique in a shot."""

    rng: np.random.Generator
    start_s: float
    end_s: float
    size_m: float
    materials: tuple[str, ...]
    id: str
    sounds: bool = True

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def scaled(self, low: float, high: float) -> float:
        """A value whose logarithm is evenly spread."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def count(self, low: int, high: int) -> int:
        """low ... high, both included."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, options: Sequence[Choice]) -> Choice:
        return options[int(self.rng.integers(len(options)))]

    def material(self, *allowed: str) -> str:
        """One of the scene's materials, of these if any of them is among those."""
        return self.pick([m for m in self.materials if m in allowed] or self.materials)

    def matter(self, material: str) -> Matter:
        return matter_of(material, self.rng)

    def surface(self, material: str, size_m: float) -> Surface:
        return surface_of(material, size_m, self.rng)

    def thing(self, action: str, noun: str, material: str, size_m: float) -> GymObject:
        """An object with an id of its own. `noun` follows the material in its caption."""
        seed = int(self.rng.integers(2**31))
        name = f"{self.id}.{noun.replace(' ', '_')}.{seed % 10_000}"
        return GymObject(name, f"{material} {noun}", material, max(size_m, SMALLEST_SOUND_M), seed, action)

    def fixture(self, name: str, *boxes: tuple[Vector, Vector], turn: Quaternion = UNTURNED) -> Body:
        """A fixed body of boxes (half extents, centre) in one paint that makes no sound of its own."""
        size = max(max(half) for half, _ in boxes)
        paint = any_surface(self.rng, size * 0.3) if self.chance(0.5) else self.surface("wood", size)
        pieces = tuple(Piece(Box(half), paint, centre) for half, centre in boxes)
        return Body(f"{self.id}.{name}", pieces, GROUND, turn=turn)

    def cushion(self, half: Vector, centre: Vector, name: str = "cushion") -> Body:
        """A fixed soft block: what lands on it makes no sound."""
        piece = Piece(Box(half), any_surface(self.rng, max(half) * 0.4))
        return Body(f"{self.id}.{name}", (piece,), CUSHION, centre, soft=True)

    def times(self, shortest_s: float, longest_s: float, margin_s: float = 0.6) -> list[float]:
        """Instants over the shot, up to margin_s before its end, with gaps of shortest_s to longest_s; the first is
        soon after its start. One at least."""
        time_s, found = self.start_s + self.uniform(0.1, 0.2 + min(longest_s, 1.5)), []
        while time_s < self.end_s - margin_s:
            found.append(time_s)
            time_s += self.uniform(shortest_s, longest_s)
        return found or [self.start_s + 0.1]


def moved(body: Body, turn: Quaternion, shift: Vector) -> Body:
    """A body of a mechanism that is turned about the origin, then shifted. Children go with their parents."""
    if body.parent is not None:
        return body
    x, y, z = (float(v) for v in np.array(rotation.turned(turn, body.place)) + np.array(shift))
    motion = body.motion
    if isinstance(motion, Free):
        motion = replace(
            motion, velocity=rotation.turned(turn, motion.velocity), spin=rotation.turned(turn, motion.spin)
        )
    elif isinstance(motion, Driven):
        motion = Driven(_moved_path(motion.path, turn, shift))
    return replace(body, place=(x, y, z), turn=rotation.then(turn, body.turn), motion=motion)


def _moved_path(path: PoseTrack, turn: Quaternion, shift: Vector) -> PoseTrack:
    def moved_path(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        position, rotations = path(times)
        by = np.broadcast_to(np.array(turn), rotations.shape)
        return rotation.rotate(by, position) + np.array(shift), rotation.product(by, rotations)

    return moved_path
