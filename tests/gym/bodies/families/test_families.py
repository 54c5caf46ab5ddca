"""A family's mechanism follows from its builder alone, and the held-out families are never trained on."""

import hashlib
import re

import numpy as np
import pytest

from openfoley.gym.bodies.description import Body, Driven
from openfoley.gym.bodies.families import FAMILIES, HELD_OUT_FAMILIES, SPARSE_FAMILIES, Family
from openfoley.gym.bodies.families.mechanism import Builder
from openfoley.gym.materials import SOLID

ALL = FAMILIES | HELD_OUT_FAMILIES


def digest(family: Family, seed: int, sounds: bool) -> str:
    """Of everything but the servos' scripts; driven paths at some instants."""
    play = family(Builder(np.random.default_rng(seed), 0.0, 5.0, 0.1, SOLID, "o", sounds))
    state = hashlib.sha256(repr((play.objects, play.caption, play.radius, play.height)).encode())
    for body in play.bodies:
        state.update(repr(_fixed_part(body)).encode())
        if isinstance(body.motion, Driven):
            for track in body.motion.path(np.linspace(0.0, 5.0, 7)):
                state.update(np.ascontiguousarray(track, dtype=np.float64).tobytes())
    return state.hexdigest()


def _fixed_part(body: Body) -> tuple[object, ...]:
    return (body.id, body.pieces, body.matter, body.place, body.turn, type(body.motion), body.object_id, body.shown)


@pytest.mark.parametrize("family", ALL.values(), ids=ALL)
def test_the_same_seed_builds_the_same_and_another_another(family: Family) -> None:
    for sounds in (True, False):
        assert digest(family, 3, sounds) == digest(family, 3, sounds) != digest(family, 4, sounds)


@pytest.mark.parametrize("family", ALL.values(), ids=ALL)
def test_captions_have_right_plurals(family: Family) -> None:
    for seed in range(20):
        for sounds in (True, False):
            caption = family(Builder(np.random.default_rng(seed), 0.0, 5.0, 0.1, SOLID, "o", sounds)).caption
            assert not re.search(r"(x|ss|sh|ch)s\b", caption), caption


def test_held_out_families_are_kinds_of_their_own() -> None:
    assert set(HELD_OUT_FAMILIES) == {"chimes", "wobbling"}
    assert set(SPARSE_FAMILIES) < set(FAMILIES)
    assert not set(HELD_OUT_FAMILIES) & set(FAMILIES) and "dominoes" in FAMILIES
