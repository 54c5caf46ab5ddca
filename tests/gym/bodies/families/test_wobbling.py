"""A disc that wobbles goes round as Euler's disk does, and comes to rest flat."""

import numpy as np
import pytest

from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.description import Body, Free, Piece
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.families.things import UPRIGHT
from openfoley.gym.bodies.families.wobbling import rolling, wobbling
from openfoley.gym.bodies.matter import MATTER
from openfoley.gym.bodies.physics import simulate
from openfoley.gym.bodies.records import Cylinder, Surface
from openfoley.gym.bodies.scene import sounds_of
from openfoley.gym.materials import SOLID
from openfoley.gym.motion import GRAVITY


@pytest.mark.parametrize("lean", [0.3, 0.6])
def test_a_thin_disc_goes_round_at_the_rate_of_eulers_disk(lean: float) -> None:
    radius, thick = 0.1, 0.001
    turn = rotation.about((0, 0, 1), lean)
    rate = float(np.sqrt(4 * GRAVITY / (radius * np.sin(lean))))
    x, y, z = rotation.turned(turn, (-1.0, 0.0, 0.0))
    spin = rate * float(np.sin(lean))
    piece = Piece(Cylinder(radius, thick), Surface((0.5, 0.5, 0.5)), turn=UPRIGHT)
    height = radius * float(np.sin(lean)) + thick * float(np.cos(lean))
    free = Free(spin=(spin * x, spin * y, spin * z), spin_loss_s=None)
    disc = Body("disc", (piece,), rolling(MATTER["steel"]), (0, height, 0), turn, free, "disc")
    motion = simulate([disc], 0.0, 0.5).motions[0]
    normal = rotation.rotate(motion.rotation, np.array([0.0, 1.0, 0.0]))
    course = np.unwrap(np.arctan2(normal[:, 2], normal[:, 0]))
    assert abs(course[-1] - course[0]) / (len(course) / motion.rate_hz) == pytest.approx(rate, rel=0.05)


def test_discs_of_a_scene_come_down() -> None:
    play = wobbling(Builder(np.random.default_rng(3), 0.0, 8.0, 0.05, SOLID, "o"))
    simulation = simulate(play.bodies, 0.0, 8.0)
    contacts, _ = sounds_of(simulation, 0.0)
    loose = [k for k, b in enumerate(simulation.bodies) if isinstance(b.motion, Free)]
    tilt = [rotation.rotate(simulation.motions[k].rotation[[0, -1]], np.array([0.0, 1.0, 0.0]))[:, 1] for k in loose]
    assert loose and contacts
    assert all(abs(end) > abs(begin) for begin, end in tilt)
