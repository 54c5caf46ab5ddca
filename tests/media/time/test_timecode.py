"""Timecode against the standard's own numbers, and exact both ways."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from openfoley.errors import UsageError
from openfoley.media.source import Source
from openfoley.media.time.timecode import (
    Timecode,
    counting_of,
    frames_per_day,
    nominal,
    parse_time,
    parse_timecode,
    timecode_at,
    zero,
)

NTSC = Fraction(30000, 1001)
FAST_NTSC = Fraction(60000, 1001)


@pytest.mark.parametrize(
    ("text", "rate", "frame"),
    [
        ("00:00:59;29", NTSC, 1799),
        ("00:01:00;02", NTSC, 1800),  # ;00 and ;01 are left out
        ("00:10:00;00", NTSC, 17982),  # but not in a tenth minute
        ("01:00:00;00", NTSC, 107892),
        ("01:00:00:00", NTSC, 108000),
        ("00:01:00;04", FAST_NTSC, 3600),
        ("01:00:00;00", FAST_NTSC, 215784),
        ("10:00:00:00", Fraction(25), 900000),
        ("00:00:01:23", Fraction(24000, 1001), 47),
    ],
)
def test_known_timecodes(text: str, rate: Fraction, frame: int) -> None:
    timecode = parse_timecode(text, rate)
    assert timecode.frame == frame and str(timecode) == text
    assert timecode.seconds == frame / rate


@pytest.mark.parametrize("rate", [NTSC, FAST_NTSC])
def test_drop_frame_stays_within_a_few_frames_of_the_clock_all_day(rate: Fraction) -> None:
    counting = counting_of(rate, drop=True)
    for frame in np.random.default_rng(0).integers(0, frames_per_day(counting), 2000).tolist():
        timecode = Timecode(frame, counting)
        assert parse_timecode(str(timecode), rate) == timecode
        hours, minutes, rest = str(timecode).split(":")
        seconds, frames = rest.split(";")
        named = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + Fraction(int(frames), counting.count)
        assert abs(named - timecode.seconds) < Fraction(3, 20)  # 86 ms a day remain, and two numbers
    assert str(Timecode(frames_per_day(counting), counting)) == "00:00:00;00"


def test_every_frame_of_twenty_minutes_has_its_own_number() -> None:
    counting = counting_of(NTSC, drop=True)
    names = [str(Timecode(frame, counting)) for frame in range(36000)]
    assert len(set(names)) == 36000 and names == sorted(names)
    assert not [n for n in names if n.endswith(("00;00", "00;01")) and n[4] != "0"]


@pytest.mark.parametrize(
    ("text", "rate", "says"),
    [
        ("00:01:00;00", NTSC, "does not exist"),
        ("00:00:00;00", Fraction(25), "drop-frame"),
        ("00:00:00:25", Fraction(25), "out of range"),
        ("24:00:00:00", Fraction(25), "out of range"),
        ("00:60:00:00", Fraction(25), "out of range"),
        ("1:2:3", Fraction(25), "HH:MM:SS:FF"),
        ("noon", Fraction(25), "HH:MM:SS:FF"),
    ],
)
def test_wrong_timecodes_say_why(text: str, rate: Fraction, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse_timecode(text, rate)


def test_times_are_seconds_or_timecode_from_the_first_frame() -> None:
    start = parse_timecode("10:00:00:00", Fraction(25))
    assert parse_time("10:00:02:05", start) == Fraction(2) + Fraction(5, 25)
    assert parse_time("2.2", start) == Fraction(11, 5)
    assert parse_time("0", zero(Fraction(24))) == 0
    assert str(timecode_at(Fraction(11, 5), start)) == "10:00:02:05"
    with pytest.raises(UsageError, match="before the video"):
        parse_time("09:59:59:24", start)
    for wrong in ("-1", "nan", "1e3", "", "1/0"):
        with pytest.raises(UsageError):
            parse_time(wrong, start)


def test_midnight_is_passed() -> None:
    start = parse_timecode("23:59:50:00", Fraction(25))
    assert parse_time("00:00:05:00", start) == 15
    assert str(timecode_at(Fraction(15), start)) == "00:00:05:00"


def test_a_drop_frame_video_reads_both_separators() -> None:
    start = parse_timecode("00:59:59;28", NTSC)
    assert parse_time("01:00:00:00", start) == parse_time("01:00:00;00", start) == 2 / NTSC


def test_averaged_rates_mean_their_broadcast_rate() -> None:
    assert nominal(Fraction(2997, 100)) == NTSC and nominal(Fraction(23976, 1000)) == Fraction(24000, 1001)
    assert nominal(Fraction(24)) == 24 and nominal(Fraction(173, 10)) == Fraction(173, 10)


@pytest.mark.parametrize("name", ["a.mov", "a.mp4", "a.mkv"])
@pytest.mark.parametrize("text", ["01:00:00:05", "01:00:00;05"])
def test_files_have_their_start(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=NTSC)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        out.metadata["timecode"] = text
        for _ in range(3):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    assert Source.file(path).start_timecode == parse_timecode(text, NTSC)
    assert str(Source.file(path).timecode("02:00:00:00")) == "02:00:00:00"


def test_a_file_without_timecode_has_none(make_video) -> None:
    assert Source.file(make_video("plain.mp4", duration_s=0.5)).start_timecode is None


@pytest.mark.parametrize("text", ["01:00:00:05", "00:59:59;29"])
def test_sound_files_have_samples_since_midnight(tmp_path: Path, text: str) -> None:
    import struct

    import torch

    from openfoley.media.read.sound_file import read_audio
    from openfoley.media.write.sound_file import AudioWriter

    start = parse_timecode(text, NTSC)
    for name in ("a.wav", "a.flac"):
        with AudioWriter(tmp_path / name, 48000, 2, "24", start) as writer:
            writer.write(torch.full((2, 100), 0.25))
        assert torch.equal(read_audio(tmp_path / name).samples, torch.full((2, 100), 0.25))
    expected = round(start.frame * Fraction(1001, 30000) * 48000)
    data = (tmp_path / "a.wav").read_bytes()
    place = data.index(b"bext")
    assert struct.unpack_from("<I", data, place + 4)[0] == 602
    assert struct.unpack_from("<QH", data, place + 8 + 338) == (expected, 1)
    assert struct.unpack_from("<I", data, 4)[0] == len(data) - 8
    for name in ("a.wav", "a.flac"):
        with av.open(str(tmp_path / name)) as container:
            tags = {key.lower(): value for key, value in container.metadata.items()}
            assert int(tags["time_reference"]) == expected


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv"])
@pytest.mark.parametrize("source_suffix", [".mov", ".mkv"])
def test_a_muxed_video_keeps_its_start_or_takes_the_one_given(tmp_path: Path, suffix: str, source_suffix: str) -> None:
    import torch

    from openfoley.media.write.mux import NewSound, mux

    source = tmp_path / f"source{source_suffix}"
    with av.open(str(source), "w") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        out.metadata["timecode"] = "01:00:00:00"
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    given = parse_timecode("02:00:00:07", Fraction(25))
    for start, expected in ((None, "01:00:00:00"), (given, "02:00:00:07")):
        target = tmp_path / f"out-{start is None}{suffix}"
        mux(source, iter([torch.zeros(2, 8820)]), NewSound(44100, start=start), target)
        assert str(Source.file(target).start_timecode) == expected


def with_track(path: Path, rate: Fraction, timecode: str, track: tuple[int, int, int, int] | None = None) -> Path:
    """A QuickTime file with a timecode track. track: its flags, time scale, frame duration and frames a second, put in
    by hand where FFmpeg's own writer would not write such a track."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=rate)
        stream.height, stream.width, stream.pix_fmt = 32, 32, "yuv420p"
        out.metadata["timecode"] = timecode
        for _ in range(8):
            out.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        out.mux(stream.encode(None))
    if track is not None:
        raw = bytearray(path.read_bytes())
        at = raw.index(b"stsd", raw.index(b"tmcd", raw.index(b"tmcd") + 4) - 60) + 12 + 8 + 6 + 2 + 4
        assert raw[at - 16 : at - 12] == b"tmcd"
        raw[at : at + 13] = struct.pack(">IIIB", *track)
        path.write_bytes(raw)
    return path


@pytest.mark.parametrize(
    ("rate", "track", "counted"),
    [
        (Fraction(60000, 1001), (0, 30000, 1001, 30), Fraction(30000, 1001)),
        (Fraction(50), (0, 25, 1, 25), Fraction(25)),
        (Fraction(50), (0, 2500, 100, 25), Fraction(25)),
        (Fraction(48000, 1001), (0, 24000, 1001, 24), Fraction(24000, 1001)),
        (Fraction(60000, 1001), (0, 30, 1, 30), Fraction(30000, 1001)),  # a camera that rounds
        (Fraction(25), (0, 25, 1, 25), Fraction(25)),
    ],
)
def test_a_timecode_track_counts_at_its_own_rate(tmp_path, rate, track, counted):
    path = with_track(tmp_path / "a.mov", rate, "00:00:00:00", track)
    raw = bytearray(path.read_bytes())
    number = (3600 + 1) * track[3] + 14  # 01:00:01:14 on the track's count
    (at,) = struct.unpack_from(">I", raw, raw.index(b"stco", raw.index(b"gmhd")) + 12)
    raw[at : at + 4] = struct.pack(">I", number)
    path.write_bytes(raw)
    start = Source.file(path).start_timecode
    assert start is not None and str(start) == "01:00:01:14"
    assert start.counting.rate == counted and start.seconds == number / counted


def test_drop_frame_of_a_track_at_half_the_picture_s_rate(tmp_path):
    path = with_track(tmp_path / "a.mov", Fraction(60000, 1001), "00:00:00:00", (1, 30000, 1001, 30))
    start = Source.file(path).start_timecode
    assert str(start) == "00:00:00;00" and start is not None and start.counting.rate == Fraction(30000, 1001)


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25)])
def test_a_drop_frame_flag_where_there_is_no_drop_frame_is_read_without_it(tmp_path, caplog, rate):
    scale, ticks = rate.numerator, rate.denominator
    path = with_track(tmp_path / "a.mov", rate, "00:00:00:00", (1, scale, ticks, round(rate)))
    start = Source.file(path).start_timecode
    assert start is not None and str(start) == "00:00:00:00" and start.counting.rate == rate
    assert sum("count of frames" in r.message for r in caplog.records) == 1


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
@pytest.mark.parametrize(
    ("rate", "track"),
    [
        (Fraction(60000, 1001), (0, 30000, 1001, 30)),
        (Fraction(60000, 1001), (1, 30000, 1001, 30)),
        (Fraction(50), (0, 25, 1, 25)),
    ],
)
def test_a_start_counted_at_half_the_picture_s_rate_is_written_at_its_instant(tmp_path, suffix, rate, track):
    """A given timecode counts as the file does; the written file says the same instant in its own count."""
    import torch

    from openfoley.media.write.mux import NewSound, mux

    source = Source.file(with_track(tmp_path / "a.mov", rate, "00:00:00:00", track))
    separator = ";" if track[0] else ":"
    start = source.timecode(f"01:00:01{separator}14")
    assert start == parse_timecode(f"01:00:01{separator}14", rate / 2)
    out = tmp_path / f"out{suffix}"
    mux(source.path, iter([torch.zeros(2, 8820)]), NewSound(44100, start=start), out, source.timeline)
    written = Source.file(out).start_timecode
    assert written is not None and written.seconds == start.seconds
    assert written.counting.drop == bool(track[0]) and written.frame == 2 * start.frame


def test_a_timecode_out_of_the_file_s_own_count_is_refused(tmp_path):
    source = Source.file(with_track(tmp_path / "a.mov", Fraction(50), "00:00:00:00", (0, 25, 1, 25)))
    with pytest.raises(UsageError, match="frame 24 at 25 frames"):
        source.timecode("01:00:00:49")


def test_a_project_keeps_the_instant_of_a_start_that_is_counted_otherwise(tmp_path):
    from openfoley.projects.history import start_of
    from openfoley.projects.making import describe_video
    from openfoley.projects.record import ModelEntry, new_record
    from openfoley.request import Request

    source = Source.file(with_track(tmp_path / "a.mov", Fraction(50), "00:00:00:00", (0, 25, 1, 25)))
    request = Request.of(cuts="none", start_timecode="01:00:00:20")
    entry, settings = describe_video(tmp_path / "cache", source, "a.mov", "salsa-v-gym", request)
    start = start_of(new_record(entry, ModelEntry("m", ""), settings.request))
    assert entry.start_timecode == "01:00:00:40" and start.seconds == 3600 + Fraction(20, 25)
