"""The tracker against truth: textured squares on a textured ground whose way is known."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import pi, sin
from pathlib import Path

import pytest
import torch
from torch import Tensor

from openfoley.media.frames import VideoInfo
from openfoley.media.tracking import MOST_HELD, BoxFollower, Track, tracking_request

HEIGHT, WIDTH, RATE = 90, 160, Fraction(24)
SIDE = 0.125  # of the picture's width, 20 pixels
PATCH = 1 / 14  # of Synchformer, the finest patches of a sync encoder
Way = Callable[[int], tuple[float, float]]


def box_at(way: Way, k: int) -> tuple[float, float, float, float]:
    x, y = way(k)
    half = SIDE / 2
    return x - half, y - half * WIDTH / HEIGHT, x + half, y + half * WIDTH / HEIGHT


def film(
    way: Way,
    count: int,
    *,
    even: bool = False,
    hidden: range = range(0),
    other: Way | None = None,
    alike: bool = False,
) -> list[Tensor]:
    """Frames with a square whose centre is way(k); even: of one colour. hidden: it is not there. other: of a second,
    alike: which looks the same."""
    seeded = torch.Generator().manual_seed(3)
    coarse = torch.rand(1, 3, 9, 16, generator=seeded) * 120
    ground = torch.nn.functional.interpolate(coarse, (HEIGHT, WIDTH), mode="bilinear")[0]
    looks = [torch.rand(3, 20, 20, generator=seeded) * 255 for _ in range(2)]
    if even:
        looks[0] = torch.full_like(looks[0], 230)
    if alike:
        looks[1] = looks[0]
    frames = []
    for k in range(count):
        frame = ground.clone()
        for look, one in zip(looks, (None if k in hidden else way, other), strict=True):
            if one is not None:
                x, y = one(k)
                left, top = round(x * WIDTH) - 10, round(y * HEIGHT) - 10
                rows, columns = slice(max(0, top), max(0, top + 20)), slice(max(0, left), max(0, left + 20))
                part = look[:, max(0, -top) :, max(0, -left) :]
                space = frame[:, rows, columns]
                frame[:, rows, columns] = part[:, : space.shape[1], : space.shape[2]]
        frames.append((frame + 6 * torch.randn(frame.shape, generator=seeded)).clamp(0, 255).byte())
    return frames


def tracked(frames: list[Tensor], way: Way, start: int, first: int = 0) -> Track:
    follower = BoxFollower(box_at(way, start), start, first, RATE)
    for frame in frames:
        follower.push(frame)
    return follower.track()


def worst(track: Track, way: Way) -> float:
    """The largest distance of the box's centre from the truth, of the picture, in either direction."""
    centres = track.boxes.unflatten(1, (2, 2)).mean(1)
    truth = torch.tensor([way(k) for k in range(track.first, track.end)])
    return float((centres - truth).abs().max())


def bounce(k: int) -> tuple[float, float]:
    """Across in 2 s, bouncing twice a second: up to 0.1 of the height a frame."""
    return 0.2 + 0.6 * k / 48, 0.75 - 0.5 * abs(sin(2 * pi * k / 24))


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("start", [0, 20, 47])
def test_a_moving_square_is_followed_both_ways_within_half_a_patch(even: bool, start: int) -> None:
    track = tracked(film(bounce, 48, even=even), bounce, start)
    assert (track.first, track.end) == (0, 48) and not (track.lost_before or track.lost_after or track.is_plain)
    assert worst(track, bounce) < PATCH / 2
    sizes = track.boxes[:, 2:] - track.boxes[:, :2]
    torch.testing.assert_close(sizes, sizes[:1].expand_as(sizes))


def test_frames_are_numbered_from_the_shot_s_first() -> None:
    frames = film(bounce, 48)
    track = tracked(frames[10:30], bounce, 15, first=10)
    assert (track.first, track.end) == (10, 30) and worst(track, bounce) < PATCH / 2


def test_what_is_covered_for_a_moment_is_found_again() -> None:
    track = tracked(film(bounce, 48, hidden=range(20, 24)), bounce, 5)
    assert track.end == 48 and not track.lost_after
    assert worst(replace(track, boxes=track.boxes[24:], first=24), bounce) < PATCH / 2


def test_another_thing_that_passes_by_is_not_followed() -> None:
    still: Way = lambda k: (0.5, 0.5)  # noqa: E731
    track = tracked(film(still, 48, other=lambda k: (k / 40, 0.75)), still, 0)
    assert track.end == 48 and worst(track, still) < PATCH / 2


def test_the_track_ends_where_the_thing_leaves_the_picture() -> None:
    leaving: Way = lambda k: (0.5 + k / 48, 0.5)  # noqa: E731  (its centre at 1 at frame 24)
    track = tracked(film(leaving, 48), leaving, 0)
    assert track.lost_after and 22 <= track.end <= 26 and track.boxes.max() <= 1


def test_the_track_ends_where_the_thing_is_gone() -> None:
    still: Way = lambda k: (0.5, 0.5)  # noqa: E731
    track = tracked(film(still, 60, hidden=range(30, 60)), still, 0)
    assert track.lost_after and track.end == 30
    back = tracked(film(still, 60, hidden=range(0, 30)), still, 59)
    assert back.lost_before and (back.first, back.end) == (30, 60) and not back.lost_after


def test_a_track_that_settles_on_a_thing_that_looks_the_same_is_doubtful() -> None:
    still: Way = lambda k: (0.4, 0.5)  # noqa: E731
    near: Way = lambda k: (0.6, 0.5)  # noqa: E731
    films = [film(still, 48, hidden=range(first, last), other=near, alike=True) for first, last in ((24, 48), (0, 24))]
    for frames, start in zip(films, (0, 47), strict=True):
        track = tracked(frames, still, start)
        assert track.is_doubtful and (track.first, track.end) == (0, 48) and worst(track, still) > 0.19


def test_a_thing_beside_its_like_and_one_that_comes_back_are_not_doubtful() -> None:
    still: Way = lambda k: (0.4, 0.5)  # noqa: E731
    beside = tracked(film(still, 48, other=lambda k: (0.55, 0.5), alike=True), still, 20)
    covered = tracked(film(bounce, 48, hidden=range(20, 24)), bounce, 5)
    assert worst(beside, still) < PATCH / 2 and not beside.is_doubtful and not covered.is_doubtful


def test_an_even_area_stands_still_and_is_told() -> None:
    follower = BoxFollower((0.2, 0.2, 0.4, 0.4), 3, 0, RATE)
    for _ in range(6):
        follower.push(torch.full((3, HEIGHT, WIDTH), 90, dtype=torch.uint8))
    track = follower.track()
    assert track.is_plain and (track.first, track.end) == (0, 6)
    torch.testing.assert_close(track.boxes, torch.tensor([0.2, 0.2, 0.4, 0.4]).expand(6, -1))


def test_a_box_behind_the_last_frame_is_our_mistake() -> None:
    with pytest.raises(ValueError, match="frame 9 was not pushed"):
        tracked(film(bounce, 4), bounce, 9)


def test_only_the_last_frames_before_the_box_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openfoley.media.tracking.MOST_HELD", 8)
    assert MOST_HELD > 1000
    still: Way = lambda k: (0.5, 0.5)  # noqa: E731
    track = tracked(film(still, 20), still, 15)
    assert (track.first, track.end) == (7, 20) and track.lost_before


def test_frames_are_as_large_as_the_box_needs_and_keep_the_aspect() -> None:
    info = VideoInfo(Path("a.mp4"), Fraction(8), Fraction(0), 1920, 1080, 0, Fraction(60), 0)
    small, large = (tracking_request(info, (0, 0, side, side)) for side in (0.05, 0.9))
    assert small.width == 224 and small.height == 126 and small.rate == 30
    assert large.width == 64 and large.height == 36
