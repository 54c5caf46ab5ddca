"""A damaged file is read as far as it goes, at the right times and with one warning, or refused if requested."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from numbered_videos import number_of, numbered, write_numbered

from openfoley.errors import MediaError
from openfoley.media.frames import FrameRequest
from openfoley.media.source import Source

COUNT = 50
RATE = Fraction(25)


def numbers(source: Source) -> list[int]:
    return [number_of(f) for c in source.chunks([FrameRequest("x", RATE, 64, 128)]) for f in c.frames]


def write(path: Path, **more) -> Path:
    return write_numbered(path, list(range(COUNT)), 1 / RATE, last_duration=1, **more)


def refused(path: Path) -> str:
    with pytest.raises(MediaError) as caught:
        list(Source.file(path, strict=True).chunks([FrameRequest("x", RATE, 64, 128)]))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("trailer", [b"abcdEFGH" * 90 + b"8db42d694ccc418790edff439fe026bf", bytes(7) + b"\xff" * 99])
@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_a_trailer_behind_the_boxes_is_not_part_of_the_video(tmp_path, caplog, name, trailer):
    path = write(tmp_path / name)
    path.write_bytes(path.read_bytes() + trailer)
    source = Source.file(path)
    assert source.info.duration == 2 and numbers(source) == list(range(COUNT))
    assert [r.message for r in caplog.records if "no box" in r.message and str(len(trailer)) in r.message]
    assert "no box" in refused(path)


def test_padding_with_zeros_is_no_damage(tmp_path, caplog):
    path = write(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes() + bytes(500))
    assert Source.file(path, strict=True).info.duration == 2 and not caplog.records


@pytest.mark.parametrize("order", [(40, 50), (50, 40)])
def test_joined_transport_streams_play_one_after_the_other(tmp_path, caplog, order):
    parts = []
    for k, count in enumerate(order):
        part = tmp_path / f"{k}.ts"
        write_numbered(part, list(range(count)), 1 / RATE, last_duration=1, sound=True, options={"bf": "2"})
        parts.append(part.read_bytes())
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(parts))
    source = Source.file(path)
    first, second = order
    assert source.info.duration == Fraction(first + second, 25) and source.info.frame_rate == 25
    assert source.timeline is not None
    (join,) = source.timeline.times.joins
    assert len(parts[0]) <= join.position < len(parts[0]) + 188 * 8 and join.shift == Fraction(first, 25)
    read = numbers(source)
    assert read[: first - 1] == list(range(first - 1)) and read[first:] == list(range(second))


def test_three_joined_streams_keep_their_lengths(tmp_path):
    part = write(tmp_path / "a.ts").read_bytes()
    (tmp_path / "b.ts").write_bytes(part * 3)
    source = Source.file(tmp_path / "b.ts")
    assert source.info.duration == 6
    assert source.timeline is not None and [j.shift for j in source.timeline.times.joins] == [2, 4]


def test_a_stream_that_ends_in_the_middle_of_a_packet(tmp_path, caplog):
    path = write(tmp_path / "a.ts")
    raw = path.read_bytes()
    path.write_bytes(raw + raw[-188 * 3 : -188 * 3 + 100])
    source = Source.file(path)
    assert source.info.duration == 2 and numbers(source) == list(range(COUNT))
    assert sum("cut short" in r.message for r in caplog.records) == 1
    assert "cut short" in refused(path)


@pytest.mark.parametrize("share", [0.4, 0.6])
def test_time_is_right_behind_a_lost_packet(tmp_path, caplog, share):
    path = write(tmp_path / "a.ts", options={"g": "5", "bf": "0"})
    raw = path.read_bytes()
    packets = [raw[i : i + 188] for i in range(0, len(raw), 188)]
    inner = [i for i, p in enumerate(packets) if (p[1] & 0x1F) << 8 | p[2] == 0x100 and not p[1] & 0x40]
    gone = inner[int(len(inner) * share)]
    path.write_bytes(b"".join(packets[:gone] + packets[gone + 1 :]))
    source = Source.file(path)
    assert source.info.duration == 2
    read = numbers(source)
    assert len(read) == COUNT and sum(a != b for a, b in enumerate(read)) <= 5  # up to the next key frame
    assert read[:10] == list(range(10)) and read[-10:] == list(range(COUNT - 10, COUNT))
    assert 1 <= len(caplog.records) <= 2 and all("damaged" in r.message for r in caplog.records)
    assert "damaged" in refused(path)


@pytest.mark.parametrize("name", ["a.mkv", "v.webm"])
def test_a_torn_matroska_file_is_used_up_to_where_it_was_torn(tmp_path, caplog, name):
    path = write(tmp_path / name, codec="libvpx-vp9" if name == "v.webm" else "libx264")
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * 0.7)])
    source = Source.file(path)
    read = numbers(source)
    assert 0.5 < source.info.duration < 2 and len(read) == source.info.duration * RATE
    assert read[:-1] == list(range(len(read) - 1)) and read[-1] in (len(read) - 1, len(read) - 2)
    assert sum("cut short" in r.message for r in caplog.records) == 1
    assert "cut short" in refused(path)


@pytest.mark.parametrize("name", ["a.mp4", "m.avi"])
def test_a_hole_in_the_picture_changes_no_time(tmp_path, name):
    more = {"codec": "mjpeg", "pixel_format": "yuvj420p"} if name == "m.avi" else {"options": {"g": "5"}}
    path = write(tmp_path / name, **more)
    raw = bytearray(path.read_bytes())
    middle = len(raw) * 2 // 5
    middle = raw.index(b"00dc", middle) + 40 if name == "m.avi" else middle  # the chunk's header stays
    raw[middle : middle + 60] = bytes(60)
    path.write_bytes(raw)
    read = numbers(Source.file(path))
    assert len(read) == COUNT and read[:5] == list(range(5)) and read[-15:] == list(range(COUNT - 15, COUNT))


def test_what_cannot_be_decoded_at_all_is_refused(tmp_path):
    path = write(tmp_path / "a.mp4")
    raw = bytearray(path.read_bytes())
    start = raw.index(b"mdat") + 4
    raw[start : raw.index(b"moov") - 4] = bytes(raw.index(b"moov") - 4 - start)
    path.write_bytes(raw)
    with pytest.raises(MediaError, match="cannot be decoded"):
        Source.file(path)


def with_sound(path: Path, picture_s: float, sound_s: float, **tags: str) -> Path:
    """Pictures at 25 Hz for a part of the time, sound for all of it."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast", "bf": "0"})
        stream.height, stream.width, stream.pix_fmt = 64, 128, "yuv420p"
        tone = out.add_stream("pcm_s16le" if path.suffix in (".mkv", ".mov") else "aac", rate=48000, layout="mono")
        for k in range(round(picture_s * 25)):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((64, 128, 3), 9 * k % 250, np.uint8), "rgb24")))
        out.mux(stream.encode(None))
        frame = av.AudioFrame.from_ndarray(np.zeros((1, round(sound_s * 48000)), np.int16), "s16", "mono")
        frame.sample_rate, frame.pts = 48000, 0
        out.mux([*tone.encode(frame), *tone.encode(None)])
    return path


@pytest.mark.parametrize("name", ["a.mkv", "a.mov", "a.mp4", "a.flv"])
def test_the_last_picture_stands_still_while_the_sound_lasts(tmp_path, caplog, name):
    source = Source.file(with_sound(tmp_path / name, 0.52, 4.0))
    assert abs(source.info.duration - 4) <= Fraction(1, 10)
    frames = [f for c in source.chunks([FrameRequest("x", Fraction(8), 8, 8)]) for f in c.frames]
    assert len(frames) == -(-source.info.duration * 8 // 1) and all((f == frames[5]).all() for f in frames[5:])
    assert sum("stands still" in r.message for r in caplog.records) == 1


@pytest.mark.parametrize("name", ["a.mkv", "a.mov", "a.mp4"])
@pytest.mark.parametrize("sound_s", [0.3, 2.0, 2.04, 2.4])
def test_sound_of_about_the_same_length_changes_nothing(tmp_path, caplog, name, sound_s):
    caplog.set_level(logging.WARNING)
    assert Source.file(with_sound(tmp_path / name, 2.0, sound_s)).info.duration == 2 and not caplog.records


@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_an_edit_list_that_is_longer_than_its_pictures_holds_the_last(tmp_path, name):
    path = write(tmp_path / name)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"elst") + 12  # behind kind, version with flags, and count: the length of the first entry
    raw[at : at + 4] = (2 * int.from_bytes(raw[at : at + 4], "big")).to_bytes(4, "big")
    path.write_bytes(raw)
    source = Source.file(path)
    assert source.info.duration == 4 and source.info.frame_rate == 25
    assert numbers(source) == [*range(COUNT), *[COUNT - 1] * 50]


@pytest.mark.parametrize("gone", ["zeroed", "dropped"])
def test_an_avi_torn_inside_a_chunk_header_keeps_its_time(tmp_path, caplog, gone):
    """AVI stores no times: behind lost pictures, and lost sound, only its index tells them."""
    more = {"codec": "mjpeg", "pixel_format": "yuvj420p", "sound": True, "sound_codec": "pcm_s16le"}
    raw = write(tmp_path / "whole.avi", **more).read_bytes()
    chunks = [k for k in range(raw.index(b"movi"), raw.rindex(b"idx1")) if raw[k : k + 4] == b"00dc"]
    first, last = chunks[20] + 2, chunks[23] + 6  # the middle of two headers: 20 to 23 are lost
    path = tmp_path / "torn.avi"
    path.write_bytes(raw[:first] + (bytes(last - first) if gone == "zeroed" else b"") + raw[last:])
    source = Source.file(path)
    assert numbers(source) == [*range(20), *[19] * 4, *range(24, COUNT)]
    assert sum("what is there is used" in r.message for r in caplog.records) == 1
    assert "export or copy it again" in refused(path)


def test_the_sound_of_a_torn_avi_stays_at_its_time(tmp_path):
    """100 chunks of 10 ms, each of one value, beside the pictures; five of them and a picture are lost."""
    path, chunks = tmp_path / "a.avi", 100
    with av.open(str(path), "w") as out:
        picture = out.add_stream("mjpeg", rate=25)
        picture.height, picture.width, picture.pix_fmt = 64, 128, "yuvj420p"
        picture.codec_context.thread_count = 1  # whose packets come at once
        tone = out.add_stream("pcm_s16le", rate=48000, layout="mono")
        for k in range(chunks):
            if k % 4 == 0:
                shown = av.VideoFrame.from_ndarray(numbered(k // 4), format="rgb24").reformat(format="yuvj420p")
                shown.pts = k // 4
                out.mux(picture.encode(shown))
            frame = av.AudioFrame.from_ndarray(np.full((1, 480), 100 * k, np.int16), "s16", "mono")
            frame.sample_rate, frame.pts = 48000, 480 * k
            out.mux(tone.encode(frame))
    raw = path.read_bytes()
    sound = [k for k in range(raw.index(b"movi"), raw.rindex(b"idx1")) if raw[k : k + 4] == b"01wb"]
    path.write_bytes(raw[: sound[50] + 3] + raw[sound[55] + 3 :])
    whole = Source.file(path, with_sound=True)
    samples = torch.cat(list(whole.sound(0).chunks()), -1)[0]
    values = (samples * 2**15 / 100).round().long()
    lost = values[480 * 48 : 480 * 56].reshape(-1, 480)  # between two pictures the chunks are all of one size
    assert torch.equal(values[: 480 * 48 : 480], torch.arange(48)) and 4 <= (lost == 0).all(-1).sum() <= 6
    assert torch.equal(values[480 * 56 :: 480], torch.arange(56, 100))


@pytest.mark.parametrize("gone", ["zeroed", "dropped"])
@pytest.mark.parametrize("sound", [False, True])
def test_a_hole_in_a_matroska_file_is_read_as_far_as_ffmpeg_reads_on(tmp_path, caplog, gone, sound):
    """Behind a hole FFmpeg continues at the next cluster: of a single one nothing is left, of several times stay."""
    path = write(tmp_path / "a.mkv", options={"g": "5", "bf": "0"}, sound=sound)
    raw = path.read_bytes()
    first = raw.index(b"\x1f\x43\xb6\x75")
    hole = first + (len(raw) - first) // 2
    path.write_bytes(raw[:hole] + (bytes(500) if gone == "zeroed" else b"") + raw[hole + 500 :])
    with av.open(str(path)) as container:
        there = sorted(round(p.pts * p.time_base * 25) for p in container.demux(video=0) if p.pts is not None)
    assert 5 < len(there) < COUNT and (max(there) == COUNT - 1) == sound  # several clusters with sound
    source = Source.file(path)
    read = numbers(source)
    assert source.info.duration * RATE == len(read) == max(there) + 1
    expected = [max(n for n in there if n <= k) for k in range(len(read))]
    assert sum(a != b for a, b in zip(read, expected, strict=True)) <= 5  # the picture at the hole and those after it
    assert all(a <= k for k, a in enumerate(read)) and any("what is there is used" in r.message for r in caplog.records)
    assert "export or copy it again" in refused(path)
