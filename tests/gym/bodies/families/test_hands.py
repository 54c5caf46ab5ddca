"""What hands put down sounds as it reaches the ground."""

import numpy as np
import pytest

from openfoley.gym.bodies.families.hands import putting
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.families.things import lowest
from openfoley.gym.bodies.physics import simulate
from openfoley.gym.bodies.scene import sounds_of
from openfoley.gym.materials import SOLID


@pytest.mark.parametrize("seed", range(3))
def test_what_is_put_down_sounds_when_it_reaches_the_ground(seed: int) -> None:
    builder = Builder(np.random.default_rng(seed), 0.0, 6.0, 0.12, SOLID, "o")
    simulation = simulate(putting(builder).bodies, 0.0, 6.0)
    contacts, _ = sounds_of(simulation, 0.0)
    assert len(contacts) >= 2
    for contact in contacts:
        thing = next(k for k, b in enumerate(simulation.bodies) if b.object_id == contact.object_id)
        track, low = simulation.motions[thing], lowest(simulation.bodies[thing].pieces)
        heights = track.at(np.array([contact.time_s - 0.1, contact.time_s, contact.time_s + 0.1]))[0][:, 1] - low
        assert abs(heights[1]) < 0.002
        assert heights[0] > heights[1] - 0.002 and heights[2] < 0.05
