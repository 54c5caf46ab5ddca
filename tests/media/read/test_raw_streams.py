"""Raw elementary streams: every picture in the order shown, at the stream's own rate, and so in a copy."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from numbered_videos import number_of, write_numbered

from openfoley.media.frames import FrameRequest
from openfoley.media.source import Source
from openfoley.media.write.mux import NewSound, mux
from openfoley.media.write.rehearsal import Rehearsal

COUNT = 40
CODECS = {"h264": "libx264", "hevc": "libx265", "m2v": "mpeg2video", "m4v": "mpeg4", "obu": "libsvtav1", "h263": "h263"}
RATES = [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(50), Fraction(60000, 1001)]


def raw(tmp_path: Path, suffix: str, rate: Fraction, **options: str) -> Path:
    path = tmp_path / f"a.{suffix}"
    return write_numbered(path, list(range(COUNT)), 1 / rate, codec=CODECS[suffix], rate=rate, options=options)


def numbers(source: Source) -> list[int]:
    request = FrameRequest("x", source.info.frame_rate, 64, 128)
    return [number_of(frame) for chunk in source.chunks([request]) for frame in chunk.frames]


def copied(path: Path, out: Path) -> Source:
    """With a new sound, after a rehearsal."""
    source = Source.file(path, rehearsal=Rehearsal(out))
    sound = torch.zeros(2, round(source.info.duration * 44_100))
    mux(path, iter([sound]), NewSound(44_100), out, source.timeline)
    return Source.file(out)


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("suffix", ["h264", "hevc", "m2v"])
def test_pictures_come_in_the_order_shown_at_the_stated_rate(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    source = Source.file(raw(tmp_path, suffix, rate, bf="2"))
    assert (source.info.frame_rate, source.info.duration) == (rate, COUNT / rate)
    assert numbers(source) == list(range(COUNT))


@pytest.mark.parametrize("out", [".mp4", ".mov", ".mkv", ".ts"])
@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("h264", {"bf": "0"}),
        ("h264", {"bf": "3", "b-pyramid": "normal", "preset": "medium", "b_strategy": "0"}),
        ("h264", {"bf": "2", "x264-params": "open-gop=1:keyint=8"}),
        ("hevc", {"bf": "4"}),
        ("m2v", {"bf": "2"}),
        ("m4v", {"bf": "2"}),
    ],
)
def test_a_copy_shows_the_same_pictures_from_zero(tmp_path: Path, suffix: str, options: dict, out: str) -> None:
    rate = Fraction(30000, 1001)
    new = copied(raw(tmp_path, suffix, rate, **options), tmp_path / f"out{out}")
    assert (new.info.frame_rate, new.info.duration) == (rate, COUNT / rate)
    assert numbers(new) == list(range(COUNT))
    if out != ".ts":
        assert new.info.start == 0
    with av.open(str(tmp_path / f"out{out}")) as container:
        times = [(p.pts, p.dts) for p in container.demux(video=0) if p.size]
    assert all(dts is None or pts >= dts for pts, dts in times)
    orders = [dts for _, dts in times if dts is not None]
    assert orders == sorted(set(orders))


def test_a_stream_that_states_no_rate_has_25_and_says_how_to_state_another(tmp_path: Path, caplog) -> None:
    path = raw(tmp_path, "obu", Fraction(50))
    with caplog.at_level(logging.WARNING):
        source = Source.file(path)
    assert (source.info.frame_rate, numbers(source)) == (25, list(range(COUNT)))
    assert "states no frame rate: 25 Hz is assumed" in caplog.text and "--default-duration" in caplog.text


def test_a_stream_that_begins_within_a_group_of_pictures(tmp_path: Path) -> None:
    """Cut at a byte: what the decoder cannot show is not counted."""
    data = raw(tmp_path, "h264", Fraction(25), bf="2").read_bytes()
    path = tmp_path / "cut.h264"
    path.write_bytes(data[len(data) // 5 :])
    new = copied(path, tmp_path / "out.mp4")
    seen = numbers(Source.file(path))
    assert len(seen) >= COUNT // 2 and seen == list(range(seen[0], COUNT))
    assert numbers(new) == seen and new.info.duration == Fraction(len(seen), 25)
