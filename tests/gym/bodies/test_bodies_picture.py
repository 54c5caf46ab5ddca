"""A scene of bodies through the picture's public functions: exposure, grading, chunks, the camera of the flat world."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch

from body_scenes import at
from openfoley.gym.bodies.records import Light, Solid, Sphere, Stage, Surface
from openfoley.gym.bodies.view import view_of
from openfoley.gym.picture import project, render_frames, render_picture
from openfoley.gym.records import Camera, Grade, Look, Scene, Shot

LOOK = Look((0.5, 0.5, 0.5))
GRADE = Grade((0, 1, 0), 0.5, LOOK, LOOK, 3.0, (1, 1, 1), 1.0, 0.0, 0.0, 0.0, False, 1.0, False, 0.3)
CAMERA = Camera(
    1.4, lambda t: np.tile([0.5, 1.0, -3.0], (len(t), 1)), lambda t: np.tile([-0.15, -0.2, 0.1], (len(t), 1))
)
LIGHT = Light((0.0, 0.8, -0.6), (1.0, 1.0, 1.0), (0.3, 0.3, 0.3), (0.2, 0.2, 0.2), 0.02)


def scene(light: Light = LIGHT, grade: Grade = GRADE) -> Scene:
    stage = Stage((Solid(Sphere(0.3), Surface((0.8, 0.2, 0.1)), at(0.0, 0.3, 0.0)),), light, Surface((0.4, 0.4, 0.4)))
    shot = Shot(0.0, 4.0, CAMERA, grade, (), 0.3, 0.0, stage)
    return Scene(1, "train", 4.0, 1.0, 0.0, (shot,), "", ("",))


def frames(of: Scene, first: int, count: int = 1) -> np.ndarray:
    form = {"height": 64, "width": 64, "device": torch.device("cpu"), "aspect": 1.0}
    return render_frames(of, first, count, rate=Fraction(24), **form).numpy().astype(float)


def test_rays_invert_the_projection_of_points():
    points = np.random.default_rng(0).uniform(-1, 1, (50, 3)) + (0, 1, 1)
    times = np.zeros(50)
    x, y, depth, _ = project(CAMERA, 1.7, points, times)
    view = view_of(CAMERA, 1.7, times)
    u, v = ((x - 0.5) * 1.7 / 1.4)[:, None], ((0.5 - y) / 1.4)[:, None]
    assert np.allclose(view.eye + depth[:, None] * (view.ahead + u * view.right + v * view.up), points, atol=1e-9)


def test_a_picture_has_the_frames_and_the_size_asked_for():
    picture = render_picture(scene(), rate=Fraction(30000, 1001), height=50, width=84)
    assert tuple(picture.shape) == (120, 3, 50, 84) and picture.dtype == torch.uint8


def test_exposure_is_locked_over_a_shot_and_evens_out_strong_light():
    assert np.array_equal(frames(scene(), 0), frames(scene(), 80))
    bright = replace(LIGHT, sun=(4.0, 4.0, 4.0), sky=(1.2, 1.2, 1.2), ground=(0.8, 0.8, 0.8))
    usual, strong = frames(scene(), 0)[:, :, 40:], frames(scene(bright), 0)[:, :, 40:]
    assert usual.mean() < strong.mean() < 1.8 * usual.mean()  # four times the light would be 4^0.636 = 2.4 times


def test_the_grade_of_the_flat_world_applies():
    assert np.ptp(frames(scene(grade=replace(GRADE, saturation=0.0)), 0), axis=1).max() <= 1.0
    noisy = frames(scene(grade=replace(GRADE, noise=0.05)), 0)
    assert (noisy - frames(scene(), 0)).std() == pytest.approx(0.05 * 255, rel=0.2)
