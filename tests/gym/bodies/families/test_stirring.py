"""A spoon rings a bowl at its wall."""

import numpy as np

from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.families.stirring import stirring
from openfoley.gym.bodies.physics import simulate
from openfoley.gym.bodies.records import Cylinder
from openfoley.gym.bodies.scene import sounds_of
from openfoley.gym.materials import SOLID


def builder(seed: int, sounds: bool = True) -> Builder:
    return Builder(np.random.default_rng(seed), 0.0, 6.0, 0.12, SOLID, "o", sounds)


def test_a_spoon_meets_the_wall_of_its_bowl() -> None:
    struck = 0
    for seed in range(8):
        play = stirring(builder(seed))
        shell = next(b for b in play.bodies if b.id == "o.bowl")
        bottom = shell.pieces[0].shape
        assert isinstance(bottom, Cylinder)
        contacts, _ = sounds_of(simulate(play.bodies, 0.0, 6.0), 0.0)
        if not any(".in" in b.id for b in play.bodies):
            struck += len(contacts)
            assert all(np.hypot(c.position[0], c.position[2]) > 0.8 * bottom.radius for c in contacts)
    assert struck >= 8


def test_a_spoon_taps_its_bowl_in_every_scene_that_sounds() -> None:
    for seed in range(8, 20):
        assert sounds_of(simulate(stirring(builder(seed)).bodies, 0.0, 6.0), 0.0)[0]


def test_above_a_bowl_a_spoon_does_not_come_down() -> None:
    simulation = simulate(stirring(builder(0, sounds=False)).bodies, 0.0, 6.0)
    spoon = next(k for k, b in enumerate(simulation.bodies) if b.id == "o.spoon")
    shell = next(b for b in simulation.bodies if b.id == "o.bowl")
    rim = shell.place[1] + max(p.offset[1] for p in shell.pieces)
    assert simulation.motions[spoon].position[:, 1].min() > rim
    assert not len(simulation.touches.time_s)
