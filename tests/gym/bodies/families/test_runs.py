"""Marbles go through all the troughs of a run."""

import numpy as np
import pytest

from openfoley.gym.bodies.description import Free
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.families.runs import marble_run
from openfoley.gym.bodies.physics import simulate
from openfoley.gym.bodies.records import Box
from openfoley.gym.materials import SOLID


@pytest.mark.parametrize("seed", range(3))
def test_the_first_marble_turns_at_each_trough_and_arrives_below(seed: int) -> None:
    play = marble_run(Builder(np.random.default_rng(seed), 0.0, 7.0, 0.1, SOLID, "o"))
    simulation = simulate(play.bodies, 0.0, 7.0)
    run = next(b for b in simulation.bodies if b.id == "o.run")
    walls = [p for p in run.pieces if isinstance(p.shape, Box) and p.shape.half[1] > p.shape.half[0]]
    first = next(k for k, b in enumerate(simulation.bodies) if isinstance(b.motion, Free))
    x, y, z = simulation.motions[first].position.T
    middle = np.sign(x - np.mean([p.offset[0] for p in run.pieces]))
    turns = int(np.sum(np.diff(middle[middle != 0]) != 0))
    lowest = min(p.offset[1] for p in run.pieces if isinstance(p.shape, Box))
    assert len(walls) >= 2 and turns >= len(walls)
    assert y.min() < lowest and np.abs(z).max() < 0.5
