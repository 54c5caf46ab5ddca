"""Closed-form motion profiles of the actions. Each reaches contact exactly at the contact's time."""

import numpy as np

from openfoley.gym.records import Track

GRAVITY = 9.81
"""m / s^2"""
REST_SPEED = 0.6
"""m / s: a bounce slower than this (3.7 cm high, 0.12 s long) is left out; the ball rests"""


def still(position: tuple[float, float, float]) -> Track:
    return lambda t: np.broadcast_to(np.asarray(position, dtype=np.float64), (len(t), 3))


def constant(value: float) -> Track:
    return lambda t: np.full(len(t), value, dtype=np.float64)


def points(x: np.ndarray | float, y: np.ndarray | float, z: np.ndarray | float) -> np.ndarray:
    """Places [n, 3] from coordinates [n], or of one value for all."""
    return np.stack(np.broadcast_arrays(x, y, z), axis=1)


def since_last(times: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Seconds since the latest of `times` (in order), 9 before the first."""
    k = np.searchsorted(times, t, side="right") - 1
    return np.where(k >= 0, t - times[np.maximum(k, 0)] if len(times) else 9.0, 9.0)


def smooth(u: np.ndarray) -> np.ndarray:
    """0 to 1 with zero slope at both ends."""
    u = np.clip(u, 0.0, 1.0)
    return u * u * (3 - 2 * u)


def hit_times(
    rng: np.random.Generator, start_s: float, end_s: float, shortest_s: float, longest_s: float
) -> np.ndarray:
    """Instants with random gaps; now and then a regular beat instead."""
    first = start_s + rng.uniform(0.25, 0.25 + longest_s)
    count = int(np.ceil((end_s - start_s) / shortest_s)) + 1
    if rng.random() < 0.4:
        gaps = np.full(count, rng.uniform(shortest_s, longest_s)) * rng.uniform(0.97, 1.03, count)
    else:
        gaps = rng.uniform(shortest_s, longest_s, count)
    times = first + np.concatenate([[0.0], np.cumsum(gaps)])
    return times[times < end_s - 0.05]


def approach(times: np.ndarray, falls: np.ndarray, rises: np.ndarray, gaps: np.ndarray) -> Track:
    """Distance from contact, 1 = at rest, 0 = touching: before instant k it falls with growing speed for `falls[k]` s,
    after it rises for `rises[k]` s. `gaps[k]` > 0 stops short of contact: a near miss, which slows down smoothly
    instead of hitting."""

    def track(t: np.ndarray) -> np.ndarray:
        distance = np.ones(len(t))
        for instant, fall, rise, gap in zip(times, falls, rises, gaps, strict=True):
            before, after = (t - instant) / fall + 1, (t - instant) / rise
            if gap > 0:
                down = 1 - (1 - gap) * smooth(before)
            else:
                down = 1 - np.clip(before, 0, 1) ** 2
            up = gap + (1 - gap) * smooth(after)
            distance = np.minimum(distance, np.where(t < instant, down, up))
        return distance

    return track


def median_gap(times: np.ndarray) -> float:
    """Seconds; 1 where there is no gap."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 1.0


def swing_phase(times: np.ndarray) -> Track:
    """0 at each instant, up to 1 half-way between two of them (|sin|): pendulums and pucks that meet at every
    instant."""
    period = median_gap(times)
    knots = np.concatenate([[times[0] - period], times, [times[-1] + period]]) if len(times) else np.array([-1e3, 1e3])

    def track(t: np.ndarray) -> np.ndarray:
        k = np.clip(np.searchsorted(knots, t, side="right") - 1, 0, len(knots) - 2)
        u = (t - knots[k]) / (knots[k + 1] - knots[k])
        return np.abs(np.sin(np.pi * np.clip(u, 0, 1)))

    return track


def bounce_times(
    start_s: float, height_m: float, restitution: float, end_s: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Contacts of a ball let go at `start_s` from `height_m` above contact: times, speeds (m/s) just before and just
    after each of them. Below REST_SPEED it stays down, so every landing that can be seen is in the list."""
    time, speed = start_s + np.sqrt(2 * height_m / GRAVITY), np.sqrt(2 * GRAVITY * height_m)
    times, before, after = [], [], []
    while time < end_s and speed > 0:
        times.append(time)
        before.append(speed)
        speed = speed * restitution if speed * restitution > REST_SPEED else 0.0
        after.append(speed)
        time += 2 * speed / GRAVITY
    return np.array(times), np.array(before), np.array(after)


def bounce_height(start_s: float, height_m: float, times: np.ndarray, speeds: np.ndarray) -> Track:
    """Height above contact; waits at `height_m` before `start_s` and rests at 0 after the last arc."""

    def track(t: np.ndarray) -> np.ndarray:
        falling = np.where(t < start_s, height_m, height_m - 0.5 * GRAVITY * (t - start_s) ** 2)
        if len(times) == 0:
            return np.maximum(falling, 0.0)
        k = np.clip(np.searchsorted(times, t, side="right") - 1, 0, len(times) - 1)
        since = t - times[k]
        arc = np.maximum(speeds[k] * since - 0.5 * GRAVITY * since**2, 0.0)
        return np.where(t < times[0], falling, arc)

    return track


def wander(rng: np.random.Generator, scale: float, fastest_hz: float) -> Track:
    """A smooth random curve: three sines. Camera shake, sways, things that float."""
    rates, phases = rng.uniform(0.05, fastest_hz, 3), rng.uniform(0, 2 * np.pi, 3)
    sizes = scale * rng.uniform(0.3, 1.0, 3) / np.array([1.0, 1.5, 2.5])
    return lambda t: np.sum(sizes[:, None] * np.sin(2 * np.pi * rates[:, None] * t[None] + phases[:, None]), axis=0)
