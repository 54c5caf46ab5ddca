"""The truth of solid bodies: what is hidden by a solid, one object for several shots, the world's name and version."""

from dataclasses import replace
from fractions import Fraction

import pytest

from body_scenes import GREY, at, scene_of, thing
from openfoley.gym import motion
from openfoley.gym.bodies.records import Box, Solid
from openfoley.gym.records import Contact, Friction
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import VERSIONS
from openfoley.gym.truth import truth

RATE = Fraction(24)
PLACES = {"seen": (0.0, 0.2, 0.9), "hidden": (0.0, 0.2, 2.5), "outside": (9.0, 0.2, 1.0)}


def walled(*contacts: Contact, rolls: tuple[Friction, ...] = ()):
    """A wall 2 m behind the origin; the camera is 3 m before it."""
    scene = scene_of([thing(0)], contacts, rolls)
    (shot,) = scene.shots
    wall = Solid(Box((2.0, 2.0, 0.05)), GREY, at(0.0, 0.0, 2.0))
    stage = replace(shot.stage, solids=(*shot.stage.solids, wall))
    return replace(scene, shots=(replace(shot, stage=stage),))


@pytest.mark.parametrize("place", PLACES)
def test_contacts_and_lasting_sounds_are_visible_where_no_solid_hides_them(place: str) -> None:
    contact = Contact(1.0, "bounce", "body0", 0.5, PLACES[place])
    roll = Friction(2.0, 3.0, "roll", "body0", motion.constant(0.5), motion.still(PLACES[place]))
    record = truth(walled(contact, rolls=(roll,)), None, RATE)
    assert [event["visible"] for event in record["events"]] == [place == "seen"] * 2
    assert [(event["x"], event["y"]) for event in record["events"]] == [
        (pytest.approx(0.5 + x * 1.2 / (z + 3), abs=1e-3), pytest.approx(0.5 - (y - 0.5) * 1.2 / (z + 3), abs=1e-3))
        for x, y, z in [PLACES[place]] * 2
    ]


def test_an_object_of_several_shots_is_named_once() -> None:
    scene = walled(Contact(1.0, "bounce", "body0", 0.5, PLACES["seen"]))
    (shot,) = scene.shots
    later = replace(shot, start_s=4.0, end_s=8.0)
    record = truth(replace(scene, duration_s=8.0, shots=(shot, later)), None, RATE)
    assert [one["id"] for one in record["objects"]] == ["body0"] and record["cuts_s"] == [4.0]


def test_the_truth_names_its_world_and_that_worlds_version() -> None:
    record = truth(walled(), None, RATE)
    assert (record["world"], record["gym"]) == ("bodies", VERSIONS["bodies"])
    flat = truth(sample_scene(1, 1.0), None, RATE)
    assert "world" not in flat and flat["gym"] == VERSIONS["flat"]
