import numpy as np
import pytest

from openfoley.gym.bodies.records import Motion


def test_motion_is_linear_between_poses_and_still_outside():
    motion = Motion(np.array([[0.0, 0, 0], [1, 2, 3]]), np.array([[1.0, 0, 0, 0]] * 2), start_s=2.0, rate_hz=10.0)
    position, rotation = motion.at(np.array([0.0, 2.0, 2.05, 2.1, 9.0]))
    assert position[:, 1] == pytest.approx([0, 0, 1, 2, 2])
    assert rotation == pytest.approx(np.array([[1.0, 0, 0, 0]] * 5))


def test_rotation_takes_the_short_way_between_poses():
    turned = np.array([np.cos(0.1), 0, np.sin(0.1), 0])  # 0.2 rad about y
    motion = Motion(np.zeros((2, 3)), np.stack([np.array([1.0, 0, 0, 0]), -turned]), rate_hz=1.0)
    _, rotation = motion.at(np.array([0.5]))
    half = np.array([np.cos(0.05), 0, np.sin(0.05), 0])
    assert abs(float(rotation[0] @ half)) == pytest.approx(1.0, abs=1e-6)


def test_fixed_thing_has_one_pose():
    position, _ = Motion(np.ones((1, 3)), np.array([[1.0, 0, 0, 0]])).at(np.array([0.0, 5.0]))
    assert position == pytest.approx(np.ones((2, 3)))
