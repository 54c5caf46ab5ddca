"""Faults of a file are reported in one line, and unusual names are plain names."""

from __future__ import annotations

import struct
from fractions import Fraction

import pytest
import torch
from numbered_videos import number_of, pick_frames, probe, write_numbered

from openfoley.errors import MediaError, UsageError
from openfoley.media.frames import FrameRequest
from openfoley.media.write.sound_file import AudioWriter

KINDS = [
    ("a.mp4", "libx264", "yuv420p"),
    ("a.mkv", "libx264", "yuv420p"),
    ("v.webm", "libvpx-vp9", "yuv420p"),
    ("h.mp4", "libx265", "yuv420p"),
    ("p.mov", "prores_ks", "yuv422p10le"),
    ("m.avi", "mjpeg", "yuvj420p"),
]


def decode(path, strict=True) -> list[int]:
    requests = [FrameRequest("x", Fraction(25), 64, 128)]
    return [number_of(f) for c in pick_frames(path, requests, strict=strict) for f in c.frames]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    return {
        n: write_numbered(folder / n, list(range(75)), Fraction(1, 25), codec=c, pixel_format=p, last_duration=1)
        for n, c, p in KINDS
    }


@pytest.mark.parametrize("name", [k[0] for k in KINDS])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.97])
def test_cut_short(tmp_path, files, name, share):
    raw = files[name].read_bytes()
    path = tmp_path / name
    path.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(MediaError, match="cut short|damaged") as caught:
        decode(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [k[0] for k in KINDS])
def test_hole_in_the_middle(tmp_path, files, name):
    raw = bytearray(files[name].read_bytes())
    hole = slice(len(raw) * 2 // 5, len(raw) * 2 // 5 + max(300, len(raw) // 50))
    raw[hole] = bytes(hole.stop - hole.start)
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(MediaError, match="damaged|no picture") as caught:  # a hole in MP4's index may hide the stream
        decode(path)
    assert "\n" not in str(caught.value)


def webp(flags: int) -> bytes:
    """An extended WebP header of a 160 x 90 picture with one empty chunk."""
    body = (
        b"WEBPVP8X" + struct.pack("<IBxxx", 10, flags) + bytes([159, 0, 0, 89, 0, 0]) + b"ANIM" + struct.pack("<I", 0)
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body + bytes(99)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"just words\n" * 99, "not a readable media file"),
        ("list.mp4", b"ffconcat version 1.0\nfile '/etc/hostname'\n", "not a readable media file"),
        ("zeros.mkv", bytes(5000), "not a readable media file"),
        ("s.mp4", b"1\n00:00:01,000 --> 00:00:02,000\nhi\n\n" * 50, "no picture"),
        (
            "i.png",
            bytes.fromhex(
                "89504e470d0a1a0a0000000d494844520000000100000001080200000090775"
                "3de0000000c4944415408d763f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
            ),
            "still image",
        ),
        ("animated.webp", webp(flags=2), "animated WebP"),
        ("still.webp", webp(flags=0), "still image"),
    ],
)
def test_what_is_no_video(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MediaError, match=words):
        probe(tmp_path / name)


def test_sound_only_directory_missing_and_device(tmp_path):
    with AudioWriter(tmp_path / "a.wav", 44100) as writer:
        writer.write(torch.zeros(2, 99))
    with pytest.raises(MediaError, match="only sound"):
        probe(tmp_path / "a.wav")
    for path, words in ((tmp_path, "directory"), (tmp_path / "no", "does not exist"), ("/dev/null", "regular")):
        with pytest.raises(UsageError, match=words):
            probe(path)


@pytest.mark.parametrize(
    "name",
    [
        "concat:a|b.mp4",
        "-y.mp4",
        "new\nline.mp4",
        "http:x.mp4",
        "img%03d.mp4",
        "ü 你好.mp4",
        "pipe:0",
        "noext",
    ],
)
def test_strange_names_are_plain_files(tmp_path, monkeypatch, files, name):
    (tmp_path / name).write_bytes(files["a.mp4"].read_bytes())
    monkeypatch.chdir(tmp_path)
    assert decode(name) == list(range(75))


def test_message_stays_one_line_for_a_name_with_newline(tmp_path):
    (tmp_path / "a\nb.mp4").write_bytes(b"x" * 500)
    with pytest.raises(MediaError) as caught:
        probe(tmp_path / "a\nb.mp4")
    assert "\n" not in str(caught.value)
