"""What is shaken stays in its vessel."""

import numpy as np
import pytest

from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Driven, Free
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.families.shaken import shaken
from openfoley.gym.bodies.physics import simulate
from openfoley.gym.materials import SOLID


@pytest.mark.parametrize("seed", range(5))
def test_nothing_leaves_a_vessel_that_is_shaken(seed: int) -> None:
    play = shaken(Builder(np.random.default_rng(seed), 0.0, 4.0, (0.04, 0.1, 0.3)[seed % 3], SOLID, "o"))
    simulation = simulate(play.bodies, 0.0, 4.0)
    kinds = [type(b.motion) for b in simulation.bodies]
    vessel, inside = kinds.index(Driven), [k for k, kind in enumerate(kinds) if kind is Free]
    walls = [p for p in simulation.bodies[vessel].pieces if p.touches]
    reach = np.max([np.abs(p.offset) for p in walls], axis=0)
    back = simulation.motions[vessel].rotation * np.array([1, -1, -1, -1])
    assert inside and len(walls) == 6
    for k in inside:
        apart = simulation.motions[k].position - simulation.motions[vessel].position
        assert (np.abs(rotation.rotate(back, apart)) < reach).all()
