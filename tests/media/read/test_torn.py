"""Files damaged at random places: read as far as they go, at the right times, with a warning, or refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numbered_videos import number_of, write_numbered

from openfoley.errors import MediaError, UsageError
from openfoley.media.frames import FrameRequest
from openfoley.media.read.frame_times import believable
from openfoley.media.read.integrity import outer_problem
from openfoley.media.read.sound_file import read_audio
from openfoley.media.source import Source

COUNT, RATE = 25, Fraction(25)
REQUEST = FrameRequest("x", RATE, 64, 64)
AAC = {"options": {"g": "5"}}  # beside H.264
MPEG2 = {"codec": "mpeg2video", "sound_codec": "mp2"}
KINDS: dict[str, dict] = {
    "a.mp4": AAC,
    "a.mov": AAC,
    "a.mkv": AAC,
    "a.ts": AAC,
    "a.flv": AAC,
    "a.mpg": MPEG2,
    "a.m2ts": MPEG2,
    "a.mxf": {"codec": "mpeg2video", "sound_codec": "pcm_s16le", "sound_rate": 48000},
    "a.avi": {"codec": "mpeg4", "options": {"g": "1", "qmin": "2", "qmax": "3"}, "sound_codec": "mp2"},
    "b.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p", "sound_codec": "pcm_s16le"},
    "a.ogv": {"codec": "libvpx", "options": {"g": "5"}, "sound_codec": "flac"},
    "a.webm": {"codec": "libvpx", "options": {"g": "5"}, "sound_codec": "libopus", "sound_rate": 48000},
    "a.wmv": {"codec": "wmv2", "options": {"g": "1", "qmin": "2", "qmax": "3"}, "sound_codec": "mp2"},
}


def cut(raw: bytes, at: int, length: int) -> bytes:
    return raw[: max(1, at)]


def zeroed(raw: bytes, at: int, length: int) -> bytes:
    return raw[:at] + bytes(min(length, len(raw) - at)) + raw[at + length :]


def dropped(raw: bytes, at: int, length: int) -> bytes:
    return raw[:at] + raw[at + length :]


def flipped(raw: bytes, at: int, length: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 0x5A]) + raw[at + 1 :]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder, pts = tmp_path_factory.mktemp("torn"), list(range(COUNT))
    return {
        name: write_numbered(
            folder / name, pts, 1 / RATE, last_duration=1, size=(64, 64), sound=True, **more
        ).read_bytes()
        for name, more in KINDS.items()
    }


def read(path: Path, strict: bool) -> tuple[list[int], int]:
    """The numbers of the pictures at 25 Hz, and the samples of the sound."""
    source = Source.file(path, strict=strict)
    assert source.info.duration < 100  # a damaged time is not believed
    numbers = [number_of(f) for c in source.chunks([REQUEST]) for f in c.frames]
    return numbers, source.sound(0).samples.length if source.sound_streams else 0


def check(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    try:
        numbers, samples = read(path, strict=False)
    except (MediaError, UsageError) as error:
        assert "\n" not in str(error) and not isinstance(error, UsageError)
        return
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert all("\n" not in line for line in warnings)
    assert warnings or len(numbers) == COUNT  # nothing is missing in silence
    begins = max(0, numbers[0])  # time is measured from the first picture that can be shown
    for number in {n for n in numbers if 0 <= n < COUNT}:
        at = [k + begins for k, n in enumerate(numbers) if n == number]
        assert min(abs(k - number) for k in at) <= 1, (number, at)
    assert not any("stands still" in line for line in warnings)  # which would be no damage
    if warnings:
        with pytest.raises(MediaError) as caught:
            read(path, strict=True)
        assert "\n" not in str(caught.value)


def cases(whole: bytes, count: int, damage: Callable[[bytes, int, int], bytes], seed: int) -> list[bytes]:
    random = np.random.default_rng(seed)
    return [damage(whole, int(random.integers(len(whole))), int(2 ** random.uniform(2, 10))) for _ in range(count)]


@pytest.mark.parametrize("damage", [cut, zeroed, dropped, flipped])
@pytest.mark.parametrize("name", KINDS)
def test_random_damage(tmp_path, caplog, whole, name, damage) -> None:
    for raw in cases(whole[name], 3, damage, seed=1):
        (tmp_path / name).write_bytes(raw)
        check(tmp_path / name, caplog)


@pytest.mark.slow
@pytest.mark.parametrize("damage", [cut, zeroed, dropped, flipped])
@pytest.mark.parametrize("name", KINDS)
def test_much_random_damage(tmp_path, caplog, whole, name, damage) -> None:
    for raw in cases(whole[name], 25, damage, seed=2):
        (tmp_path / name).write_bytes(raw)
        check(tmp_path / name, caplog)


def test_lost_packets_of_the_sound_are_a_warning(tmp_path, caplog, whole) -> None:
    """A transport stream without one packet from the middle of its sound."""
    raw = whole["a.ts"]
    packets = [raw[i : i + 188] for i in range(0, len(raw), 188)]
    inner = [i for i, p in enumerate(packets) if (p[1] & 0x1F) << 8 | p[2] == 0x101 and not p[1] & 0x40]
    gone = inner[len(inner) // 2]
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(packets[:gone] + packets[gone + 1 :]))
    numbers, samples = read(path, strict=False)
    assert numbers == list(range(COUNT)) and abs(samples - 44100) < 3000
    assert any("damaged at byte" in r.getMessage() for r in caplog.records)
    with pytest.raises(MediaError, match="packets are lost in 1 place"):
        Source.file(path, strict=True)


def test_a_sound_of_a_damaged_codec_name_is_refused_in_one_line(tmp_path, whole) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(whole["a.mp4"].replace(b"mp4a", b"zzzz").replace(b"esds", b"free"))
    source = Source.file(path, with_sound=True)  # whose picture is whole
    for use in (lambda: source.sound(0), lambda: read_audio(path)):
        with pytest.raises(MediaError, match="codec that this FFmpeg cannot decode"):
            use()


def test_a_time_hours_away_is_not_believed() -> None:
    tick, times = Fraction(1, 1000), [*range(0, 1000, 40), 10**12]
    assert believable(times, tick, None) == times[:-1] == believable(times, tick, Fraction(1))
    assert believable(times, tick, Fraction(10**9)) == times
    slides = [0, 900_000, 1_800_000]  # each picture for 15 minutes
    assert believable(slides, tick, None) == slides


@pytest.mark.parametrize("name", KINDS)
def test_whole_files_are_not_taken_for_damaged(tmp_path, caplog, whole, name) -> None:
    (tmp_path / name).write_bytes(whole[name])
    numbers, samples = read(tmp_path / name, strict=True)
    assert numbers == list(range(COUNT)) and samples > 40000 and not caplog.records


@pytest.mark.parametrize("name", ["a.ogv", "a.mpg"])
def test_files_joined_byte_by_byte_or_padded_are_whole(tmp_path, whole, name) -> None:
    """Ogg counts its pages anew from each mark of a beginning; Video CDs pad their packs with zeros."""
    path = tmp_path / name
    path.write_bytes(whole[name] * 2 + bytes(7 if name == "a.mpg" else 0))
    with path.open("rb") as file:
        assert outer_problem(file) is None
