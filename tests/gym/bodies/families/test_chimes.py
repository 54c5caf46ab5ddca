"""Wind chimes ring when the clapper meets a tube, each with its own sound."""

import numpy as np
import pytest

from openfoley.gym.bodies.description import Joint
from openfoley.gym.bodies.families.chimes import chimes
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.physics import simulate
from openfoley.gym.bodies.scene import sounds_of
from openfoley.gym.materials import SOLID


@pytest.mark.parametrize("seed", range(3))
def test_each_ring_is_a_touch_of_two_things_that_hang(seed: int) -> None:
    play = chimes(Builder(np.random.default_rng(seed), 0.0, 5.0, 0.15, SOLID, "o"))
    simulation = simulate(play.bodies, 0.0, 5.0)
    contacts, _ = sounds_of(simulation, 0.0)
    hanging = {k for k, b in enumerate(simulation.bodies) if isinstance(b.motion, Joint)}
    touches = simulation.touches
    assert set(touches.first) | set(touches.second) <= hanging
    assert len(contacts) >= 2 and {c.action for c in contacts} == {"strike"}
    assert len({c.object_id for c in contacts}) >= 2
