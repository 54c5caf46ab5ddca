"""Prescribed paths of bodies (`Driven`): hung on strings, floating, carried and stopping short."""

from collections.abc import Sequence

import numpy as np

from openfoley.gym import motion
from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import PoseTrack
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.records import Vector
from openfoley.gym.records import Track


def turning(builder: Builder, fastest: float = 3.0) -> tuple[Vector, Track]:
    """A random axis and an angle (rad) that grows evenly."""
    x, y, z = (float(v) for v in builder.rng.standard_normal(3))
    rate, phase = builder.uniform(-fastest, fastest), builder.uniform(0, 6.28)
    return (x, y, z), lambda t: phase + rate * t


def path_along(base: Vector, axis: Vector, amount: Track, spin: tuple[Vector, Track] | None = None) -> PoseTrack:
    """base + axis * amount(t), turned about an axis by an angle(t)."""

    def path(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        position = np.array(base) + np.array(axis) * amount(t)[:, None]
        about, angle = spin or ((0.0, 1.0, 0.0), motion.constant(0.0))
        return position, rotation.about_many(about, angle(t))

    return path


def dips(builder: Builder, low: float, high: float) -> Track:
    """A height that starts at `high`, falls, is caught at `low` and drawn up again, over and over: a thing on a
    string. It accelerates like a falling one but never arrives."""
    fall = float(np.sqrt(2 * max(high - low, 1e-3) / motion.GRAVITY)) * builder.uniform(1.1, 2.0)
    wait, rise = builder.uniform(0.2, 1.2), fall * builder.uniform(1.5, 4.0)
    period, begin = fall + rise + wait, builder.start_s + builder.uniform(0.1, 0.8)

    def height(t: np.ndarray) -> np.ndarray:
        phase = np.where(t < begin, 0.0, (t - begin) % period)
        share = np.where(phase < fall, motion.smooth(phase / fall), 1 - motion.smooth((phase - fall) / rise))
        return high - (high - low) * share

    return height


def spells(spans: Sequence[tuple[float, float]], rise_s: float, fall_s: float) -> Track:
    """1 within these spans (start, end; s), which it takes so long to reach and to leave, else 0."""

    def amount(t: np.ndarray) -> np.ndarray:
        return np.max([motion.smooth((t - a) / rise_s) - motion.smooth((t - b) / fall_s) for a, b in spans], axis=0)

    return amount


def approaches(builder: Builder, near: float, far: float) -> Track:
    """A distance that goes from `far` to `near` and back at random instants, smoothly at both ends."""
    times = np.array(builder.times(0.9, 2.0, 0.3))
    once = np.ones(len(times))
    falls, rises = builder.rng.uniform(0.2, 0.6, len(times)), builder.rng.uniform(0.3, 0.7, len(times))
    gap = near / far
    distance = motion.approach(times + 0.5, falls, rises, gap * once)
    return lambda t: far * distance(t)


def swings(builder: Builder, reach: float, period_s: float) -> Track:
    """An angle (rad) of a free pendulum of this period."""
    phase, loss = builder.uniform(0, 6.28), builder.uniform(0.0, 0.15)
    return lambda t: reach * np.exp(-loss * (t - builder.start_s)) * np.cos(2 * np.pi * t / period_s + phase)


def pendulum(pivot: Vector, length: float, angle: Track, axis: Vector = (0.0, 0.0, 1.0)) -> PoseTrack:
    """A bob that hangs from a pivot by `length`, leaning by angle(t) about a horizontal axis."""

    def path(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        turn = rotation.about_many(axis, angle(t))
        return np.array(pivot) + rotation.rotate(turn, np.array([0.0, -length, 0.0])), turn

    return path
