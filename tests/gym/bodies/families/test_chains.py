"""Chains: links hold together and do not pass through each other; contacts come when a link gets there."""

import numpy as np
import pytest

from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.contacts import events, impacts, pair_forces
from openfoley.gym.bodies.description import Body, Joint
from openfoley.gym.bodies.families.chains import BEND, MATERIALS, chains
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.families.things import farthest
from openfoley.gym.bodies.physics import Simulation, simulate
from openfoley.gym.bodies.records import Box, Capsule, Motion, Sphere
from openfoley.gym.bodies.scene import sounds_of
from openfoley.gym.materials import SOLID

END_S = 4.0
SEEDS = range(12)


def played(seed: int, sounds: bool = True) -> tuple[Mechanism, Simulation]:
    size = (0.04, 0.1, 0.25)[seed % 3]
    play = chains(Builder(np.random.default_rng(seed), 0.0, END_S, size, SOLID, "o", sounds))
    return play, simulate(play.bodies, 0.0, END_S)


def links_of(simulation: Simulation) -> list[int]:
    return [k for k, b in enumerate(simulation.bodies) if isinstance(b.motion, Joint) and b.motion.kind == "ball"]


@pytest.mark.parametrize("seed", SEEDS)
def test_links_hold_together_and_bend_no_farther_than_they_can(seed: int) -> None:
    _, simulation = played(seed)
    links = links_of(simulation)
    assert len(links) >= 5 and simulation.stable
    for upper, lower in zip(links, links[1:], strict=False):
        one, other = simulation.motions[upper], simulation.motions[lower]
        swing = simulation.bodies[lower].motion
        assert isinstance(swing, Joint)
        hook = np.array(swing.anchor)
        apart = one.position + rotation.rotate(one.rotation, -hook)
        apart -= other.position + rotation.rotate(other.rotation, hook)
        assert np.abs(apart).max() < 1e-6
        bent = 2 * np.arccos(np.clip(np.abs((one.rotation * other.rotation).sum(axis=1)), 0, 1))
        assert bent.max() < max(BEND.values()) + 0.2


def lowest(body: Body, motion: Motion) -> np.ndarray:
    """Height (m) of a link's lowest point, at all its poses."""
    found = []
    for piece in (p for p in body.pieces if p.touches):
        assert isinstance(piece.shape, Sphere | Capsule)
        long = piece.shape.half_length if isinstance(piece.shape, Capsule) else 0.0
        axis = rotation.rotate(np.array(piece.turn), np.array([0.0, 0.0, long]))
        middle = motion.position + rotation.rotate(motion.rotation, np.array(piece.offset))
        found.append(middle[:, 1] - np.abs(rotation.rotate(motion.rotation, axis)[:, 1]) - piece.shape.radius)
    return np.min(found, axis=0)


def test_a_lowered_chain_touches_the_plate_within_a_millisecond_of_when_it_gets_there() -> None:
    found = 0
    for seed in SEEDS:
        play, simulation = played(seed)
        plate = next((b for b in play.bodies if b.id == "o.plate"), None)
        if plate is None:
            continue
        last, shape = links_of(simulation)[-1], plate.pieces[0].shape
        assert isinstance(shape, Box)
        motion, top = simulation.motions[last], plate.place[1] + shape.half[1]
        height = lowest(simulation.bodies[last], motion) - top
        k = int(np.argmax(height < 0))
        gets_there_s = (k - 1 + height[k - 1] / (height[k - 1] - height[k])) / motion.rate_hz
        pairs = pair_forces(simulation, 0.0)
        touches = [p for p in pairs if last in (p.first, p.second)]
        first_s = min(float(p.step[0]) for p in touches) * simulation.step_s
        assert first_s == pytest.approx(gets_there_s, abs=0.001)
        heard = events(simulation, impacts(simulation, pairs, 0.0))
        assert min(abs(c.time_s - gets_there_s) for c in heard) < 0.001
        found += 1
    assert found >= 3


def test_all_kinds_of_links_are_made_and_what_is_struck_may_ring() -> None:
    plays = [chains(Builder(np.random.default_rng(seed), 0.0, END_S, 0.1, SOLID, "o")) for seed in range(40)]
    shapes = {
        type(b.pieces[0].shape).__name__ + str(len(b.pieces)) for play in plays for b in play.bodies if "link" in b.id
    }
    assert len(shapes) == len(MATERIALS)
    assert {len(play.objects) for play in plays} == {1, 2}


@pytest.mark.parametrize("seed", range(6))
def test_a_near_miss_comes_close_but_touches_nothing(seed: int) -> None:
    play, simulation = played(seed, sounds=False)
    assert sounds_of(simulation, 0.0) == ([], []) and not len(simulation.touches.time_s)
    links = links_of(simulation)
    boxes = [(b, p.shape) for b in play.bodies for p in b.pieces if b.id.endswith(("post", "panel", "plate"))]
    ((body, shape),) = boxes
    assert isinstance(shape, Box)
    gaps = []
    for k in links:
        outside = np.abs(simulation.motions[k].position - np.array(body.place)) - np.array(shape.half)
        gaps.append(float(np.linalg.norm(np.maximum(outside, 0), axis=1).min()))
    pitch = 2 * play.bodies[-1].motion.anchor[1] if isinstance(play.bodies[-1].motion, Joint) else 0.0
    assert 0 < min(gaps) < farthest(play.bodies[-1].pieces) + 1.7 * pitch
