"""What is led past other things keeps clear of them: fixed and led bodies pass through each other unheard."""

from itertools import combinations

import numpy as np
import pytest

from openfoley.gym.bodies.description import Body, Driven, Fixed
from openfoley.gym.bodies.families import FAMILIES, Family
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.families.things import farthest
from openfoley.gym.bodies.poses import rotation_matrix
from openfoley.gym.bodies.records import Box
from openfoley.gym.materials import SOLID

TIMES = np.linspace(0.0, 8.0, 161)


def clearance(bodies: list[Body]) -> float:
    """Least distance (m) of the balls around led bodies from each other and from the boxes of fixed bodies."""
    led = [(b.motion.path(TIMES)[0], farthest(b.pieces)) for b in bodies if isinstance(b.motion, Driven)]
    found = [float(np.linalg.norm(a - b, axis=1).min()) - one - other for (a, one), (b, other) in combinations(led, 2)]
    for body in bodies:
        for piece in body.pieces if isinstance(body.motion, Fixed) and not body.soft else ():
            if isinstance(piece.shape, Box) and piece.touches:
                matrix, turn = rotation_matrix(np.array(body.turn)), rotation_matrix(np.array(piece.turn))
                middle = np.array(body.place) + matrix @ np.array(piece.offset)
                for path, reach in led:
                    outside = np.abs((path - middle) @ (matrix @ turn)) - np.array(piece.shape.half)
                    found.append(float(np.linalg.norm(np.maximum(outside, 0), axis=1).min()) - reach)
    return min(found, default=np.inf)


@pytest.mark.parametrize("family", [FAMILIES[name] for name in ("drops", "stairs", "marble_run")])
def test_things_on_strings_in_the_air_and_before_a_run_keep_clear(family: Family) -> None:
    found = []
    for seed in range(40):
        builder = Builder(np.random.default_rng(seed), 0.0, 8.0, (0.04, 0.1, 0.25)[seed % 3], SOLID, "o", False)
        found.append(clearance(family(builder).bodies))
    assert min(found) > 0 and np.isfinite(found).any()
