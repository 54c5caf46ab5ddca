"""Which contacts can be seen, in cases made by hand; distances of shapes against their definition."""

from dataclasses import replace

import numpy as np
import pytest

from body_scenes import GREY, at, looking
from openfoley.gym.bodies.records import Box, Capsule, Cylinder, Hull, Shape, Solid, Sphere
from openfoley.gym.bodies.visible import signed_distance, visible
from openfoley.gym.records import Camera

LEVEL, DOWNWARD = looking(1.0, 0.0, 1.0, -4.0), looking(1.0, 0.0, 2.0, -4.0, pitch=-0.4)
WALL = Box((1.0, 1.0, 0.05))


def solid(shape: Shape, *place: float) -> Solid:
    return Solid(shape, GREY, at(*place))


def seen(
    *solids: Solid, point: tuple[float, float, float], camera: Camera = LEVEL, aspect: float = 1.0, time: float = 0.0
):
    return bool(visible(solids, camera, aspect, np.array([point]), np.array([time]))[0])


def test_a_point_in_the_picture_is_seen_and_one_beyond_its_edge_or_behind_the_eye_is_not():
    assert seen(point=(0.0, 1.0, 0.0)) and seen(point=(1.9, 1.0, 0.0))
    assert not seen(point=(2.1, 1.0, 0.0)) and seen(point=(2.1, 1.0, 0.0), aspect=1.5)
    assert not seen(point=(0.0, 1.0, -5.0))


def test_a_solid_before_a_contact_hides_it_and_one_behind_it_or_beside_it_does_not():
    contact = (0.0, 1.0, 0.0)
    assert not seen(solid(WALL, 0, 1, -1), point=contact)
    assert seen(solid(WALL, 0, 1, 1), point=contact)
    assert seen(solid(WALL, 1.5, 1, -1), point=contact)


def test_a_solid_hides_only_while_it_is_shown():
    wall = replace(solid(WALL, 0, 1, -1), shown=(1.0, 2.0))
    assert [seen(wall, point=(0.0, 1.0, 0.0), time=t) for t in (0.5, 1.0, 2.0)] == [True, False, True]


def test_a_ball_on_the_floor_does_not_hide_where_it_touches_it_but_another_ball_does():
    floor, ball = solid(Box((3.0, 0.1, 3.0)), 0, -0.1, 0), solid(Sphere(0.3), 0, 0.3, 0)
    contact = (0.0, 0.0, 0.0)
    assert seen(ball, floor, point=contact, camera=DOWNWARD)
    assert not seen(ball, floor, solid(Sphere(0.3), 0, 0.4, -0.7), point=contact, camera=DOWNWARD)


def test_a_ball_that_looks_over_a_block_is_seen_to_land_behind_it_and_a_smaller_one_is_not():
    block = solid(Box((0.5, 0.15, 0.1)), 0, 0.15, -0.5)
    contact = (0.0, 0.0, 0.0)
    assert seen(block, solid(Sphere(0.3), 0, 0.3, 0), point=contact)
    assert not seen(block, solid(Sphere(0.1), 0, 0.1, 0), point=contact)


def test_what_hits_a_walls_far_side_is_hidden_by_the_wall_though_the_wall_takes_part():
    assert not seen(solid(WALL, 0, 1, 0), solid(Sphere(0.1), 0, 1, 0.15), point=(0.0, 1.0, 0.05))
    assert seen(solid(WALL, 0, 1, 0), solid(Sphere(0.1), 0, 1, -0.15), point=(0.0, 1.0, -0.05))


def test_the_pieces_of_the_smaller_body_count_as_one():
    head = solid(Sphere(0.1), 0, 1, -0.15)
    handle = replace(head, shape=Box((0.02, 0.02, 0.2)), offset=(0.0, 0.0, -0.3))
    assert seen(head, handle, solid(WALL, 0, 1, 0), point=(0.0, 1.0, -0.05))


SHAPES = [
    Sphere(0.4),
    Box((0.4, 0.2, 0.3)),
    Cylinder(0.3, 0.4),
    Capsule(0.2, 0.3),
    Hull(tuple((x, y, z) for x in (-0.4, 0.4) for y in (-0.2, 0.2) for z in (-0.3, 0.3))),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_signed_distance_is_zero_on_the_surface_and_grows_by_the_way_outwards(shape: Shape):
    rng = np.random.default_rng(0)
    way = rng.normal(size=(200, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    assert (signed_distance(shape, 0.1 * way) < 0).all() and (signed_distance(shape, 0.9 * way) > 0).all()
    low, high = np.full(200, 0.1), np.full(200, 0.9)
    for _ in range(40):
        middle = (low + high) / 2
        inside = signed_distance(shape, middle[:, None] * way) < 0
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    surface = low[:, None] * way
    steps = np.array([signed_distance(shape, surface + d) for d in 0.01 * rng.normal(size=(50, 3))])
    assert np.abs(steps).max() <= 0.01 * 4  # no steeper than one, as distances are
    outwards = np.array([signed_distance(shape, surface + 1e-4 * d) for d in np.eye(3)]) / 1e-4
    steep = np.linalg.norm(outwards, axis=0)
    assert np.mean(np.abs(steep - 1) < 0.02) > 0.98  # a gradient of length one, but for points on an edge
