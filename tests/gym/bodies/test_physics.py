"""The dynamics and their sound events, held against closed forms."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from openfoley.gym.bodies import rotation
from openfoley.gym.bodies.contacts import events, impacts, pair_forces
from openfoley.gym.bodies.description import Body, Driven, Fixed, Free, Joint, Piece
from openfoley.gym.bodies.lasting import frictions
from openfoley.gym.bodies.matter import GROUND, Matter
from openfoley.gym.bodies.physics import Simulation, simulate
from openfoley.gym.bodies.records import Box, Capsule, Cylinder, Sphere, Surface
from openfoley.gym.records import Contact

G = 9.81
PAINT = Surface((0.5, 0.5, 0.5))
WOOD = Matter(650, 0.5, 0.4)


def ball(radius: float = 0.05, matter: Matter = WOOD, **more) -> Body:
    body = Body("ball", (Piece(Sphere(radius), PAINT),), matter, motion=Free(), object_id="o")
    return replace(body, **more)


def sounds(simulation: Simulation, start_s: float = 0.0) -> list[Contact]:
    return events(simulation, impacts(simulation, pair_forces(simulation, start_s), start_s))


def loudness(contact: Contact) -> float:
    """Its strength before it is brought into 0..1."""
    return contact.impulse / (1 - contact.impulse)


@pytest.mark.parametrize("height", [0.1, 0.37, 1.0, 1.9])
@pytest.mark.parametrize("step_s", [0.0005, 0.001])
def test_a_dropped_ball_touches_when_free_fall_says(height: float, step_s: float) -> None:
    body = ball(place=(0, height + 0.05, 0), motion=Free(release_s=0.3))
    first = sounds(simulate([body], 0.0, 1.5, step_s=step_s))[0]
    assert abs(first.time_s - 0.3 - np.sqrt(2 * height / G)) < 0.001
    assert np.allclose(first.position, (0, 0, 0), atol=0.01)


@pytest.mark.parametrize("restitution", [0.3, 0.5, 0.8])
def test_bounces_follow_the_restitution(restitution: float) -> None:
    ratios = []
    for height in (0.5, 0.77, 1.0, 1.23):
        body = ball(matter=replace(WOOD, restitution=restitution), place=(0, height + 0.05, 0))
        times = [c.time_s for c in sounds(simulate([body], 0.0, 2.0))]
        speed = G * np.sqrt(2 * height / G)
        ratios.append((times[1] - times[0]) * G / 2 / (speed / G * G))
    assert abs(np.mean(ratios) - restitution) < 0.04 and np.std(ratios) < 0.05


def test_loudness_goes_with_speed_and_with_size() -> None:
    strength = [loudness(sounds(simulate([ball(place=(0, h + 0.05, 0))], 0.0, 1.0))[0]) for h in (0.1, 0.4)]
    assert strength[1] / strength[0] == pytest.approx(2, rel=0.1)
    small = loudness(sounds(simulate([ball(0.025, place=(0, 0.125, 0))], 0.0, 1.0))[0])
    assert strength[0] / small == pytest.approx(2, rel=0.1)


def test_a_resting_box_makes_no_sound() -> None:
    box = Body("box", (Piece(Box((0.1, 0.05, 0.08)), PAINT),), WOOD, (0, 0.05, 0), motion=Free(), object_id="o")
    simulation = simulate([box, replace(box, id="on it", place=(0, 0.15, 0))], 0.0, 2.0)
    pairs = pair_forces(simulation, 0.0)
    assert pairs and not sounds(simulation) and not frictions(simulation, pairs, 0.0)


@pytest.mark.parametrize("release", [0.0, 0.4])
def test_a_ball_rolls_down_a_ramp_as_theory_says(release: float) -> None:
    angle = 0.3
    turn = rotation.about((0, 0, 1), -angle)
    ramp = Body("ramp", (Piece(Box((1.5, 0.1, 0.3)), PAINT),), GROUND, turn=turn)
    place = rotation.turned(turn, (-1.2, 0.15, 0))
    rolling = ball(place=place, motion=Free(release_s=release, spin_loss_s=None))
    simulation = simulate([ramp, rolling], 0.0, release + 1.0, ground=None)
    motion = simulation.motions[1]
    t = np.array([release + 0.2, release + 0.8])
    gone = np.linalg.norm(motion.at(t)[0] - place, axis=1)
    assert gone == pytest.approx(0.5 * 5 / 7 * G * np.sin(angle) * (t - release) ** 2, rel=0.02)
    lasting = frictions(simulation, pair_forces(simulation, 0.0), 0.0)
    assert [f.action for f in lasting] == ["roll"] and lasting[0].end_s > release + 0.9
    level = lasting[0].level(np.array([release + 0.3, release + 0.9]))
    assert level[1] / level[0] == pytest.approx(np.sqrt(3), rel=0.1)  # load x speed grows with time


def test_a_block_slides_and_stops_by_friction() -> None:
    box = Body("box", (Piece(Box((0.1, 0.03, 0.1)), PAINT),), WOOD, (0, 0.03, 0), motion=Free(velocity=(2, 0, 0)))
    simulation = simulate([replace(box, object_id="o")], 0.0, 2.0, ground=replace(GROUND, friction=0.3))
    stop = 2 / (0.4 * G)
    lasting = frictions(simulation, pair_forces(simulation, 0.0), 0.0)
    assert [f.action for f in lasting] == ["slide"] and lasting[0].end_s == pytest.approx(stop, abs=0.06)
    assert simulation.motions[0].position[-1, 0] == pytest.approx(stop, rel=0.05)


def test_a_pendulum_meets_another_after_a_quarter_period() -> None:
    radius, length = 0.04, 0.5
    bob = (Piece(Sphere(radius), PAINT), Piece(Capsule(0.003, length / 2), PAINT, (0, length / 2, 0), touches=False))
    swing = Joint("hinge", (0, 0, 1), (0, length, 0))
    lean = 0.15
    turn = rotation.about((0, 0, 1), -lean)
    place = (-radius - length * np.sin(lean), 1 - length * np.cos(lean), 0)
    bob = (bob[0], replace(bob[1], weighs=False, turn=rotation.about((1, 0, 0), np.pi / 2)))
    one = Body("one", bob, replace(WOOD, restitution=0.85), place, turn, swing, "o")
    two = replace(one, id="two", place=(radius, 1 - length, 0), turn=(1, 0, 0, 0))
    simulation = simulate([one, two], 0.0, 3.0)
    times = [c.time_s for c in sounds(simulation)]
    period = 2 * np.pi * np.sqrt((length + 0.4 * radius**2 / length) / G) * (1 + lean**2 / 16)
    assert times[0] == pytest.approx(period / 4, abs=0.001)
    assert np.diff(times[:4]) == pytest.approx(np.full(3, period / 2), abs=0.012)


@pytest.mark.parametrize(("mode", "slower"), [(1.0, -1.0), (-1.0, 1.0)], ids=["together", "against each other"])
def test_a_chain_of_two_swings_in_its_modes(mode: float, slower: float) -> None:
    """Of equal bobs on links of length l the lower leans by +-sqrt(2) of the upper, and w^2 = g / l (2 -+ sqrt(2))."""
    length, radius, lean = 0.4, 0.005, 0.03
    ratio = mode * np.sqrt(2)
    bob = (Piece(Sphere(radius), PAINT, touches=False),)
    hung = Joint("hinge", (0, 0, 1), (0, length, 0), start=lean)
    upper = Body("upper", bob, WOOD, (0, 2, 0), motion=hung)
    # A place is in the parent's axes; its joint's start is relative to the parent.
    lower = Body("lower", bob, WOOD, (0, -length, 0), motion=replace(hung, start=lean * (ratio - 1)), parent="upper")
    motion = simulate([upper, lower], 0.0, 4.0, ground=None).motions
    swing = {b: m.position[:, 0] for b, m in zip(("upper", "lower"), motion, strict=True)}
    assert swing["lower"][0] / swing["upper"][0] == pytest.approx(1 + ratio, rel=0.02)
    crossings = np.flatnonzero(np.diff(np.sign(swing["upper"])))
    half_period = np.diff(crossings).mean() / motion[0].rate_hz
    assert half_period == pytest.approx(np.pi / np.sqrt(G / length * (2 + slower * np.sqrt(2))), rel=0.02)


def test_dominoes_fall_one_after_another() -> None:
    piece = (Piece(Box((0.01, 0.06, 0.03)), PAINT),)
    row = [Body(f"d{k}", piece, WOOD, (0.06 * k, 0.06, 0), motion=Free(), object_id="o") for k in range(8)]
    row[0] = replace(row[0], turn=rotation.about((0, 0, 1), -0.2), place=(0.002, 0.062, 0))
    simulation = simulate(row, 0.0, 3.0)
    found = impacts(simulation, pair_forces(simulation, 0.0), 0.0)
    first = [min(i.time_s for i in found if (i.first, i.second) == (k, k + 1)) for k in range(7)]
    assert all(later - earlier > 0.01 for earlier, later in zip(first, first[1:], strict=False))


def test_blows_within_20_ms_are_one_event_and_their_powers_add() -> None:
    both = [ball(id=str(k), place=(0.5 * k, 0.25 + 0.005 * k, 0)) for k in range(2)]
    one, two = sounds(simulate(both[:1], 0.0, 0.6))[0], sounds(simulate(both, 0.0, 0.6))
    assert len([c for c in two if c.time_s < one.time_s + 0.1]) == 1
    assert two[0].time_s == pytest.approx(one.time_s, abs=2e-4)
    assert loudness(two[0]) / loudness(one) == pytest.approx(np.sqrt(2), rel=0.1)
    apart = [both[0], replace(both[1], place=(0.5, 0.34, 0))]
    assert sounds(simulate(apart, 0.0, 0.6))[1].time_s > one.time_s + 0.02


def test_driven_and_jointed_bodies_go_where_they_are_told() -> None:
    def path(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.stack([0.5 * t - 1, 0 * t + 0.1, 0 * t], axis=1), np.tile([1.0, 0, 0, 0], (len(t), 1))

    pusher = Body("pusher", (Piece(Box((0.02, 0.1, 0.1)), PAINT),), motion=Driven(path))
    box = Body("box", (Piece(Box((0.05, 0.05, 0.05)), PAINT),), WOOD, (0, 0.05, 0), motion=Free(), object_id="o")
    simulation = simulate([box, pusher], 0.0, 3.0)
    assert simulation.bodies[0].id == "pusher"
    assert simulation.motions[0].at(np.array([2.0]))[0][0] == pytest.approx([0, 0.1, 0], abs=1e-3)
    assert simulation.motions[1].at(np.array([3.0]))[0][0, 0] == pytest.approx(0.57, abs=0.02)
    assert sounds(simulation)[0].time_s == pytest.approx((1 - 0.07) / 0.5, abs=0.001)


def test_a_belt_carries_and_a_body_is_there_only_while_shown() -> None:
    belt = Body("belt", (Piece(Box((2, 0.1, 0.3)), PAINT),), motion=Fixed(belt=(0.4, 0, 0)))
    box = Body("box", (Piece(Box((0.05, 0.05, 0.05)), PAINT),), WOOD, (0, 0.15, 0), motion=Free(), object_id="o")
    later = replace(box, id="later", place=(0.4, 0.15, 0), motion=Free(release_s=2.5), shown=(2.5, np.inf))
    simulation = simulate([belt, box, later], 0.0, 2.0)
    assert simulation.motions[1].at(np.array([2.0]))[0][0, 0] == pytest.approx(0.8, abs=0.06)
    assert all(c.time_s < 0.1 for c in sounds(simulation))  # while the belt takes it along


def test_energy_does_not_grow() -> None:
    rng = np.random.default_rng(3)
    shapes = [Box((0.05, 0.03, 0.07)), Cylinder(0.04, 0.06), Capsule(0.03, 0.05), Sphere(0.05)]
    heap = [
        Body(f"b{k}", (Piece(shapes[k % 4], PAINT),), WOOD, (0.02 * k, 0.3 + 0.16 * k, 0), rotation.random_turn(rng))
        for k in range(12)
    ]
    simulation = simulate([replace(b, motion=Free(), object_id="o") for b in heap], 0.0, 3.0)
    heights = sum(simulation.masses[k] * m.position[:, 1] for k, m in enumerate(simulation.motions))
    assert np.isfinite(heights).all() and heights.max() <= heights[0] + 1e-9 and heights[-1] < 0.2 * heights[0]
    assert all(m.position[:, 1].min() > 0 for m in simulation.motions)


def test_a_failed_solver_is_told_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MuJoCo begins anew from the first pose then, and writes a log into the working folder."""
    monkeypatch.chdir(tmp_path)
    body = ball(place=(0, 1.0, 0), motion=Free(velocity=(1e12, 0.0, 0.0)))
    assert not simulate([body], 0.0, 0.5).stable
    assert simulate([ball(place=(0, 1.0, 0))], 0.0, 0.5).stable
    assert not list(tmp_path.iterdir())


def test_a_plank_that_spins_in_the_air_gains_no_energy() -> None:
    plank = Body("plank", (Piece(Box((0.02, 0.01, 0.005)), PAINT),), WOOD, (0, 5, 0), motion=Free(spin=(4, 80, 8)))
    motion = simulate([plank], 0.0, 3.0, ground=None, gravity=0.0).motions[0]
    spin = np.linalg.norm(rotation.spins(motion.rotation, 1 / motion.rate_hz), axis=1)
    assert spin.max() < 110  # of the same energy about its longest axis: 80 sqrt(I / smallest I)
