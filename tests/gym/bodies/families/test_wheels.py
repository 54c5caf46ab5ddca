"""A wheel's clapper clicks as often as pegs pass it."""

import numpy as np
import pytest

from openfoley.gym.bodies.description import Driven
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.families.wheels import wheel
from openfoley.gym.bodies.physics import simulate
from openfoley.gym.bodies.scene import sounds_of
from openfoley.gym.materials import SOLID


@pytest.mark.parametrize("seed", [1, 8, 17])
def test_strong_clicks_are_as_many_as_pegs_pass(seed: int) -> None:
    play = wheel(Builder(np.random.default_rng(seed), 0.0, 5.0, 0.15, SOLID, "o"))
    simulation = simulate(play.bodies, 0.0, 5.0)
    turning = next(k for k, b in enumerate(simulation.bodies) if isinstance(b.motion, Driven))
    pegs = sum(p.touches for p in simulation.bodies[turning].pieces)
    turn = np.unwrap(2 * np.arctan2(*simulation.motions[turning].rotation[:, [3, 0]].T))
    passed = np.abs(np.diff(turn)).sum() / (2 * np.pi) * pegs
    contacts, _ = sounds_of(simulation, 0.0)
    times = np.array([c.time_s for c in contacts])
    # The tongue may bounce on a peg, or skip one when it is still aside.
    separate = 1 + int(np.sum(np.diff(times) > 0.04))
    assert passed >= 3
    assert 0.5 * passed - 1 <= separate <= 1.5 * passed + 1
