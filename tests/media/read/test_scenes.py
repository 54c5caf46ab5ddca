"""Cuts on pictures whose cuts are known: textures that move, flash, fade and are cut."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from openfoley.media.read.scenes import SIDE, CutDetector, scenes_request
from openfoley.media.source import Source
from openfoley.media.write.encode import write_video

RATE = Fraction(24)


def texture(seed: int, size: int = 96) -> Tensor:
    """A coarse random picture uint8 [3, size, size]."""
    coarse = torch.rand(1, 3, 7, 7, generator=torch.Generator().manual_seed(seed))
    return (torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic")[0].clamp(0, 1) * 255).byte()


def panned(seed: int, count: int, speed: int) -> Tensor:
    """`count` small frames of a texture that moves by `speed` pixels of 96 a frame."""
    still = texture(seed)
    frames = torch.stack([still.roll(speed * k, dims=2) for k in range(count)]).float()
    return torch.nn.functional.avg_pool2d(frames, 96 // SIDE).byte()


def cuts_of(frames: Tensor, chunk: int = 64) -> list[int]:
    detector = CutDetector()
    found = [k for piece in frames.split(chunk) for k in detector.push(piece)]
    return found + detector.flush()


SHOTS = torch.cat([panned(1, 30, 2), panned(2, 25, 0), panned(3, 12, 5), panned(4, 40, 1)])


@pytest.mark.parametrize("chunk", [1, 2, 7, 64, 1000])
def test_cuts_are_found_to_the_frame_whatever_the_chunks(chunk: int) -> None:
    assert cuts_of(SHOTS, chunk) == [30, 55, 67]


def test_a_cut_is_detected_between_its_first_and_last_frames() -> None:
    assert cuts_of(torch.cat([panned(1, 1, 0), panned(2, 20, 0)])) == [1]
    assert cuts_of(torch.cat([panned(1, 20, 0), panned(2, 1, 0)])) == [20]


@pytest.mark.parametrize("speed", [0, 1, 4, 8, 16])
def test_motion_is_no_cut(speed: int) -> None:
    assert cuts_of(panned(5, 80, speed)) == []


@pytest.mark.parametrize("length", [1, 2])
def test_a_flash_is_no_cut(length: int) -> None:
    frames = panned(6, 60, 1)
    frames[30 : 30 + length] = 255
    assert cuts_of(frames) == []


def test_a_fade_and_noise_are_no_cuts() -> None:
    fade = torch.linspace(1, 0, 48)[:, None, None, None]
    assert cuts_of((panned(7, 48, 0).float() * fade).byte()) == []
    noise = torch.randint(-20, 21, (60, 3, SIDE, SIDE), generator=torch.Generator().manual_seed(0))
    assert cuts_of((panned(8, 60, 0).int() + noise).clamp(0, 255).byte()) == []


def test_memory_is_bounded() -> None:
    detector = CutDetector()
    frames = panned(9, 40, 1)
    for _ in range(50):
        detector.push(frames)
    assert len(detector._steps) < 100 and len(detector._frames) <= 3


def test_something_that_jumps_is_no_cut() -> None:
    frames = panned(1, 60, 0)
    frames[20:40, :, 4:14, 4:14] = 255
    assert cuts_of(frames) == []


@pytest.mark.parametrize("rate", [Fraction(24), Fraction(30000, 1001), Fraction(120)])
def test_cut_times_of_a_file_are_exact(tmp_path: Path, rate: Fraction) -> None:
    path, first = tmp_path / "shots.mp4", int(rate) + 5
    pictures = [texture(1)[:, :32, :32]] * first + [texture(2)[:, :32, :32]] * int(rate)
    write_video(path, pictures, rate)
    (found,) = Source.file(path).cuts()
    assert abs(found - first / rate) < 1 / scenes_request(rate).rate
    if rate <= 60:
        assert found == first / rate


def test_a_file_without_cuts_has_none(make_video: Callable[..., Path]) -> None:
    assert Source.file(make_video("one.mp4", duration_s=2.0)).cuts() == ()


def test_gym_shots_are_found() -> None:
    from openfoley.gym.picture import render_frames
    from openfoley.gym.scene import sample_scene

    scene = sample_scene(10_000_003, 30.0, split="validation", aspect=1.0)
    shape = {"rate": Fraction(12), "height": 48, "width": 48, "device": torch.device("cpu"), "aspect": 1.0}
    frames = torch.cat([render_frames(scene, k, 24, **shape) for k in range(0, 360, 24)]).float()
    expected = [int(np.ceil(shot.start_s * 12 - 1e-9)) for shot in scene.shots[1:]]
    assert len(expected) >= 2
    assert cuts_of(torch.nn.functional.avg_pool2d(frames, 2).byte()) == expected
