"""Crowds against the Gym's own truth: pictures of both halves, boxes around what moves, names of nothing."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from openfoley.data.gym_cache import FRAME_RATE
from openfoley.evaluation.studies import clips, crowds
from openfoley.evaluation.studies.crowds import LEFT, RIGHT, Crowd
from openfoley.evaluation.studies.greyed import MID_GREY, greyed, half, write_mask
from openfoley.gym.seeds import seed_range
from openfoley.media.frames import FrameRequest
from openfoley.media.source import Source

SIDE, DURATION_S = 48, 3.0


@pytest.fixture(scope="module", autouse=True)
def small():
    patch = pytest.MonkeyPatch()
    patch.setattr(clips, "SIDE", SIDE)
    patch.setattr(crowds, "DURATION_S", DURATION_S)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def scene(small: None) -> Crowd:
    return next(found for k in range(9) if (found := crowds.one_scene(k, 9_000_000)))


@pytest.fixture(scope="module")
def pair(small: None) -> Crowd:
    return next(found for k in range(9) if (found := crowds.side_by_side(k, 9_500_000)))


def shown(source: Source, name: str = "sync", width: int = SIDE) -> torch.Tensor:
    request = FrameRequest(name, FRAME_RATE, SIDE, width)
    return torch.cat([chunk.frames for chunk in source.chunks([request])])


@pytest.fixture(scope="module")
def twins(small: None) -> Crowd:
    return next(found for k in range(9) if (found := crowds.twins(k, 9_600_000)))


@pytest.mark.parametrize("kind", ["scene", "pair", "twins"])
def test_members_are_seen_have_names_of_their_own_and_their_own_sound(kind: str, request) -> None:
    crowd: Crowd = request.getfixturevalue(kind)
    one, other = crowd.members
    assert len({one.name, other.name, crowd.absent}) == 3 and crowd.wanted == (0, 1)
    assert all(int(seed) in seed_range("evaluation") for seed in crowd.name.split("-"))
    for member in crowd.members:
        assert len(member.truth.only(True).scored_s) >= 2
        assert member.sound.samples.shape[-1] == round(DURATION_S * member.sound.sample_rate)
        assert member.sound.samples.abs().max() > 0
    assert not np.array_equal(one.truth.scored_s, other.truth.scored_s)


def test_twins_are_named_by_their_materials(twins: Crowd) -> None:
    assert all(member.name.startswith("the ") and member.name.endswith(" one") for member in twins.members)


def test_side_by_side_each_half_is_all_of_a_picture(pair: Crowd) -> None:
    for member, box in zip(pair.members, (LEFT, RIGHT), strict=True):
        own = shown(member.alone).float()
        seen = shown(half(pair.picture, box)).float()
        squeezed = torch.nn.functional.avg_pool2d(own, (1, 2))
        assert (torch.nn.functional.avg_pool2d(seen, (1, 2)) - squeezed).abs().mean() < 6
        assert np.array_equal(member.boxes(np.array([0.0, 1.0])), [box, box])


def test_what_moves_is_inside_of_its_boxes(scene: Crowd) -> None:
    """The two pictures alone differ where either of the two is, and by its shadow, which is fainter."""
    one, other = scene.members
    differs = (shown(one.alone).float() - shown(other.alone).float()).abs().amax(1) > 90
    times = np.arange(len(differs)) / float(FRAME_RATE)
    margin = 1.5 / SIDE
    inside = torch.zeros_like(differs)
    centres = (torch.arange(SIDE) + 0.5) / SIDE
    for member in scene.members:
        left, top, right, bottom = torch.from_numpy(member.boxes(times))[..., None].unbind(1)
        across = (centres > left - margin) & (centres < right + margin)
        inside |= ((centres > top - margin) & (centres < bottom + margin))[:, :, None] & across[:, None]
    assert differs.any() and (differs & ~inside).float().mean() < 0.05 * differs.float().mean()
    assert inside.float().mean() < 0.9


def test_a_greyed_source_shows_the_sync_encoder_its_box_alone(pair: Crowd) -> None:
    source, whole = greyed(pair.picture, pair.members[0].boxes), shown(pair.picture)
    frames = shown(source)
    assert torch.equal(frames[..., : SIDE // 2], whole[..., : SIDE // 2])
    assert bool((frames[..., SIDE // 2 :] == MID_GREY).all())
    assert torch.equal(shown(source, "semantic"), shown(pair.picture, "semantic"))
    nothing = greyed(pair.picture, lambda times: np.zeros((len(times), 4)))
    assert bool((shown(nothing) == MID_GREY).all()) and nothing.info.duration == Fraction(int(DURATION_S))


def test_boxes_follow_the_time(pair: Crowd) -> None:
    moving = greyed(pair.picture, lambda t: np.stack([0 * t, 0 * t, (t >= 1.0) * 1.0, 0 * t + 1], -1))
    frames, whole = shown(moving), shown(pair.picture)
    assert bool((frames[:24] == MID_GREY).all()) and torch.equal(frames[24:], whole[24:])


def test_a_mask_of_the_boxes_is_white_inside(pair: Crowd, tmp_path: Path) -> None:
    source = Source.file(write_mask(tmp_path / "mask.mp4", pair.picture, pair.members[1].boxes))
    assert source.info.duration == pair.picture.info.duration and source.info.frame_rate == FRAME_RATE
    left, right = shown(source).split(SIDE // 2, -1)
    assert int(left.max()) < 8 and int(right.min()) > 247
