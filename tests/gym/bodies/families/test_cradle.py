"""The cradle's clicks follow the period of its pendulums, and a blow goes through the row from ball to ball."""

import numpy as np
import pytest
from scipy.special import ellipk

from openfoley.gym.bodies.description import Body, Joint
from openfoley.gym.bodies.families.cradle import cradle
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.physics import simulate
from openfoley.gym.bodies.records import Sphere
from openfoley.gym.bodies.scene import sounds_of
from openfoley.gym.materials import SOLID
from openfoley.gym.motion import GRAVITY

SEEDS = (0, 2, 3)
"""Cradles whose balls are lifted at one end."""


def balls_of(seed: int) -> tuple[list[Body], list[Body]]:
    """All bodies, and the balls among them."""
    bodies = cradle(Builder(np.random.default_rng(SEEDS[seed]), 0.0, 4.0, 0.1, SOLID, "o")).bodies
    return bodies, [b for b in bodies if isinstance(b.motion, Joint)]


@pytest.mark.parametrize("seed", range(3))
def test_clicks_come_after_a_quarter_and_then_at_every_half_period(seed: int) -> None:
    bodies, balls = balls_of(seed)
    swing, shape = balls[0].motion, balls[0].pieces[0].shape
    assert isinstance(swing, Joint) and isinstance(shape, Sphere)
    length = swing.anchor[1] + 0.4 * shape.radius**2 / swing.anchor[1]  # of the same period as a point
    lean = 2 * abs(float(np.arctan2(balls[0].turn[3], balls[0].turn[0])))
    quarter_s = float(ellipk(np.sin(lean / 2) ** 2)) * float(np.sqrt(length / GRAVITY))
    times = [c.time_s for c in sounds_of(simulate(bodies, 0.0, 4.0), 0.0)[0]]
    assert times[0] == pytest.approx(swing.release_s + quarter_s, abs=0.005)
    # A blow takes some milliseconds through the row, and what it leaves swings a little less far.
    assert min(abs(t - times[0] - 2 * quarter_s) for t in times) < 0.02


@pytest.mark.parametrize("seed", range(3))
def test_a_blow_goes_through_the_row_and_as_many_balls_leave_as_came(seed: int) -> None:
    bodies, balls = balls_of(seed)
    simulation = simulate(bodies, 0.0, 4.0)
    chain = [k for k, b in enumerate(simulation.bodies) if isinstance(b.motion, Joint)]
    x = np.stack([simulation.motions[k].position[:, 0] for k in chain], axis=1)
    touches = simulation.touches
    first = [
        float(touches.time_s[(touches.first == a) & (touches.second == b)][0])
        for a, b in zip(chain, chain[1:], strict=False)
    ]
    lifted = sum(b.turn[3] < 0 for b in balls)
    assert first[lifted - 1 :] == sorted(first[lifted - 1 :])
    begin = round(first[lifted - 1] * simulation.motions[chain[0]].rate_hz)
    reach = (x[begin : begin + 300] - x[begin]).max(axis=0)
    assert list(np.flatnonzero(reach > reach.max() / 2)) == list(range(len(chain) - lifted, len(chain)))
