"""Wherever a file's clock starts, every frame is shown, and a copy with new sound lasts as long."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
import torch
from numbered_videos import number_of, write_numbered

from openfoley.media.frames import FrameRequest
from openfoley.media.read.frame_times import believable
from openfoley.media.source import Source
from openfoley.media.write.mux import NewSound, mux

COUNT = 50
RATE = Fraction(25)
ROLLOVER_S = Fraction(2**33, 90_000)  # a transport stream's times have 33 bits of 1/90000 s


def numbers(source: Source) -> list[int]:
    requests = [FrameRequest("x", source.info.frame_rate, 64, 128)]
    return [number_of(f) for c in source.chunks(requests) for f in c.frames]


def copied(path: Path, out: Path) -> Path:
    source = Source.file(path)
    mux(path, iter([torch.zeros(2, round(source.info.duration * 44_100))]), NewSound(44_100), out, source.timeline)
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
                    if getattr(packet, name) is not None:
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


RATES = [Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(50), Fraction(60000, 1001)]
CODECS = {".webm": "libvpx-vp9", ".mpg": "mpeg2video", ".avi": "mpeg4"}  # else H.264
BELOW_ZERO, LATER = [Fraction(-7, 10)], [Fraction(0), Fraction(3, 2), Fraction(60)]
STARTS = {
    **dict.fromkeys((".mkv", ".webm", ".ts", ".mpg", ".flv"), BELOW_ZERO + LATER),
    **dict.fromkeys((".mp4", ".mov"), LATER),  # what lies below zero is left out by an edit list
    ".avi": [Fraction(0)],  # tells no time
}


def numbered_from(path: Path, rate: Fraction, offset_s: Fraction) -> Path:
    plain = path.with_name(f"plain{path.suffix if path.suffix in CODECS else '.mp4'}")
    codec = CODECS.get(path.suffix, "libx264")
    options = {} if path.suffix == ".webm" else {"bf": "2", "g": "12"}
    write_numbered(plain, list(range(COUNT)), 1 / rate, last_duration=1, rate=rate, codec=codec, options=options)
    return remuxed(plain, path, offset_s)


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: f"{float(rate):.3f}")
@pytest.mark.parametrize(
    ("suffix", "offset_s"), [(suffix, start) for suffix, starts in STARTS.items() for start in starts]
)
def test_a_file_is_the_same_wherever_it_starts(tmp_path: Path, suffix: str, rate: Fraction, offset_s: Fraction) -> None:
    path = numbered_from(tmp_path / f"a{suffix}", rate, offset_s)
    source = Source.file(path)
    assert (source.info.frame_rate, source.info.duration) == (rate, COUNT / rate)
    assert numbers(source) == list(range(COUNT))
    out = Source.file(copied(path, tmp_path / f"out{'.mkv' if suffix in ('.mpg', '.flv') else suffix}"))
    assert (out.info.frame_rate, out.info.duration) == (rate, COUNT / rate)
    assert numbers(out) == list(range(COUNT))
    if offset_s < 0 and suffix != ".ts":
        assert out.info.start == 0


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("offset_s", [Fraction(-5, 2), Fraction(-7, 10)], ids=float)
@pytest.mark.parametrize("bf", ["0", "2"])
def test_variable_times_below_zero_are_kept(tmp_path: Path, bf: str, offset_s: Fraction, suffix: str) -> None:
    gaps = [40, 20, 80, 33, 47, 20, 120, 40] * 5
    times = [sum(gaps[:k]) for k in range(len(gaps))]
    plain = write_numbered(tmp_path / "plain.mkv", times, Fraction(1, 1000), last_duration=40, options={"bf": bf})
    path = remuxed(plain, tmp_path / "a.mkv", offset_s)
    pairs = (
        (Source.file(plain), Source.file(path)),
        (Source.file(copied(plain, tmp_path / f"p{suffix}")), Source.file(copied(path, tmp_path / f"o{suffix}"))),
    )
    for expected, source in pairs:
        assert source.timeline is not None and expected.timeline is not None
        # MP4 tells lengths of frames in the order of decoding, so that the last one shown has no length of its own
        tolerance_s = Fraction(1, 20) if suffix == ".mp4" and bf != "0" else 0
        assert abs(source.info.duration - expected.info.duration) <= tolerance_s
        instants = [n * source.timeline.unit for n in source.timeline.instants]
        assert instants == [n * expected.timeline.unit for n in expected.timeline.instants]
        assert len(instants) == len(gaps)


FILES = Path(__file__).parent / "files"  # PyAV has no encoder of Theora


@pytest.mark.parametrize(
    ("name", "rate", "start", "pictures"),
    [
        ("theora_25.ogv", Fraction(25), 0, [*range(6), 5, *range(7, 50), *[49] * 10]),
        ("theora_24000_from_0.7.ogv", Fraction(24000, 1001), -1, list(range(16, 50))),
        ("theora_60000_from_0.7.ogv", Fraction(60000, 1001), -10, list(range(32, 50))),
    ],
)
def test_theora_repeats_pictures_and_starts_below_zero(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, rate: Fraction, start: int, pictures: list[int]
) -> None:
    """A repeated picture is an empty packet; a copy begins with the key frame before its start."""
    source = Source.file(FILES / name)
    assert (source.info.frame_rate, source.info.start * rate) == (rate, start)
    assert (source.info.duration * rate, numbers(source)) == (len(pictures), pictures)
    out = Source.file(copied(FILES / name, tmp_path / "out.mkv"))
    assert (out.info.start, out.info.frame_rate) == (0, rate)
    kept = pictures[: pictures.index(49) + 1]  # a copy lacks what is repeated at the end
    assert (out.info.duration * rate, numbers(out)) == (len(kept), kept)
    assert not caplog.records


def test_times_of_days_are_believed_of_the_larger_part_alone() -> None:
    pts = [*range(0, 1000, 40), *range(2**31, 2**31 + 1200, 40)]
    assert believable(pts, Fraction(1, 1000), None) == pts[25:]
    assert believable([0, 40, 10**6, 10**6 + 40], Fraction(1, 1000), None) == [0, 40, 10**6, 10**6 + 40]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
@pytest.mark.parametrize("split", [4, 12, 18])
def test_a_key_frame_across_two_packets_of_a_programme_stream(tmp_path: Path, split: int, suffix: str) -> None:
    """Its time is that of the picture behind it, the first that begins there; FFmpeg gives it to the key frame."""
    options = {"bf": "2", "g": "12"}
    plain = write_numbered(
        tmp_path / "plain.mpg", list(range(COUNT)), 1 / RATE, codec="mpeg2video", rate=RATE, options=options
    )
    with av.open(str(plain)) as source:
        packets = [(bytes(p), p.pts, p.dts) for p in source.demux(video=0) if p.size]
    path = tmp_path / "a.mpg"
    path.write_bytes(programme_stream(packets, key=10, split=split))
    with av.open(str(path)) as container:
        times = [p.pts for p in container.demux(video=0) if p.size]
    assert len(set(times)) < COUNT or times != [pts for _, pts, _ in packets]  # what there is to mend
    source = Source.file(path)
    assert (source.info.frame_rate, source.info.duration, numbers(source)) == (RATE, COUNT / RATE, list(range(COUNT)))
    out = Source.file(copied(path, tmp_path / f"out{suffix}"))
    assert (out.info.start, out.info.duration, numbers(out)) == (0, COUNT / RATE, list(range(COUNT)))


def programme_stream(pictures: list[tuple[bytes, int, int]], key: int, split: int) -> bytes:
    """MPEG-2 pictures (data, pts, dts), one PES packet each; the first `split` bytes of picture number `key` lie in the
    packet of the one before it, the others in that of the one behind it. ISO/IEC 13818-1 section 2.5.3."""
    before, own, after = (data for data, _, _ in pictures[key - 1 : key + 2])
    data = [data for data, _, _ in pictures]
    data[key - 1 : key + 2] = [before + own[:split], own[split:] + after]
    pictures = pictures[:key] + pictures[key + 1 :]
    pack = bytes.fromhex("000001ba 44 00 04 00 04 01 01 89 c3 f8")
    out = b"".join(pack + pes(d, pts, dts) for d, (_, pts, dts) in zip(data, pictures, strict=True))
    return out + b"\0\0\1\xb9"


def pes(data: bytes, pts: int, dts: int) -> bytes:
    fields = b"".join(
        bytes([mark << 4 | t >> 29 & 14 | 1, t >> 22 & 255, t >> 14 & 254 | 1, t >> 7 & 255, t << 1 & 254 | 1])
        for mark, t in ((3, pts), (1, dts))
    )
    body = bytes([0x80, 0xC0, 10]) + fields + data
    return b"\0\0\1\xe0" + len(body).to_bytes(2, "big") + body
