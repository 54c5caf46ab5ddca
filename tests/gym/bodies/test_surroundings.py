"""What stands and moves around a mechanism: occluders hide a part of it, distractors never reach it."""

import numpy as np

from body_scenes import looking
from openfoley.gym.bodies.poses import reach
from openfoley.gym.bodies.surroundings import Region, distractors, occluder
from openfoley.gym.bodies.visible import visible

REGION = Region((0.5, 0.4, 1.0), 0.6, 0.5, 0.4, 2.0, 7.0)
SEEDS = range(200)


def test_an_occluder_stands_before_what_happens_and_hides_some_of_it() -> None:
    camera, hidden = looking(1.4, 0.0, 0.6, -3.0, pitch=-0.05), 0
    spread = np.random.default_rng(0).uniform(-0.4, 0.4, (40, 3))
    for seed in SEEDS:
        target = np.array([0.1, 0.4, 0.3])
        solid = occluder(np.random.default_rng(seed), target, 3.0, camera)
        assert 0.25 < (solid.motion.position[0, 2] + 3.0) / (target[2] + 3.0) < 0.55
        hidden += (~visible([solid], camera, 16 / 9, target + spread, np.full(len(spread), 3.0))).mean()
    assert 0.05 < hidden / len(SEEDS) < 0.5  # shares of places around the target


def test_distractors_move_but_stay_behind_the_region_and_above_its_floor() -> None:
    found = [solid for seed in SEEDS for solid in distractors(np.random.default_rng(seed), REGION)]
    moving = [max(np.ptp(s.motion.position, axis=0).max(), np.ptp(s.motion.rotation, axis=0).max()) for s in found]
    assert len(found) > 50 and min(moving) > 0.02
    for solid in found:
        assert solid.motion.position[:, 1].min() >= REGION.floor and not solid.owner
        assert solid.motion.position[:, 2].min() - reach(solid.shape) >= REGION.middle[2] + REGION.radius - 1e-9
        assert solid.motion.start_s == REGION.start_s
