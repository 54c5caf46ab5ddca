"""AVI counts frames; an empty chunk repeats the picture before it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
import torch
from numbered_videos import number_of, write_numbered

from openfoley.media.frames import FrameRequest
from openfoley.media.source import Source
from openfoley.media.write.mux import NewSound, mux

RATE = Fraction(25)
TIMES = [0, 1, 2, 3, 6, 7, 8, 9, 13, 14, 15, 20, 21]  # FFmpeg writes empty chunks between
SHOWN = [max(n for n, time in enumerate(TIMES) if time <= k) for k in range(22)]


def numbers(source: Source) -> list[int]:
    return [number_of(f) for c in source.chunks([FrameRequest("x", RATE, 64, 128)]) for f in c.frames]


def emptied(path: Path, pictures: set[int]) -> None:
    """These pictures become empty chunks, in the index as well, each with padding in place of its data."""
    data = bytearray(path.read_bytes())
    at, index = data.index(b"movi") + 4, data.rindex(b"idx1") + 8
    for number in range(max(pictures) + 1):
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        size += size % 2
        if number in pictures:
            data[at + 4 : at + 16] = bytes(4) + b"JUNK" + (size - 8).to_bytes(4, "little")
            data[index + 16 * number + 12 : index + 16 * number + 16] = bytes(4)
        at += 8 + size
    path.write_bytes(data)


@pytest.mark.parametrize(("codec", "bf"), [("mpeg4", "0"), ("mpeg4", "2"), ("libx264", "0"), ("mjpeg", "0")])
def test_a_repeated_picture_keeps_its_place(tmp_path: Path, codec: str, bf: str) -> None:
    pixel_format = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    options = {} if codec == "mjpeg" else {"bf": bf}
    path = write_numbered(tmp_path / "a.avi", TIMES, 1 / RATE, codec=codec, options=options, pixel_format=pixel_format)
    source = Source.file(path)
    assert (source.info.frame_rate, source.info.duration, numbers(source)) == (RATE, 22 / RATE, SHOWN)
    for suffix in (".avi", ".mkv", ".mp4"):
        sound = iter([torch.zeros(2, round(source.info.duration * 44_100))])
        out = tmp_path / f"out{suffix}"
        mux(path, sound, NewSound(44_100), out, source.timeline)
        copy = Source.file(out)
        assert (copy.info.duration, numbers(copy)) == (22 / RATE, SHOWN)


@pytest.mark.parametrize("held", [2, 20])
def test_the_last_picture_is_held_as_long_as_it_is_repeated(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, held: int
) -> None:
    """Where the index counts the empty chunks, they are no missing end."""
    path = write_numbered(tmp_path / "a.avi", list(range(50)), 1 / RATE, codec="mpeg4", options={"bf": "0", "g": "1"})
    emptied(path, {7, *range(50 - held, 50)})
    source = Source.file(path)
    last = 49 - held
    assert source.info.duration == 2
    assert numbers(source) == [*range(7), 6, *range(8, last + 1), *[last] * held]
    assert not [record for record in caplog.records if "cut short" in record.getMessage()]
