"""Masks as frames: boxes that move, files of another size and rate, and what is refused."""

import logging
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import Tensor

from openfoley.errors import MediaError, UsageError
from openfoley.media.frames import FrameRequest, VideoInfo
from openfoley.media.source import Source
from openfoley.media.tracking import Track
from openfoley.media.write.encode import write_video
from openfoley.region import Box
from openfoley.synthesis.picture_masks import FollowedBox, PictureMask, followed_box, greyed, is_empty, mask_file
from openfoley.timeline.shots import Shot, shots_of

WIDTH, HEIGHT, RATE = 64, 48, Fraction(24)
SQUASHED = FrameRequest("sync", Fraction(12), 24, 16)
INFO = VideoInfo(None, Fraction(2), Fraction(0), WIDTH, HEIGHT, 0, RATE, 0)


def square(time: float) -> tuple[int, int]:
    """Left and top edge of a square of 12 x 12 pixels that goes to and fro."""
    return round(2 + 46 * abs(1 - time)), round(4 + 16 * time)


def film(seconds: float = 2.0, rate: Fraction = RATE, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Iterator[Tensor]:
    """White squares on black."""
    for k in range(round(seconds * rate)):
        frame = torch.zeros(1, 3, size[1], size[0], dtype=torch.uint8)
        left, top = square(float(k / rate))
        scale = size[0] // WIDTH
        frame[..., top * scale : (top + 12) * scale, left * scale : (left + 12) * scale] = 255
        yield frame


def written(path: Path, pictures: Iterator[Tensor], rate: Fraction = RATE) -> Path:
    write_video(path, pictures, rate)
    return path


def frames_of(mask: PictureMask, request: FrameRequest) -> Tensor:
    chunks = list(mask.frames(request))
    assert [c.first_index for c in chunks] == [sum(len(b.frames) for b in chunks[:k]) for k in range(len(chunks))]
    return torch.cat([chunk.frames for chunk in chunks])


def test_a_box_covers_its_part_of_each_pixel() -> None:
    shot = Shot(0, Fraction(0), Fraction(2), "start")
    box = torch.tensor([0.25, 0.5, 0.5, 1.0])  # columns 4 to 7 of 16, rows 12 to 23 of 24
    frames = frames_of(FollowedBox(Track(0, box.expand(48, 4)), RATE, shot, INFO), SQUASHED)
    expected = torch.zeros(24, 16)
    expected[12:, 4:8] = 255
    assert frames.shape == (24, 3, 24, 16) and torch.equal(frames[5, 1].float(), expected)
    half = torch.tensor([0.25 + 1 / 32, 0.5, 0.5, 1.0])  # begins in the middle of column 4
    frames = frames_of(FollowedBox(Track(0, half.expand(48, 4)), RATE, shot, INFO), SQUASHED)
    assert frames[0, 0, 20, 3:9].tolist() == [0, 128, 255, 255, 255, 0]


def test_a_box_is_hidden_outside_of_its_track_and_shot() -> None:
    shot = Shot(1, Fraction(1), Fraction(2), "reset")
    track = Track(28, torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(12, 4))  # 28/24 to 40/24 s
    seen = frames_of(FollowedBox(track, RATE, shot, INFO), SQUASHED).flatten(1).any(1)
    assert [k for k in range(24) if seen[k]] == list(range(14, 20))


def test_a_box_lies_where_the_centre_of_the_picture_is_cut_out() -> None:
    """64 x 48 at the height of 24 is 32 x 24, of which columns 4 to 27 are seen."""
    cover = FrameRequest("sync", Fraction(12), 24, 24, "cover", "bicubic")
    shot = Shot(0, Fraction(0), Fraction(2), "start")
    track = Track(0, torch.tensor([0.25, 0.0, 0.5, 0.5]).expand(48, 4))  # columns 8 to 15 of 32
    frames = frames_of(FollowedBox(track, RATE, shot, INFO), cover)
    assert frames[0, 0, 3].nonzero().flatten().tolist() == list(range(4, 12))
    outside = FollowedBox(Track(0, torch.tensor([0.0, 0.0, 0.1, 1.0]).expand(48, 4)), RATE, shot, INFO)
    assert is_empty(outside, cover) and not is_empty(outside, SQUASHED)


def test_a_followed_box_lies_on_the_square_in_its_shot(tmp_path: Path) -> None:
    source = Source.file(written(tmp_path / "a.mp4", film()))
    shots = shots_of(Fraction(2), [], "none")
    left, top = square(0.5)
    box = Box(left / WIDTH, top / HEIGHT, (left + 12) / WIDTH, (top + 12) / HEIGHT, Fraction(1, 2))
    mask = followed_box(box, shots[0], source)
    request = FrameRequest("sync", RATE, HEIGHT, WIDTH)
    ours, truth = frames_of(mask, request)[:, 0] > 127, torch.cat(list(film()))[:, 0] > 127
    overlap = (ours & truth).flatten(1).sum(1) / (ours | truth).flatten(1).sum(1)
    assert overlap.min() > 0.6, overlap


def test_a_mask_video_is_what_it_shows_at_each_time_and_in_each_size(tmp_path: Path) -> None:
    """Another rate and size, the same aspect."""
    path = written(tmp_path / "m.mp4", film(2.5, Fraction(48), (128, 96)), Fraction(48))
    mask = mask_file(path, INFO)
    assert mask.said == (
        "its 128x96 are scaled to 64x48", "its 48 frames per second are matched by time with the video's 24",
        "of its 2.500 s the first 2.000 are used",
    )  # fmt: skip
    frames = frames_of(mask, FrameRequest("sync", RATE, HEIGHT, WIDTH))
    truth = torch.cat(list(film()))
    assert frames.shape == truth.shape and (frames.float() - truth).abs().mean() < 3
    far = torch.nn.functional.max_pool2d(truth.float(), 9, 1, 4) == 0
    assert not frames[far].any(), "what a codec leaves of black is black"


def test_a_still_mask_holds_at_all_times_and_a_mask_s_last_picture_to_the_end(tmp_path: Path) -> None:
    still = written_png(tmp_path / "m.png", next(film())[0])
    frames = frames_of(mask_file(still, INFO), FrameRequest("sync", RATE, HEIGHT, WIDTH))
    assert frames.shape[0] == 48 and torch.equal(frames, next(film()).expand(48, -1, -1, -1))
    path = written(tmp_path / "m.mp4", film(2 - 1 / 24))
    frames = frames_of(mask_file(path, INFO), FrameRequest("sync", RATE, HEIGHT, WIDTH))
    assert torch.equal(frames[47], frames[46]) and frames[47].any()


def written_png(path: Path, picture: Tensor) -> Path:
    import av

    frame = av.VideoFrame.from_ndarray(picture.permute(1, 2, 0).contiguous().numpy(), format="rgb24")
    with av.open(str(path), "w", format="image2", options={"update": "1"}) as out:
        stream = out.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = picture.shape[2], picture.shape[1], "rgb24"
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            out.mux(packet)
    return path


def test_masks_that_do_not_fit_are_refused_in_one_line(tmp_path: Path, make_video: Callable[..., Path]) -> None:
    (tmp_path / "text.png").write_text("no picture")
    black = (torch.full((1, 3, HEIGHT, WIDTH), 12, dtype=torch.uint8) for _ in range(48))
    for path, error, says in (
        (written(tmp_path / "wide.mp4", film(size=(128, 48))), UsageError, "is 128x48, the video 64x48: .* export"),
        (
            written(tmp_path / "short.mp4", film(1.5)),
            UsageError,
            r"ends at 1.500 s, the video at 2.000 s; .* still image",
        ),
        (written(tmp_path / "black.mp4", black), UsageError, "is black throughout and selects nothing; paint"),
        (tmp_path / "none.png", UsageError, "none.png does not exist"),
        (tmp_path / "text.png", MediaError, "text.png"),
    ):
        with pytest.raises(error, match=says) as caught:
            mask_file(path, INFO)
        assert "\n" not in str(caught.value)


def test_the_user_is_told_once_where_a_box_is_lost(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    frames = list(film())
    for frame in frames[30:]:
        frame.zero_()
    source = Source.file(written(tmp_path / "a.mp4", iter(frames)))
    left, top = square(0)
    box = Box(left / WIDTH, top / HEIGHT, (left + 12) / WIDTH, (top + 12) / HEIGHT)
    with caplog.at_level(logging.WARNING):
        mask = followed_box(box, shots_of(Fraction(2), [], "none")[0], source)
    (line,) = caplog.messages
    assert "could be followed from 0.00 to 1.25 s only" in line
    seen = frames_of(mask, SQUASHED).flatten(1).any(1)
    assert [k for k in range(24) if seen[k]] == list(range(15))


def test_greyed_pictures_keep_what_is_seen_and_are_grey_elsewhere() -> None:
    pictures = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    masks = torch.zeros(2, 3, 4, 4, dtype=torch.uint8)
    masks[..., :2] = 255
    changed = greyed(pictures, masks, 128)
    assert torch.equal(changed[..., :2], pictures[..., :2]) and bool((changed[..., 2:] == 128).all())
