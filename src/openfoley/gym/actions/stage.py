"""An actor's place and time, and helpers of the actions: strokes, tracks, contacts."""

from dataclasses import dataclass

import numpy as np

from openfoley.gym import motion
from openfoley.gym.materials import look_of
from openfoley.gym.records import Contact, GymObject, Look, Track

NEAR_MISS = 0.15
"""Share of strokes that stop short, in actions that can."""


@dataclass(frozen=True)
class Stage:
    """Where and when an actor plays: `x`, `z` (m) its place on the floor, `sounds` False for the silent variant
    (near-misses only)."""

    rng: np.random.Generator
    start_s: float
    end_s: float
    x: float
    z: float
    size_m: float
    material: str
    other_material: str
    id: str
    sounds: bool = True

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def thing(self, action: str, caption: str, material: str | None = None) -> GymObject:
        return GymObject(
            self.id, caption, material or self.material, self.size_m, int(self.rng.integers(2**31)), action
        )

    def look(self, material: str | None = None, bulge: float = 0.4) -> Look:
        return look_of(material or self.material, self.rng, bulge=bulge)

    def strokes(self, shortest: float, longest: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Contact times, how far each stops short (0 = it touches) and how hard it is."""
        times = motion.hit_times(self.rng, self.start_s, self.end_s, shortest, longest)
        short = self.rng.random(len(times)) < (NEAR_MISS if self.sounds else 1.0)
        gaps = np.where(short, self.rng.uniform(0.25, 0.5, len(times)), 0.0)
        return times, gaps, self.rng.uniform(0.12, 1.0, len(times)) ** 1.3


def along(base: tuple[float, float, float], axis: tuple[float, float, float], amount: Track) -> Track:
    """base + axis * amount(t)."""
    return lambda t: np.asarray(base)[None] + np.asarray(axis)[None] * amount(t)[:, None]


def on_track(track: Track, time_s: float) -> tuple[float, float, float]:
    x, y, z = track(np.array([time_s]))[0]
    return (float(x), float(y), float(z))


def contacts_of(
    stage: Stage,
    times: np.ndarray,
    gaps: np.ndarray | float,
    force: np.ndarray,
    where: Track | tuple[float, float, float],
    action: str,
    rattle: tuple[int, float] = (1, 0),
) -> list[Contact]:
    """At those of `times` whose gap is 0. where: one place, or a track. rattle: grains and spread_s of each contact."""
    track = where if callable(where) else motion.still(where)
    return [
        Contact(float(t), action, stage.id, float(f), on_track(track, float(t)), *rattle)
        for t, g, f in zip(times, np.broadcast_to(gaps, len(times)), force, strict=True)
        if g == 0
    ]
