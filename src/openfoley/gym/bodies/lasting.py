"""Lasting sounds of a simulation: sliding and rolling, out of the load on a contact and the speeds at it.

Amplitude goes with the square root of the power load x speed that the contact could turn into sound.
"""

import numpy as np
from scipy.ndimage import uniform_filter1d

from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.contacts import PairForce, closed, opened
from openfoley.gym.bodies.description import Fixed
from openfoley.gym.bodies.physics import Simulation
from openfoley.gym.bodies.records import Motion
from openfoley.gym.records import Friction, Track

LOUD_W = {"slide": 20.0, "roll": 30.0}
"""W; load x speed of a level of 1."""
ROLLING_SLIP = 0.35
"""A contact whose slip is below this share of its travel rolls."""
HOP_S, STAYS_S = 0.03, 0.1
"""A contact lasts if it is closed for STAYS_S but for hops below HOP_S."""
CREEP_MPS = 0.02
"""Slower than this is the creep of soft contacts, or too slow to be heard."""
CONTROL_HZ = 250.0
SMOOTH_S, GAP_S, SHORTEST_S = 0.03, 0.06, 0.15
QUIETEST, FAINTEST = 0.02, 0.05
"""Levels: where a sound begins and ends, and the least that its loudest moment must have."""


def frictions(simulation: Simulation, pairs: list[PairForce], start_s: float) -> list[Friction]:
    """Sliding and rolling of all pairs that make a sound."""
    result = []
    for pair in pairs:
        sides = [k for k in (pair.first, pair.second) if k < len(simulation.bodies)]
        bodies = [simulation.bodies[k] for k in sides]
        objects = [k for k in sides if simulation.bodies[k].object_id is not None]
        if not objects or any(b.soft for b in bodies) or len(pair.step) * simulation.step_s < SHORTEST_S:
            continue
        heard = min(objects, key=lambda k: simulation.masses[k])
        object_id = simulation.bodies[heard].object_id
        assert object_id is not None
        result += _frictions_of(simulation, pair, heard, object_id, start_s)
    return result


def _frictions_of(
    simulation: Simulation, pair: PairForce, heard: int, object_id: str, start_s: float
) -> list[Friction]:
    first, last = int(pair.step[0]), int(pair.step[-1])
    force = np.zeros(last - first + 1)
    force[pair.step - first] = pair.force
    step_s = simulation.step_s
    lasts = opened(closed((force > 0).astype(np.float32), HOP_S, step_s), STAYS_S, step_s)
    load = uniform_filter1d(force, round(HOP_S / step_s)) * lasts
    fine = start_s + step_s * np.arange(first, last + 1)
    times = np.arange(fine[0], fine[-1], 1 / CONTROL_HZ)
    if len(times) < 3:
        return []
    touched = start_s + step_s * pair.step
    point = np.stack([np.interp(times, touched, pair.position[:, k]) for k in range(3)], axis=1)
    normal = np.stack([np.interp(times, touched, pair.normal[:, k]) for k in range(3)], axis=1)
    slip, travel = _speeds(simulation, pair, heard, times, point, normal)
    weight = np.interp(times, fine, load)
    window = max(1, round(SMOOTH_S * CONTROL_HZ))
    rolls = slip < ROLLING_SLIP * travel
    result = []
    for action, speed, chosen in (("slide", slip, ~rolls), ("roll", travel, rolls)):
        level = np.sqrt(np.maximum(weight, 0.0) * np.maximum(speed - CREEP_MPS, 0.0) / LOUD_W[action]) * chosen
        level = np.convolve(np.minimum(level, 1.0), np.ones(window) / window, mode="same")
        for begin, end in _spans(level > QUIETEST, round(GAP_S * CONTROL_HZ)):
            span = slice(begin, end)
            if (end - begin) / CONTROL_HZ >= SHORTEST_S and level[span].max() >= FAINTEST:
                track, place = _interpolated(times[span], level[span]), _interpolated(times[span], point[span])
                result.append(Friction(float(times[begin]), float(times[end - 1]), action, object_id, track, place))
    return result


def _speeds(
    simulation: Simulation, pair: PairForce, heard: int, times: np.ndarray, point: np.ndarray, normal: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of the surfaces against each other, and of the body that sounds along the other (m/s), both in the plane of
    contact."""
    other = pair.second if heard == pair.first else pair.first
    own_point, own_centre = _velocities(simulation, heard, times, point)
    base_point, _ = _velocities(simulation, other, times, point)
    in_plane = lambda v: v - (v * normal).sum(1, keepdims=True) * normal
    slip = np.linalg.norm(in_plane(own_point - base_point), axis=1)
    return slip, np.linalg.norm(in_plane(own_centre - base_point), axis=1)


def _velocities(
    simulation: Simulation, body: int, times: np.ndarray, point: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Of a body's material at a point and of its centre [n, 3] (m/s)."""
    if body >= len(simulation.bodies):
        return np.zeros_like(point), np.zeros_like(point)
    motion: Motion = simulation.motions[body]
    how = simulation.bodies[body].motion
    if len(motion.position) < 2:
        surface = rotation.rotate(motion.rotation[0], np.array(how.belt)) if isinstance(how, Fixed) else np.zeros(3)
        return np.broadcast_to(surface, point.shape), np.zeros_like(point)
    position, turn = motion.at(times)
    step_s = float(times[1] - times[0])
    centre = np.gradient(position, step_s, axis=0)
    return centre + np.cross(rotation.spins(turn, step_s), point - position), centre


def _spans(on: np.ndarray, gap: int) -> list[tuple[int, int]]:
    """Runs of true, those with less than `gap` between them joined."""
    places = np.flatnonzero(on)
    if not len(places):
        return []
    return [(int(run[0]), int(run[-1]) + 1) for run in np.split(places, np.flatnonzero(np.diff(places) > gap) + 1)]


def _interpolated(times: np.ndarray, values: np.ndarray) -> Track:
    if values.ndim == 1:
        return lambda t: np.interp(t, times, values)
    return lambda t: np.stack([np.interp(t, times, values[:, k]) for k in range(values.shape[1])], axis=1)
