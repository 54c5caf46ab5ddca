"""Sound events of a simulation: impacts out of contact forces.

Per pair of bodies the load that varies slowly is taken off (the morphological opening over LOAD_S of the force, its
gaps below CHATTER_S closed); what stands out is an impact. Its loudness follows from its impulse J by one law for all
scenes: a body of mass m is set to vibrate with a velocity like J / m, and far away the pressure of a body that vibrates
at its own frequency (like 1 / its size L) goes with velocity x L^2 x frequency, so with J / m x m^(1/3). Hence the
strength s = J m^(-2/3) / LOUD with the pair's reduced mass, and impulse = s / (1 + s), always below 1. A
marble of 20 g that lands with 2 m/s has 0.18 (a little more with its bounce), one with 0.1 m/s 0.01, a brick of 2 kg
with 3 m/s 0.6.
"""

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from openfoley.gym.bodies.physics import Simulation
from openfoley.gym.motion import GRAVITY
from openfoley.gym.records import Contact

LOUD = 2.5
"""kg^(1/3) m/s; an impact of strength 1, impulse 0.5: a kilogram that is stopped from 2.5 m/s."""
FAINTEST = 0.008
"""Impacts of a lower strength are left out: a small marble that lands with 0.1 m/s."""
LOAD_S = 0.04
"""What a force holds for longer than this is a load, not an impact. Blows last 6 to 8 ms."""
CHATTER_S = 0.003
"""A contact at rest may be open at single steps; such gaps are closed."""
STANDS_OUT = 1.0
"""An impact exceeds the load by this many weights of the pair's lighter body."""
AT_FIRST_S, SETTLING_S = 0.01, 0.06
"""Things that touch so soon after a shot's beginning stood there before; until contact springs are at rest (SETTLING_S
after it) their contact has no events."""
NEAR_S, STANDS_APART = 0.05, 0.25
"""An impact has this share of all the impulse between its pair from NEAR_S before to NEAR_S after it. A block that
slides hops all the time: that is one lasting sound."""
BLOW_GAP_S = 0.004
"""Forces of a pair that are closer than this are one blow."""
MERGE_S = 0.02
"""Impacts this close are heard as one."""
STRONG = 0.25
"""Of the strongest impact in an event: its time is that of the first touch as strong as this."""


@dataclass(frozen=True)
class PairForce:
    """Force between two bodies at the steps at which they touch. step: indices from the simulation's start; overlap in
    m; position and normal are means weighted by force."""

    first: int
    second: int
    step: np.ndarray
    force: np.ndarray
    overlap: np.ndarray
    position: np.ndarray
    normal: np.ndarray


@dataclass(frozen=True)
class Impact:
    """One blow between two bodies: when it begins (s), strength, place."""

    time_s: float
    first: int
    second: int
    strength: float
    position: tuple[float, float, float]


def pair_forces(simulation: Simulation, start_s: float) -> list[PairForce]:
    """All pairs that ever touch."""
    touches, count = simulation.touches, len(simulation.bodies) + 1
    if not len(touches.time_s):
        return []
    steps = np.round((touches.time_s - start_s) / simulation.step_s).astype(np.int64)
    low, high = np.minimum(touches.first, touches.second), np.maximum(touches.first, touches.second)
    sign = np.where(touches.first <= touches.second, 1.0, -1.0)
    pair = low * count + high
    result = []
    for key in np.unique(pair):
        chosen = np.flatnonzero(pair == key)
        unique, where = np.unique(steps[chosen], return_inverse=True)
        weight = touches.force[chosen] + 1e-9
        total = np.bincount(where, weight)
        mean = lambda values, where=where, weight=weight, total=total: np.stack(
            [np.bincount(where, weight * values[:, k]) / total for k in range(3)], axis=1
        )
        overlap = np.full(len(unique), -np.inf)
        np.maximum.at(overlap, where, touches.overlap[chosen])
        normal = mean(touches.normal[chosen] * sign[chosen, None])
        result.append(
            PairForce(
                int(key // count),
                int(key % count),
                unique,
                np.bincount(where, touches.force[chosen]),
                overlap,
                mean(touches.position[chosen]),
                normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9),
            )
        )
    return result


def opened(values: np.ndarray, seconds: float, step_s: float) -> np.ndarray:
    """Morphological opening over time: what is higher for shorter than this is cut off."""
    size = 2 * round(seconds / step_s / 2) + 1  # an even window would shift
    return maximum_filter1d(minimum_filter1d(values, size, mode="nearest"), size, mode="nearest")


def closed(values: np.ndarray, seconds: float, step_s: float) -> np.ndarray:
    """Morphological closing over time: what is lower for shorter than this is filled up."""
    return -opened(-values, seconds, step_s)


def impacts(simulation: Simulation, pairs: list[PairForce], start_s: float) -> list[Impact]:
    """Blows of all pairs that make a sound, in order of time."""
    found: list[Impact] = []
    for pair in pairs:
        sides = [simulation.bodies[k] for k in (pair.first, pair.second) if k < len(simulation.bodies)]
        if any(b.soft for b in sides) or all(b.object_id is None for b in sides):
            continue
        masses = simulation.masses[[pair.first, pair.second]]
        found += _impacts_of(pair, 1 / float(np.sum(1 / masses)), simulation.step_s, start_s, simulation.last_step)
    return sorted(found, key=lambda i: i.time_s)


def _impacts_of(pair: PairForce, mass: float, step_s: float, start_s: float, last_step: int) -> list[Impact]:
    first, last = int(pair.step[0]), int(pair.step[-1])
    force = np.zeros(last - first + 1)
    force[pair.step - first] = pair.force
    stood = first * step_s < AT_FIRST_S
    # A contact of the shot's first or last step lasts beyond it; any other begins and ends with no force.
    settled, around = round(SETTLING_S / step_s), round(LOAD_S / step_s)
    before = float(np.median(force[:settled])) if stood else 0.0
    after = float(np.median(force[-settled:])) if last >= last_step - 1 else 0.0
    padded = np.pad(force, around, constant_values=((before, after),))
    excess = padded - opened(closed(padded, CHATTER_S, step_s), LOAD_S, step_s)
    excess = excess[around:-around][pair.step - first]
    near = uniform_filter1d(padded, 2 * round(NEAR_S / step_s) + 1)[around:-around] * 2 * NEAR_S
    if stood:
        excess[pair.step < settled] = 0.0
    if last >= last_step - 1:
        excess[pair.step > last_step - around] = 0.0
    steps = np.flatnonzero(excess > STANDS_OUT * mass * GRAVITY)
    if not len(steps):
        return []
    gap = max(1, round(BLOW_GAP_S / step_s))
    result = []
    for run in np.split(steps, np.flatnonzero(np.diff(pair.step[steps]) > gap) + 1):
        impulse = float(excess[run].sum()) * step_s
        strength = impulse * mass ** (-2 / 3) / LOUD
        begin = int(run[0])
        if strength < FAINTEST or impulse < STANDS_APART * near[pair.step[begin] - first]:
            continue
        touched = begin == 0 or pair.step[begin] - pair.step[begin - 1] > 1
        time_s = start_s + float(pair.step[begin]) * step_s
        if touched:
            time_s -= _since_touch(pair, begin, excess, mass, step_s)
        strongest = run[int(np.argmax(excess[run]))]
        x, y, z = (float(c) for c in pair.position[strongest])
        result.append(Impact(max(time_s, start_s), pair.first, pair.second, strength, (x, y, z)))
    return result


def _since_touch(pair: PairForce, begin: int, excess: np.ndarray, mass: float, step_s: float) -> float:
    """Seconds from the first touch to the step that finds the overlap: it grew to this with the speed of approach,
    which one step of force has not changed much."""
    if begin + 1 < len(pair.step) and pair.step[begin + 1] == pair.step[begin] + 1:
        slowed = excess[begin] / mass * step_s
        speed = (pair.overlap[begin + 1] - pair.overlap[begin]) / step_s + max(slowed, 0.0)
        if speed > 0:
            return float(np.clip(pair.overlap[begin] / speed, 0.0, step_s))
    return step_s / 2


def events(simulation: Simulation, found: list[Impact]) -> list[Contact]:
    """Impacts that are heard as one, merged: in a window of MERGE_S that begins at the first strong touch. Energies
    add, so strengths do by their squares."""
    result, k = [], 0
    while k < len(found):
        onset = _first_strong(_until(found[k:], found[k].time_s + MERGE_S))
        group = _until(found[k:], onset.time_s + MERGE_S)
        onset, strongest = _first_strong(group), max(group, key=lambda i: i.strength)
        object_id, partner, action = _sounding(simulation, strongest)
        strength = float(np.sqrt(sum(i.strength**2 for i in group)))
        result.append(
            Contact(onset.time_s, action, object_id, strength / (1 + strength), strongest.position, partner=partner)
        )
        k += len(group)
    return result


def _until(found: list[Impact], end_s: float) -> list[Impact]:
    return [i for i in found if i.time_s < end_s]


def _first_strong(group: list[Impact]) -> Impact:
    strongest = max(i.strength for i in group)
    return next(i for i in group if i.strength >= STRONG * strongest)


def _sounding(simulation: Simulation, impact: Impact) -> tuple[str, str | None, str]:
    """The object that an impact sounds as, another that rings too, and the action."""
    sides = [k for k in (impact.first, impact.second) if k < len(simulation.bodies)]
    objects = {k: name for k in sides if (name := simulation.bodies[k].object_id) is not None}
    struck = [k for k in objects if simulation.bodies[k].rings]
    object_id = objects[min(struck or objects, key=lambda k: simulation.masses[k])]
    partner = next((name for name in objects.values() if name != object_id), None)
    return object_id, partner, "strike" if struck else "collide" if len(objects) == 2 else "bounce"
