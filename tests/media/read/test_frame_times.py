"""Frame times, rate and duration from the times that containers write."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from openfoley.media.read.frame_times import frame_line, shown_duration

FILM, VIDEO = Fraction(24000, 1001), Fraction(60000, 1001)


def test_a_frame_duration_rounded_to_nanoseconds_is_its_broadcast_rate() -> None:
    """Matroska's default duration of 59.94 Hz is 16683333 ns, which FFmpeg gives as 19001/317 Hz."""
    pts = [round(n * 1000 / VIDEO) for n in range(200)]
    line = frame_line(pts, Fraction(1, 1000), [Fraction(19001, 317)])
    assert (line.rate, line.unit, list(line.instants)) == (VIDEO, 1 / VIDEO, list(range(200)))
    assert shown_duration(line, Fraction(1, 1000), 16) == 200 / VIDEO


@pytest.mark.parametrize("rate", [FILM, VIDEO])
def test_a_programme_stream_rounded_by_more_than_a_tick_keeps_its_grid(rate: Fraction) -> None:
    error = np.random.default_rng(0).integers(-3, 4, 100)
    error[0] = 0
    pts = [round(n * 90_000 / rate) + int(e) for n, e in enumerate(error)]
    line = frame_line(pts, Fraction(1, 90_000), [rate])
    assert (line.is_grid, line.rate, list(line.instants)) == (True, rate, list(range(100)))


@pytest.mark.parametrize(
    ("tick", "clock"),
    [(Fraction(1, 90_000), 2000), (Fraction(1, 16_000), 1000), (Fraction(1, 100), 100)],  # MPEG-TS, 3GP, GIF
)
def test_a_clock_is_no_frame_rate(tick: Fraction, clock: int) -> None:
    """Variable rates: the times are exact, the rate is the average, the last frame lasts as long as most."""
    gaps = np.random.default_rng(3).integers(12, 90, 40).tolist()  # clock ticks
    per_count = int(1 / (tick * clock))
    instants = [0, *np.cumsum(gaps).tolist()]
    line = frame_line([n * per_count for n in instants], tick, [Fraction(clock)])
    assert [n * line.unit for n in line.instants] == [Fraction(n, clock) for n in instants]
    average = Fraction(40 * clock, instants[-1])
    assert line.rate == average
    usual = Fraction(sorted(gaps)[20], clock)
    assert shown_duration(line, tick, per_count) == Fraction(instants[-1], clock) + usual


@pytest.mark.parametrize("rate", [Fraction(100), Fraction(120), Fraction(240)])
def test_fast_pictures_that_come_at_their_rate_keep_it(rate: Fraction) -> None:
    pts = [round(n * 90_000 / rate) for n in range(100) if n != 50]
    line = frame_line(pts, Fraction(1, 90_000), [rate])
    assert (line.rate, line.frame_s) == (rate, 1 / rate)
