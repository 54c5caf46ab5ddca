"""Scenes of solid bodies: the seed decides everything, near misses are silent, motion stays physical."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from openfoley.errors import UsageError
from openfoley.gym.bodies import scene as scene_module
from openfoley.gym.bodies.description import Free
from openfoley.gym.bodies.families import FAMILIES, HELD_OUT_FAMILIES, Family
from openfoley.gym.bodies.families.mechanism import Builder, Mechanism
from openfoley.gym.bodies.framing import choose_camera
from openfoley.gym.bodies.physics import Simulation, simulate
from openfoley.gym.bodies.scene import sample_bodies_scene, sounds_of
from openfoley.gym.materials import SOLID
from openfoley.gym.records import Camera, Contact, Friction, Scene

SEED = 100_000_000
ALL = FAMILIES | HELD_OUT_FAMILIES


def digest(scene: Scene) -> str:
    """Of all poses, contacts, frictions, captions and cameras."""
    state = hashlib.sha256()
    for shot in scene.shots:
        assert shot.stage is not None
        times = np.linspace(shot.start_s, shot.end_s, 7)
        state.update(shot.camera.eye(times).tobytes() + shot.camera.turn(times).tobytes())
        for solid in shot.stage.solids:
            state.update(repr((solid.shape, solid.surface, solid.offset, solid.shown)).encode())
            state.update(solid.motion.position.tobytes() + solid.motion.rotation.tobytes())
        for play in shot.performances:
            state.update(repr((play.objects, play.contacts, play.caption)).encode())
            for friction in play.frictions:
                state.update(repr((friction.start_s, friction.end_s, friction.action)).encode())
                state.update(friction.level(times).tobytes() + friction.position(times).tobytes())
    return state.hexdigest() + repr((scene.captions, scene.aspect, scene.gain_db))


def test_the_seed_gives_the_same_scene_again_and_others_another() -> None:
    first = digest(sample_bodies_scene(SEED + 3, 3.0))
    assert digest(sample_bodies_scene(SEED + 3, 3.0)) == first != digest(sample_bodies_scene(SEED + 4, 3.0))


@pytest.mark.parametrize("seed", range(4))
def test_a_silent_scene_moves_without_any_sound(seed: int) -> None:
    scene = sample_bodies_scene(SEED + seed, 4.0, silent=True)
    assert scene.caption == "silence"
    assert not any(p.contacts or p.frictions for shot in scene.shots for p in shot.performances)


def test_a_scene_whose_simulation_fails_is_sampled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [True, False]

    def failing(*args, **options) -> Simulation:
        return replace(simulate(*args, **options), stable=not (failures and failures.pop(0)))

    monkeypatch.setattr(scene_module, "simulate", failing)
    scene = sample_bodies_scene(SEED, 3.0, silent=False, single_shot=True)
    monkeypatch.undo()
    assert not failures and digest(scene) != digest(sample_bodies_scene(SEED, 3.0, silent=False, single_shot=True))


def test_a_shot_that_should_sound_but_touches_nothing_is_sampled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    quiet = [True]

    def first_quiet(*args) -> tuple[list[Contact], list[Friction]]:
        return ([], []) if quiet and quiet.pop() else sounds_of(*args)

    monkeypatch.setattr(scene_module, "sounds_of", first_quiet)
    scene = sample_bodies_scene(SEED, 3.0, silent=False, single_shot=True)
    assert not quiet and any(p.contacts for shot in scene.shots for p in shot.performances)


@pytest.mark.parametrize("lasting", [False, True], ids=["contact", "friction"])
def test_a_silent_shot_that_sounds_after_all_is_sampled_anew(monkeypatch: pytest.MonkeyPatch, lasting: bool) -> None:
    sounding: list[str] = []

    def first_sounds(simulation: Simulation, start_s: float) -> tuple[list[Contact], list[Friction]]:
        if sounding:
            return sounds_of(simulation, start_s)
        sounding.extend(body.object_id for body in simulation.bodies if body.object_id)
        contact = Contact(1.0, "bounce", sounding[0], 0.5, (0.0, 0.0, 0.0))
        friction = Friction(1.0, 2.0, "roll", sounding[0], np.ones_like, lambda times: np.zeros((len(times), 3)))
        return ([], [friction]) if lasting else ([contact], [])

    monkeypatch.setattr(scene_module, "FAMILIES", {"skittles": FAMILIES["skittles"]})  # its near misses could sound
    monkeypatch.setattr(scene_module, "sounds_of", first_sounds)
    scene = sample_bodies_scene(SEED, 3.0, silent=True, single_shot=True)
    assert sounding and not any(p.contacts or p.frictions for shot in scene.shots for p in shot.performances)


def test_a_shot_of_which_no_camera_sees_enough_is_sampled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    blind = [True]

    def first_blind(*args) -> tuple[Camera, float]:
        camera, seen = choose_camera(*args)
        return camera, 0.0 if blind and blind.pop() else seen

    monkeypatch.setattr(scene_module, "choose_camera", first_blind)
    scene = sample_bodies_scene(SEED, 3.0, silent=False, single_shot=True)
    monkeypatch.undo()
    assert not blind and digest(scene) != digest(sample_bodies_scene(SEED, 3.0, silent=False, single_shot=True))


def test_sounds_lie_within_their_shot_and_belong_to_its_objects() -> None:
    for seed in range(4):
        scene = sample_bodies_scene(SEED + seed, 6.5, silent=False)
        assert scene.shots[0].start_s == 0 and scene.shots[-1].end_s == 6.5
        assert len({o.id for o in scene.objects}) == len(scene.objects)
        for shot in scene.shots:
            for play in shot.performances:
                assert {c.object_id for c in play.contacts} <= {o.id for o in play.objects}
                assert play.family in FAMILIES
                assert all(shot.start_s <= c.time_s < shot.end_s and 0 < c.impulse <= 1 for c in play.contacts)
                assert all(shot.start_s <= f.start_s < f.end_s <= shot.end_s for f in play.frictions)


def test_a_bad_duration_is_refused() -> None:
    with pytest.raises(UsageError, match="duration must be > 0"):
        sample_bodies_scene(SEED, 0.0)


def builder(seed: int, sounds: bool) -> Builder:
    return Builder(np.random.default_rng(seed), 0.0, 5.0, (0.04, 0.1, 0.25)[seed % 3], SOLID, "o", sounds)


def played(family: Family, seed: int, sounds: bool) -> tuple[Mechanism, Simulation, list[Contact], list[Friction]]:
    play = family(builder(seed, sounds))
    simulation = simulate(play.bodies, 0.0, 5.0)
    return play, simulation, *sounds_of(simulation, 0.0)


@pytest.mark.parametrize("family", ALL.values(), ids=ALL)
def test_a_family_moves_within_bounds_and_sounds(family: Family) -> None:
    heard = 0
    for seed in range(5):
        play, simulation, contacts, frictions = played(family, seed, True)
        heard += bool(contacts)
        assert {c.object_id for c in contacts} | {f.object_id for f in frictions} <= {o.id for o in play.objects}
        assert simulation.touches.overlap.max(initial=0.0) < 0.015  # nothing begins within another
        for motion in simulation.motions:
            assert np.isfinite(motion.position).all() and np.isfinite(motion.rotation).all()
            assert np.abs(motion.position).max() < 20 * play.radius + 5 and motion.position[:, 1].min() > -0.05
            speed = np.linalg.norm(np.diff(motion.position, axis=0), axis=1) * motion.rate_hz
            assert speed.max(initial=0.0) < np.sqrt(2 * 9.81 * (play.height + 1)) + 6
    assert heard >= 4


@pytest.mark.parametrize("name", ["drops", "stairs", "ramp", "bowl", "funnel", "pyramid"])
def test_the_energy_of_a_family_that_is_left_to_itself_does_not_grow(name: str) -> None:
    for seed in range(3):
        play = ALL[name](builder(seed, True))
        simulation = simulate(play.bodies, 0.0, 5.0)
        energy, given = np.zeros(len(max(simulation.motions, key=lambda m: len(m.position)).position)), 0.0
        for body, motion, mass in zip(simulation.bodies, simulation.motions, simulation.masses, strict=False):
            if isinstance(body.motion, Free):
                speed = np.linalg.norm(np.gradient(motion.position, 1 / motion.rate_hz, axis=0), axis=1)
                energy += mass * (9.81 * motion.position[:, 1] + 0.5 * speed**2)
                spin = np.linalg.norm(body.motion.spin) * play.radius / 3
                given += mass * 0.5 * (np.linalg.norm(body.motion.velocity) ** 2 + spin**2)
        assert energy.max() <= 1.02 * (energy[0] + given)


@pytest.mark.parametrize("family", ALL.values(), ids=ALL)
def test_a_near_miss_of_a_family_makes_no_sound(family: Family) -> None:
    silent = 0
    for seed in range(5):
        _, simulation, contacts, frictions = played(family, seed, False)
        silent += not contacts and not frictions
        moves = [max(np.ptp(m.position, axis=0).max(), np.ptp(m.rotation, axis=0).max()) for m in simulation.motions]
        assert max(moves) > 0.02
    assert silent == 5
