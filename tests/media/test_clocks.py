"""Transport streams near the end of their clock: every frame is shown, and a copy with new sound lasts as long."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from numbered_videos import number_of, write_numbered

from openfoley.media.frames import FrameRequest
from openfoley.media.source import Source
from openfoley.media.write.mux import NewSound, mux

COUNT = 50
RATE = Fraction(25)
ROLLOVER_S = Fraction(2**33, 90_000)  # a transport stream's times have 33 bits of 1/90000 s


def numbers(source: Source) -> list[int]:
    return [number_of(f) for c in source.chunks([FrameRequest("x", RATE, 64, 128)]) for f in c.frames]


def copied(path: Path, out: Path) -> Path:
    source = Source.file(path)
    mux(path, iter([torch.zeros(2, 88_200)]), NewSound(44_100), out, source.timeline)
    return out


def remuxed(path: Path, out: Path, offset_s: Fraction) -> Path:
    """The packets of `path` in `out`, `offset_s` later."""
    with (
        av.open(str(path)) as source,
        av.open(str(out), "w", container_options={"avoid_negative_ts": "disabled"}) as target,
    ):
        streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.size:
                for name in ("pts", "dts"):
                    setattr(packet, name, getattr(packet, name) + round(offset_s / packet.time_base))
                packet.stream = streams[packet.stream_index]
                target.mux(packet)
    return out


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv", ".ts"])
@pytest.mark.parametrize("before_s", [1, 3])
@pytest.mark.parametrize("bf", ["0", "2"])
def test_a_clock_that_rolls_over_or_is_about_to(tmp_path: Path, bf: str, before_s: int, suffix: str) -> None:
    plain = write_numbered(tmp_path / "a.ts", list(range(COUNT)), 1 / RATE, last_duration=1, options={"bf": bf})
    rolled = remuxed(plain, tmp_path / "rolled.ts", ROLLOVER_S - before_s)
    with av.open(str(rolled)) as container:  # FFmpeg counts from the rollover: the video starts below zero
        times = [packet.pts * packet.time_base for packet in container.demux(video=0) if packet.size]
    assert min(times) < 0 and (max(times) > 0) == (before_s == 1)
    source = Source.file(rolled)
    assert (source.info.duration, source.info.frame_rate) == (2, 25) and numbers(source) == list(range(COUNT))
    out = Source.file(copied(rolled, tmp_path / f"out{suffix}"))
    assert out.info.duration == 2 and numbers(out) == list(range(COUNT))
