"""A camera is chosen that sees what moves and touches."""

import numpy as np
import pytest

from body_scenes import GREY, at, looking
from openfoley.gym.bodies import framing
from openfoley.gym.bodies.cameras import Subject
from openfoley.gym.bodies.framing import Activity, choose_camera
from openfoley.gym.bodies.records import Box, Solid, Sphere
from openfoley.gym.records import Camera, Contact

TIMES = np.linspace(0, 4, 9)
SUBJECT = Subject(np.zeros((5, 3)), 0.1, 2.0)
BALL = Solid(Sphere(0.1), GREY, at(0, 1, 0), shown=(0.0, 3.0))
WALL = Solid(Box((1, 1, 0.05)), GREY, at(0, 1, -1))
AHEAD, ASIDE, BEHIND = (looking(1.0, 0, 1, -4, yaw=yaw) for yaw in (0.0, 0.9, np.pi))
FROM_BACK = looking(1.0, 0, 1, 4, yaw=np.pi)


def choose(monkeypatch: pytest.MonkeyPatch, cameras: list[Camera], activity: Activity) -> tuple[Camera, float]:
    offered = iter(cameras)
    monkeypatch.setattr(framing, "sample_camera", lambda rng, view, aspect: next(offered))
    return choose_camera(np.random.default_rng(0), SUBJECT, 1.0, activity)


def test_cameras_that_look_away_or_at_a_wall_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    activity = Activity([BALL, WALL], [BALL], [], TIMES)
    camera, share = choose(monkeypatch, [ASIDE, BEHIND, AHEAD, FROM_BACK, ASIDE], activity)
    assert camera is FROM_BACK and share == pytest.approx(6 / 9 / framing.ENOUGH_PRESENCE)


def test_the_first_camera_that_sees_enough_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    camera, share = choose(monkeypatch, [ASIDE, AHEAD, FROM_BACK], Activity([BALL], [BALL], [], TIMES[:6]))
    assert camera is AHEAD and share >= 1


def test_contacts_must_be_seen_too(monkeypatch: pytest.MonkeyPatch) -> None:
    far = [Contact(1.0, "drop", "o", 0.5, (1.0, 1.0, 9.0))] * 3  # behind the camera that looks from the back
    camera, _ = choose(monkeypatch, [FROM_BACK, AHEAD], Activity([BALL], [BALL], far, TIMES[:6]))
    assert camera is AHEAD


def test_what_is_too_small_to_see_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    dot = Solid(Sphere(0.01), GREY, at(0, 1, 0))
    assert choose(monkeypatch, [AHEAD] * 5, Activity([dot], [dot], [], TIMES))[1] == 0
