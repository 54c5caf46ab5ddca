"""Traced pictures against what geometry says: outlines, order, shadows, shading, patterns, blur, steadiness."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import warp as wp

from body_scenes import at, looking
from openfoley.gym.bodies.raytrace import render_stage, start
from openfoley.gym.bodies.records import (
    Box,
    Capsule,
    Cylinder,
    Hull,
    Light,
    Motion,
    Shape,
    Solid,
    Sphere,
    Stage,
    Surface,
)
from openfoley.gym.picture import project
from openfoley.gym.records import Camera

WHITE = Surface((1.0, 1.0, 1.0), gloss=0.0)
BLACK = (0.0, 0.0, 0.0)
SIZE = (96, 96)
AHEAD, DOWN = looking(1.5, 0.0, 1.0, -4.0), looking(1.5, 0.0, 4.0, 0.0, pitch=-np.pi / 2)
AMBIENT = Light((0.0, 1.0, 0.0), BLACK, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0))
"""No sun, the same light from everywhere: a white body is 1 on a background of 0."""


def stage(*solids: Solid, light: Light = AMBIENT, ground: Surface | None = None) -> Stage:
    return Stage(solids, light, ground, BLACK, BLACK)


def trace(
    world: Stage,
    camera: Camera = AHEAD,
    times: np.ndarray | None = None,
    *,
    shutter_s: float = 0.0,
    aspect: float = 1.0,
) -> np.ndarray:
    """Red of the frames [frames, height, width]."""
    when = np.zeros(1) if times is None else times
    form = {"aspect": aspect, "size": SIZE, "shutter_s": shutter_s, "device": torch.device("cpu")}
    return render_stage(world, camera, when, **form).numpy()[..., 0]


def center_of(light: np.ndarray) -> tuple[float, float]:
    """Centre of mass in 0..1 from the top left."""
    rows, columns = ((np.arange(n) + 0.5) / n for n in light.shape)
    return float((light.sum(0) * columns).sum() / light.sum()), float((light.sum(1) * rows).sum() / light.sum())


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.3, -0.2, 0.25)])
@pytest.mark.parametrize("aspect", [1.0, 1.6])
def test_a_small_sphere_lies_where_its_centre_is_projected_and_has_the_area_of_its_outline(
    turn: tuple[float, float, float], aspect: float
):
    camera = replace(AHEAD, turn=lambda t: np.tile(turn, (len(t), 1)))
    place, radius = np.array([[0.7, 0.6, 0.8]]), 0.2
    light = trace(stage(Solid(Sphere(radius), WHITE, at(*place[0]))), camera, aspect=aspect)[0]
    x, y, depth, _ = project(camera, aspect, place, np.zeros(1))
    from_eye = float(np.linalg.norm(place - camera.eye(np.zeros(1))))
    # The cone of the rays that touch the sphere, of half angle asin(radius / from_eye), cut by the picture's plane.
    sine, cosine = radius / from_eye, float(depth[0]) / from_eye
    below = cosine**2 - sine**2
    outline = np.pi * sine**2 * np.sqrt(1 - sine**2) / below**1.5 * (1.5 * 96) ** 2 / aspect
    outwards = cosine**2 / below  # the ellipse's centre lies this much further from the picture's
    center = [0.5 + (place_ - 0.5) * outwards for place_ in (x[0], y[0])]
    assert center_of(light) == pytest.approx(center, abs=0.1 / 96)
    assert light.sum() == pytest.approx(outline, rel=0.02)


def test_the_nearer_of_two_solids_hides_the_other_in_any_order():
    grey = replace(WHITE, color=(0.3,) * 3)
    near, far = Solid(Sphere(0.3), WHITE, at(0, 1, -1)), Solid(Box((0.6, 0.6, 0.1)), grey, at(0, 1, 1))
    one, other = trace(stage(near, far)), trace(stage(far, near))
    assert np.array_equal(one, other)
    assert one[0, 48, [48, 36, 32]] == pytest.approx([1.0, 1.0, 0.3], abs=1e-5)


@pytest.mark.parametrize("softness", [0.0, 0.02])
def test_a_shadow_lies_where_the_sun_is_blocked(softness: float):
    sun = np.array([1.0, 1.0, 0.5]) / 1.5
    light = Light(tuple(sun), (1.0, 1.0, 1.0), BLACK, BLACK, softness)
    ball = Solid(Sphere(0.2), replace(WHITE, color=BLACK), at(0.0, 0.6, 0.0))
    lit, shaded = (trace(stage(*s, light=light, ground=WHITE), DOWN)[0] for s in ((), (ball,)))
    dark = (lit - shaded) / lit
    x, y, depth, scale = project(DOWN, 1.0, np.array([[0.0, 0.6, 0.0], [-0.6, 0.0, -0.3]]), np.zeros(2))
    rows, columns = np.mgrid[:96, :96]
    ball_there = np.hypot(columns + 0.5 - 96 * x[0], rows + 0.5 - 96 * y[0]) < 0.25 * scale[0] * 96
    shadow = np.where(ball_there, 0, dark)
    assert center_of(shadow) == (pytest.approx(x[1], abs=0.004), pytest.approx(y[1], abs=0.004))
    area = np.pi * (0.2 * scale[1] * 96) ** 2 / sun[1]  # an ellipse, longer by the sun's slope
    assert shadow.sum() == pytest.approx(area, rel=0.05)


def test_a_box_is_shaded_by_the_normals_of_its_faces():
    light = Light((0.6, 0.0, -0.8), (1.0, 1.0, 1.0), BLACK, BLACK)
    box = Solid(Box((0.5, 0.5, 0.5)), WHITE, at(0.0, 1.0, 0.0))
    assert trace(stage(box, light=light))[0, 48, 48] == pytest.approx(0.8, abs=1e-4)
    quarter = (np.cos(np.pi / 8), 0.0, np.sin(np.pi / 8), 0.0)  # by 45 degrees about y
    turned = trace(stage(replace(box, turn=quarter), light=light))[0]
    faces = sorted((float(turned[48, 38]), float(turned[48, 58])))
    assert faces == [pytest.approx(0.2 / np.sqrt(2), abs=1e-3), pytest.approx(1.4 / np.sqrt(2), abs=1e-3)]


@pytest.mark.parametrize("pattern", ["checks", "stripes", "dots", "grain", "speckle"])
def test_a_pattern_turns_with_its_ball_and_a_plain_ball_looks_the_same(pattern: str):
    spin = Motion(np.zeros((2, 3)) + (0, 1, 0), np.array([[1.0, 0, 0, 0], [0.0, 0.0, 1.0, 0.0]]), rate_hz=1.0)
    ball = Solid(Sphere(0.8), replace(WHITE, second=BLACK, contrast=1.0, size_m=0.3, pattern=pattern), spin)
    frames = trace(stage(ball), times=np.array([0.0, 0.2]))
    assert np.abs(frames[0] - frames[1]).mean() > 0.02
    plain = trace(stage(replace(ball, surface=WHITE)), times=np.array([0.0, 0.2]))
    assert np.abs(plain[0] - plain[1]).mean() < 1e-4


def test_plain_ground_has_one_colour_and_patterns_fade_to_their_mean_far_away():
    plain = trace(stage(ground=Surface((0.8,) * 3, BLACK, "plain", 0.05, 1.0, gloss=0.0)))[0]
    assert np.ptp(plain[60:]) < 1e-4 and plain[95, 48] == pytest.approx(0.8, abs=1e-4)
    for pattern, mean in (("checks", 0.4), ("stripes", 0.4), ("dots", 0.8 * 0.72), ("grain", 0.4), ("speckle", 0.4)):
        far = trace(stage(ground=Surface((0.8,) * 3, BLACK, pattern, 0.02, 1.0, gloss=0.0, seed=3)))[0, 62:66]
        assert far.mean() == pytest.approx(mean, abs=0.03) and far.std() < 0.05


def test_motion_blur_widens_what_moves_and_keeps_its_light():
    run = Motion(np.array([[-1.0, 1.0, 0.0], [1.0, 1.0, 0.0]]), np.array([[1.0, 0, 0, 0]] * 2), rate_hz=4.0)
    world, when = stage(Solid(Sphere(0.1), WHITE, run)), np.array([0.125])
    sharp, blurred = trace(world, times=when)[0], trace(world, times=when, shutter_s=1 / 48)[0]
    wide = [int((frame.max(0) > 0.01).sum()) for frame in (sharp, blurred)]
    moved = 8.0 / 48 * 0.75 * 1.5 / 4 * 96  # speed by shutter, between the first and the last of four sub-frames
    assert wide[1] - wide[0] == pytest.approx(moved, abs=1.5)
    assert blurred.sum() == pytest.approx(sharp.sum(), rel=0.05)
    assert center_of(blurred) == pytest.approx(center_of(sharp), abs=0.1 / 96)


@pytest.mark.parametrize("shape", [Sphere(0.062), Box((0.05, 0.05, 0.05)), Cylinder(0.05, 0.06), Capsule(0.03, 0.2)])
def test_a_solid_of_a_few_pixels_does_not_flicker_as_it_moves(shape: Shape):
    slow = Motion(np.array([[0.0, 1.0, 0.0], [0.2, 1.1, 0.0]]), np.array([[0.92, 0.2, 0.3, 0.15]] * 2), rate_hz=1.0)
    light = trace(stage(Solid(shape, WHITE, slow)), times=np.linspace(0, 1, 40)).sum((1, 2))
    assert np.abs(light / light.mean() - 1).max() < 0.05


def test_still_and_moving_cameras_agree_where_they_see_the_same():
    """The still camera's tiles are traced once without moving solids: the same picture as from every tile."""
    turns = np.array([[1.0, 0, 0, 0], [0.0, 0.6, 0.8, 0.0]])
    spin = Motion(np.array([[0.3, 0.5, 0.0], [0.5, 0.6, 0.2]]), turns, rate_hz=1.0)
    light = Light((0.0, 0.8, -0.6), (1.0, 1.0, 1.0), (0.3,) * 3, (0.2,) * 3, 0.05)
    ground = Surface((0.4,) * 3, (0.2,) * 3, "checks", 0.3, 1.0)
    solids = Solid(Cylinder(0.2, 0.3), WHITE, spin), Solid(Sphere(0.3), WHITE, at(-0.5, 0.3, 0.3))
    world = stage(*solids, light=light, ground=ground)
    drift = replace(AHEAD, eye=lambda t: AHEAD.eye(t) + 1e-4 * (t > 0.5)[:, None])
    times = np.array([0.0, 0.3, 1.0])
    assert np.abs(trace(world, times=times)[:2] - trace(world, drift, times)[:2]).max() < 1e-4


def test_a_solid_is_seen_only_while_it_is_shown():
    ball = Solid(Sphere(0.2), WHITE, at(0, 1, 0), shown=(0.5, 1.0))
    assert [bool(f.any()) for f in trace(stage(ball), times=np.array([0.4, 0.5, 0.9, 1.0]))] == [
        False,
        True,
        True,
        False,
    ]


def test_an_empty_stage_is_its_background():
    world = replace(stage(), horizon=(0.2,) * 3, zenith=(0.9,) * 3)
    sky = trace(world)[0]
    assert sky[0].mean() > sky[47].mean() and sky[95].mean() == pytest.approx(0.2)


def inside(shape: Shape, p: np.ndarray) -> np.ndarray:
    """Which points [n, 3] in the shape's axes it holds: its definition, written once more."""
    match shape:
        case Sphere(radius):
            return np.linalg.norm(p, axis=1) < radius
        case Box(half):
            return (np.abs(p) < half).all(1)
        case Cylinder(radius, half_length):
            return (np.hypot(p[:, 0], p[:, 1]) < radius) & (np.abs(p[:, 2]) < half_length)
        case Capsule(radius, half_length):
            along = np.clip(p[:, 2], -half_length, half_length)
            return np.linalg.norm(p - np.stack([0 * along, 0 * along, along], 1), axis=1) < radius
        case Hull(points):
            from scipy.spatial import Delaunay

            return Delaunay(np.array(points)).find_simplex(p) >= 0


PYRAMID = Hull(((-0.5, -0.4, -0.5), (0.5, -0.4, -0.5), (0.5, -0.4, 0.5), (-0.5, -0.4, 0.5), (0.1, 0.6, 0.0)))


@pytest.mark.parametrize("shape", [Sphere(0.5), Box((0.5, 0.3, 0.2)), Cylinder(0.3, 0.5), Capsule(0.25, 0.4), PYRAMID])
@pytest.mark.parametrize("turn", [(1.0, 0.0, 0.0, 0.0), (0.5, 0.5, 0.5, 0.5), (0.8, 0.3, -0.4, np.sqrt(0.11))])
def test_every_shape_has_the_outline_of_the_points_inside_it(shape: Shape, turn: tuple[float, float, float, float]):
    from openfoley.gym.bodies.poses import rotation_matrix

    solid = Solid(shape, WHITE, at(0.2, 1.1, 0.3), turn=turn)
    light = trace(stage(solid))[0]
    steps = np.linspace(-0.9, 0.9, 300)[:, None] + 4.2
    missed = 0.0
    for row in range(2, 96, 6):
        for column in range(2, 96, 6):
            ray = np.array([((column + 0.5) / 96 - 0.5) / 1.5, (0.5 - (row + 0.5) / 96) / 1.5, 1.0])
            points = (np.array([0.0, 1.0, -4.0]) + ray * steps - (0.2, 1.1, 0.3)) @ rotation_matrix(turn)
            if 0.01 < light[row, column] < 0.99:
                continue  # the outline goes through this pixel
            missed += abs(float(inside(shape, points).any()) - light[row, column])
    assert missed < 1.5


def test_the_device_is_the_one_asked_for_and_never_replaced_by_another():
    """On a GPU the picture is the CPU's but for rounding; without one, asking for it is an error."""
    world, form = (
        stage(Solid(Box((0.4, 0.3, 0.2)), WHITE, at(0, 1, 0))),
        {"aspect": 1.0, "size": SIZE, "shutter_s": 0.0},
    )
    on_cpu = render_stage(world, AHEAD, np.zeros(1), device=torch.device("cpu"), **form)
    assert on_cpu.device.type == "cpu"
    if torch.cuda.is_available():
        on_gpu = render_stage(world, AHEAD, np.zeros(1), device=torch.device("cuda"), **form)
        assert on_gpu.device.type == "cuda" and torch.allclose(on_gpu.cpu(), on_cpu, atol=0.26)
    else:
        with pytest.raises((RuntimeError, AssertionError, ValueError)):
            render_stage(world, AHEAD, np.zeros(1), device=torch.device("cuda"), **form)


@pytest.mark.parametrize("base", ["", "cache", None])
def test_compiled_kernels_are_never_kept_in_the_working_folder(
    base: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Warp takes an empty path of a cache for the working folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("WARP_CACHE_PATH", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
        if base is not None:
            monkeypatch.setenv(name, "" if name == "WARP_CACHE_PATH" else base)
    monkeypatch.setattr(wp.config, "kernel_cache_dir", None)
    monkeypatch.setattr(wp, "init", lambda: None)
    start.__wrapped__()
    assert Path(wp.config.kernel_cache_dir) == Path.home() / ".cache" / "warp"
