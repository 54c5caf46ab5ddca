"""Belts carry what lies on them with their speed; it falls off at the end."""

import numpy as np
import pytest

from openfoley.gym.bodies.description import Fixed, Free
from openfoley.gym.bodies.families.conveyors import conveyor
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.physics import simulate
from openfoley.gym.materials import SOLID


@pytest.mark.parametrize("seed", range(3))
def test_a_thing_is_carried_at_the_speed_of_the_belt_and_falls_at_its_end(seed: int) -> None:
    play = conveyor(Builder(np.random.default_rng(seed), 0.0, 5.0, 0.1, SOLID, "o"))
    simulation = simulate(play.bodies, 0.0, 5.0)
    belt = next(b for b in simulation.bodies if isinstance(b.motion, Fixed) and any(b.motion.belt))
    first = next(k for k, b in enumerate(simulation.bodies) if isinstance(b.motion, Free))
    assert isinstance(belt.motion, Fixed)
    end, speed, track = (
        max(p.offset[0] for p in belt.pieces) + belt.place[0],
        belt.motion.belt[0],
        simulation.motions[first],
    )
    x, y = track.position[:, 0], track.position[:, 1]
    carried = np.flatnonzero(x < end - 0.06)
    seconds = (carried[-1] - carried[0]) / track.rate_hz
    assert x[carried[-1]] - x[0] == pytest.approx(speed * seconds, rel=0.03)
    assert y[-1] < y[0] - 0.03
