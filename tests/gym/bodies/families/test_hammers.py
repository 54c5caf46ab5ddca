"""Hammers strike when their script says so, stop short where it says so, and are silent where all do."""

import numpy as np
import pytest

from openfoley.gym.bodies.description import Body, Joint, Piece
from openfoley.gym.bodies.families.blows import Spot, Striker, any_blows, striking
from openfoley.gym.bodies.families.hammers import hammers
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.bodies.matter import MATTER
from openfoley.gym.bodies.physics import simulate
from openfoley.gym.bodies.records import Box, Sphere, Surface
from openfoley.gym.bodies.scene import sounds_of
from openfoley.gym.materials import SOLID

PAINT = Surface((0.5, 0.5, 0.5))


def builder(seed: int, sounds: bool = True) -> Builder:
    return Builder(np.random.default_rng(seed), 0.0, 6.0, 0.1, SOLID, "o", sounds)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("side", [(0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0)])
def test_contacts_come_within_a_millisecond_of_the_script(seed: int, side: tuple[float, float, float]) -> None:
    here = builder(seed)
    held = Body("held", (Piece(Box((0.1, 0.1, 0.1)), PAINT),), MATTER["wood"], (0, 1, 0), object_id="held", rings=True)
    point = (side[0] * 0.1, 1 + side[1] * 0.1, side[2] * 0.1)
    striker = Striker((Piece(Sphere(0.03), PAINT),), MATTER["wood"], 0.2, 0.2, 0.03, 0.6)
    blows = any_blows(here)
    hammer = striking(here, "hammer", striker, Spot(point, side, (0.6, 0.5, 0.4)), blows)
    contacts, _ = sounds_of(simulate([held, hammer], 0.0, 6.0), 0.0)
    hits = blows.times[blows.gaps == 0]
    assert len(hits) >= 2
    assert [c.time_s for c in contacts] == pytest.approx(list(hits), abs=0.001)


def test_some_blows_stop_short_and_in_a_silent_scene_all_do() -> None:
    gaps = np.concatenate([any_blows(builder(seed)).gaps for seed in range(20)])
    assert 0.05 < np.mean(gaps > 0) < 0.3
    assert all((any_blows(builder(seed, sounds=False)).gaps > 0).all() for seed in range(20))


def test_what_is_struck_sounds_and_not_the_hammer() -> None:
    play = hammers(builder(3))
    names = {b.id for b in play.bodies if b.object_id is None and isinstance(b.motion, Joint)}
    contacts, _ = sounds_of(simulate(play.bodies, 0.0, 6.0), 0.0)
    assert names and contacts
    assert {c.action for c in contacts} == {"strike"}
