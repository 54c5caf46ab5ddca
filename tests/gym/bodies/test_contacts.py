"""Which objects of a simulated contact sound."""

import pytest

from openfoley.gym.bodies.contacts import events, impacts, pair_forces
from openfoley.gym.bodies.description import Body, Free, Piece
from openfoley.gym.bodies.matter import Matter
from openfoley.gym.bodies.physics import simulate
from openfoley.gym.bodies.records import Sphere, Surface

MATTER = Matter(650, 0.5, 0.4)


def ball(name: str, radius: float, height: float, object_id: str | None, rings: bool = False) -> Body:
    piece = Piece(Sphere(radius), Surface((0.5, 0.5, 0.5)))
    return Body(name, (piece,), MATTER, place=(0.0, height, 0.0), motion=Free(), object_id=object_id, rings=rings)


@pytest.mark.parametrize(
    ("lower", "upper", "rings", "heard"),
    [
        ("big", "small", False, ("small", "big", "collide")),  # the lighter one, and the other beside it
        ("big", "small", True, ("big", "small", "strike")),  # what is made to ring
        ("heap", "heap", False, ("heap", None, "collide")),  # two pieces of one object
        (None, "small", False, ("small", None, "bounce")),
    ],
)
def test_the_other_body_of_a_contact_is_its_partner(
    lower: str | None, upper: str, rings: bool, heard: tuple[str, str | None, str]
) -> None:
    simulation = simulate([ball("a", 0.1, 0.1, lower, rings), ball("b", 0.05, 0.35, upper)], 0.0, 0.2)
    contact, *_ = events(simulation, impacts(simulation, pair_forces(simulation, 0.0), 0.0))
    assert (contact.object_id, contact.partner, contact.action) == heard
