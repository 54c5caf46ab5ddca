"""One record for whatever a sound is made for, opened once."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from numbered_videos import number_of, numbered, pick_frames, write_numbered

from openfoley.errors import UsageError
from openfoley.media import source as source_module
from openfoley.media.frames import FrameRequest
from openfoley.media.read import scan as scan_module
from openfoley.media.source import Source

REQUESTS = [FrameRequest("sync", Fraction(24), 64, 128), FrameRequest("semantic", Fraction(8), 32, 64)]


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> Path:
    return write_numbered(
        tmp_path_factory.mktemp("source") / "a.mp4", list(range(50)), Fraction(1, 25), last_duration=1, sound=True
    )


def numbers(source: Source, request: FrameRequest = REQUESTS[0]) -> list[int]:
    return [number_of(frame) for chunk in source.chunks([request]) for frame in chunk.frames]


def test_everything_of_a_short_clip_costs_two_opens_and_one_packet_scan(video, monkeypatch):
    opened, scanned = [], []
    original_open, original_scan = av.open, scan_module.scan
    monkeypatch.setattr(av, "open", lambda *a, **k: (opened.append(1), original_open(*a, **k))[1])
    monkeypatch.setattr(source_module, "scan", lambda *a, **k: (scanned.append(1), original_scan(*a, **k))[1])
    source = Source.file(video)
    assert source.info.duration == 2 and source.start_timecode is None and len(source.sound_streams) == 1
    source.cuts(keep=REQUESTS)
    assert sum(len(chunk.frames) for chunk in source.chunks(REQUESTS)) == 48 + 16
    source.cuts()
    assert (len(opened), len(scanned)) == (2, 1)


def test_cuts_and_frames_are_those_of_passes_of_their_own(video):
    source = Source.file(video)
    assert source.cuts(keep=REQUESTS) == Source.file(video).cuts()
    kept, own = list(source.chunks(REQUESTS)), list(pick_frames(video, REQUESTS))
    assert [(c.name, c.first_index) for c in kept] == [(c.name, c.first_index) for c in own]
    assert all(torch.equal(a.frames, b.frames) for a, b in zip(kept, own, strict=True))
    assert numbers(source) == numbers(source)  # what was kept is given once, then decoded


def test_a_long_video_is_decoded_again_rather_than_kept(video):
    source = Source.file(video, kept_bytes=1000)
    source.cuts(keep=REQUESTS)
    assert numbers(source) == [k * 25 // 24 for k in range(48)]


def test_what_was_kept_for_other_requests_is_not_given(video):
    source = Source.file(video)
    source.cuts(keep=REQUESTS)
    assert {chunk.name for chunk in source.chunks(REQUESTS[1:])} == {"semantic"}


def test_identity_is_the_sha256_of_the_file(video):
    assert Source.file(video).content_hash == hashlib.sha256(video.read_bytes()).hexdigest()


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(5)])
def test_a_tensor_shows_the_frame_of_each_instant(rate):
    frames = torch.stack([torch.from_numpy(numbered(i)).permute(2, 0, 1) for i in range(20)])
    source = Source.tensor(frames, rate)
    assert (source.path, source.info.duration, source.info.frame_rate) == (None, 20 / rate, rate)
    count = -(-20 * 24 // rate)
    assert numbers(source) == [k * rate // 24 for k in range(count)]
    chunks = list(source.chunks([REQUESTS[0]]))
    assert [c.first_index for c in chunks] == [sum(len(c.frames) for c in chunks[:n]) for n in range(len(chunks))]
    assert source.content_hash != Source.tensor(frames.flip(0), rate).content_hash


def test_a_cut_in_a_tensor_is_found():
    generator = torch.Generator().manual_seed(0)
    scenes = [torch.randint(0, 255, (1, 3, 24, 24), dtype=torch.uint8, generator=generator) for _ in range(2)]
    frames = torch.cat([scene.expand(25, -1, -1, -1) for scene in scenes])
    assert Source.tensor(frames, 25).cuts() == (Fraction(1),)


def test_a_still_image_is_shown_for_its_duration(tmp_path):
    picture = numbered(77)
    with av.open(str(tmp_path / "a.png"), "w", format="image2") as out:
        stream = out.add_stream("png", rate=1)
        stream.height, stream.width, stream.pix_fmt = 64, 128, "rgb24"
        out.mux([*stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")), *stream.encode(None)])
    source = Source.still(tmp_path / "a.png", 3.5)
    assert (source.info.duration, source.info.width, source.info.height) == (Fraction(7, 2), 128, 64)
    assert numbers(source) == [77] * 84 and source.cuts() == ()
    frame = torch.cat([chunk.frames for chunk in source.chunks([REQUESTS[0]])])[-1]
    assert (frame.int() - torch.from_numpy(picture).permute(2, 0, 1).int()).abs().float().mean() < 2  # 4:2:0
    with pytest.raises(UsageError, match="still image"):
        Source.still(write_numbered(tmp_path / "v.mp4", [0, 1], Fraction(1, 25)), 2)


def test_nothing_has_a_duration_and_no_pictures():
    source = Source.nothing(2.5)
    assert (source.path, source.info.duration, source.has_picture) == (None, Fraction(5, 2), False)
    assert list(source.chunks(REQUESTS)) == [] and source.cuts(keep=REQUESTS) == () and source.start_timecode is None


@pytest.mark.parametrize("duration", [0, -1, 3601, float("inf"), float("nan")])
def test_a_duration_must_be_finite_and_above_zero(duration):
    with pytest.raises(UsageError, match="duration must be above 0"):
        Source.nothing(duration)


@pytest.mark.parametrize("frames", [torch.zeros(2, 3, 8, 8), torch.zeros(3, 8, 8, dtype=torch.uint8)])
def test_a_tensor_of_another_form_is_refused(frames):
    with pytest.raises(UsageError, match="uint8"):
        Source.tensor(frames, 25)
