"""What a file promises against what it holds."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from numbered_videos import probe, write_numbered

from openfoley.media.read.declared_duration import broken_promise

LONG, SHORT = "01:30:00.000000000", "00:00:05.010000000"


def problem(**tags: str) -> str | None:
    """Five seconds of picture in a Matroska file with these tags of its stream."""
    stream: Any = SimpleNamespace(duration=None, start_time=0, time_base=Fraction(1, 1000), metadata=tags)
    container: Any = SimpleNamespace(format=SimpleNamespace(name="matroska,webm"))
    damage = broken_promise(container, stream, Fraction(5))
    return damage.text if damage else None


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"DURATION": SHORT},
        {"DURATION": SHORT, "DURATION-eng": LONG},
        {"DURATION-eng": LONG, "DURATION": SHORT},
        {"DURATION": "yesterday:0:x"},
    ],
)
def test_a_tag_of_before_a_cut_promises_nothing(tags: dict[str, str]) -> None:
    assert problem(**tags) is None


@pytest.mark.parametrize("tags", [{"DURATION": LONG}, {"DURATION-eng": LONG}, {"DURATION": LONG, "DURATION-eng": LONG}])
def test_a_tag_that_no_other_contradicts_is_believed(tags: dict[str, str]) -> None:
    assert problem(**tags) == "cut short: it promises 5400.00 s but its picture ends at 5.00 s"


def test_a_tag_copied_into_another_container_promises_nothing() -> None:
    stream: Any = SimpleNamespace(duration=None, start_time=0, time_base=Fraction(1, 1000), metadata={"DURATION": LONG})
    container: Any = SimpleNamespace(format=SimpleNamespace(name="nut"), duration=None)
    assert broken_promise(container, stream, Fraction(5)) is None


@pytest.mark.parametrize(("ends_s", "is_cut"), [(3.08, False), (1.5, True)])
def test_an_asf_duration_counts_from_zero(ends_s: float, is_cut: bool) -> None:
    stream: Any = SimpleNamespace(duration=3080, start_time=1480, time_base=Fraction(1, 1000), metadata={})
    container: Any = SimpleNamespace(format=SimpleNamespace(name="asf"), duration=None)
    assert (broken_promise(container, stream, Fraction(ends_s)) is not None) == is_cut


def trimmed(path: Path, out: Path, drop: int) -> Path:
    """A copy of the packets without one frame in the middle."""
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for number, packet in enumerate(source.demux(video=0)):
            if packet.size and number != drop:
                packet.stream = stream
                target.mux(packet)
    return out


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi"])
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(24000, 1001), Fraction(30000, 1001)])
def test_one_lost_frame_does_not_change_the_rate(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    codec = {"codec": "mjpeg", "pixel_format": "yuvj420p"} if suffix == ".avi" else {"options": {"bf": "0"}}
    whole = write_numbered(tmp_path / f"a{suffix}", list(range(80)), 1 / rate, rate=rate, **codec)
    info = probe(trimmed(whole, tmp_path / f"b{suffix}", 40))
    assert info.frame_rate == rate
    assert info.duration == 80 / rate or suffix == ".avi"  # AVI counts packets


def test_times_off_any_grid_keep_the_nominal_rate(tmp_path: Path) -> None:
    """A phone's clock: 30 Hz, each frame up to 4 ms early or late."""
    jitter = np.random.default_rng(0).integers(-4, 5, 90)
    pts = [max(0, round(k * 1000 / 30) + int(j)) for k, j in enumerate(jitter)]
    info = probe(write_numbered(tmp_path / "a.mp4", pts, Fraction(1, 1000), rate=Fraction(30), last_duration=33))
    assert abs(info.frame_rate - 30) < Fraction(1, 2) and abs(info.duration * 1000 - (pts[-1] + 33 - pts[0])) <= 1


def test_pictures_of_any_rate_have_the_rate_at_which_they_come(tmp_path: Path) -> None:
    pts = np.cumsum([0, *np.random.default_rng(1).integers(20, 900, 30)]).tolist()
    info = probe(write_numbered(tmp_path / "a.mkv", pts, Fraction(1, 1000), last_duration=100))
    assert abs(info.frame_rate - 31 / info.duration) <= info.frame_rate / 10
