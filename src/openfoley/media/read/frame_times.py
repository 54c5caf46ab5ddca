"""From the times of packets to when each frame is shown, the frame rate and the duration, in exact rational time.

Frame k of a request at rate r is the last frame whose time is <= k / r. Times are pts * time_base - the first shown
frame's. A container rounds times to its tick (1 ms in Matroska); where all of them lie on a constant-rate grid n / rate
up to that rounding, the grid itself is used, so a 24000/1001 Hz file picks from Matroska exactly as from MP4. Otherwise
a frame counts as shown up to half a tick before its written time.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from openfoley.media.time.timecode import nominal

FALLBACK_RATE = Fraction(25)  # Hz, FFmpeg's own for streams without any timing
NEAR_AVERAGE = Fraction(1, 10)  # of the average: how far a nominal rate may lie from it
LONGEST_GAP_S = 600  # between frames; beyond it a time is wrong unless the file declares as long a duration
LONGEST_SPAN_S = 7 * 86_400  # no video lasts as long: then the larger part is believed, however many are wrong
NEARLY_ALL = Fraction(3, 5)  # of the frames: what must agree on the time for others to be wrong
FASTEST_COUNT = Fraction(120)  # Hz; a faster clock (1000 Hz) measures time, it does not count frames
SLOWEST_CLOCK = Fraction(100)  # Hz; from here on a declared rate may be a clock's (GIF's), at which no frames come
LEAST_ROUNDING = Fraction(1, 5000)  # s; of programme streams, where FFmpeg adds rounded frames to one time in 2 KB


def shown_indices(instants: Sequence[int], unit: Fraction, duration: Fraction, rate: Fraction) -> Iterator[int]:
    """For k = 0 ... ceil(duration * rate) - 1: the index of the last frame with instants[i] * unit <= k / rate.

    All integers: instants[i] * unit <= k / rate  <=>  instants[i] * (unit * rate).numerator <= k * (...).denominator.
    """
    step = unit * rate
    i, last = 0, len(instants) - 1
    for k in range(math.ceil(duration * rate)):
        while i < last and instants[i + 1] * step.numerator <= k * step.denominator:
            i += 1
        yield i


@dataclass(frozen=True)
class Line:
    """Frames on the line of time. is_grid: all lie on n / rate, and the unit is 1 / rate; else it is half a tick."""

    instants: array[int]
    unit: Fraction  # s
    frame_s: Fraction  # s, the regular length of a frame
    is_grid: bool
    rate: Fraction  # Hz
    least_s: Fraction  # s; a last frame of no more than this has no length of its own


def frame_line(pts: Sequence[int], tick: Fraction, rates: Sequence[Fraction | None]) -> Line:
    """pts: in ticks of `tick` s, ascending. rates: what the file declares, in Hz, the most trusted first."""
    declared = [rate for rate in rates if rate]
    steps = sorted(b - a for a, b in zip(pts, pts[1:], strict=False))
    usual_s = steps[len(steps) // 2] * tick if steps else 1 / next(iter(declared), FALLBACK_RATE)
    average = len(steps) / ((pts[-1] - pts[0]) * tick) if steps else 1 / usual_s
    for rate in dict.fromkeys(rate for given in declared for rate in (nominal(given), given)):
        grid = _on_grid(pts, tick, rate)
        if grid is None:
            continue
        if rate < SLOWEST_CLOCK or _is_near(rate, average):
            return Line(grid, 1 / rate, 1 / rate, True, rate, tick)
        return Line(grid, 1 / rate, usual_s, True, nominal_rate(average, declared), max(tick, 1 / rate))
    times = array("q", (max(0, 2 * (p - pts[0]) - 1) for p in pts))
    return Line(times, tick / 2, usual_s, False, nominal_rate(average, declared), tick)


def _on_grid(pts: Sequence[int], tick: Fraction, rate: Fraction) -> array[int] | None:
    """Each frame's number on a grid of `rate` Hz; None where one lies off it, or two have the same number."""
    # with ticks over a quarter frame any times fit a grid, unless the container's clock counts frames
    if tick * rate * 4 > 1 and not (tick * rate == 1 and rate <= FASTEST_COUNT):
        return None
    per_frame, rounding = 1 / (tick * rate), LEAST_ROUNDING / tick  # ticks
    grid = array("q", (round((p - pts[0]) / per_frame) for p in pts))
    is_ascending = all(a < b for a, b in zip(grid, grid[1:], strict=False))
    errors = (abs((p - pts[0]) - n * per_frame) for p, n in zip(pts, grid, strict=True))
    return grid if is_ascending and all(error < 1 or error <= rounding for error in errors) else None


def believable(pts: Sequence[int], tick: Fraction, declared_s: Fraction | None) -> Sequence[int]:
    """The ascending times (of `tick` s) without those that a damaged header puts hours away from nearly all others, in
    a file that declares no such duration."""
    if len(pts) < 2 or (declared_s is not None and (pts[-1] - pts[0]) * tick <= declared_s + LONGEST_GAP_S):
        return pts
    edges = [k for k in range(1, len(pts)) if (pts[k] - pts[k - 1]) * tick > LONGEST_GAP_S]
    runs = [pts[a:b] for a, b in zip([0, *edges], [*edges, len(pts)], strict=True)]
    largest = max(runs, key=len)
    is_clear = len(largest) >= NEARLY_ALL * len(pts) or (pts[-1] - pts[0]) * tick > LONGEST_SPAN_S
    return largest if is_clear else pts


def shown_duration(line: Line, tick: Fraction, last_ticks: int) -> Fraction:
    """s from the first frame to the end of the last, which lasts as long as its packet says, or a regular frame."""
    rounding = tick / 2 if not line.is_grid and len(line.instants) > 1 else 0
    last_s = last_ticks * tick
    is_regular = (last_s <= line.least_s or abs(last_s - line.frame_s) <= tick) and tick <= line.frame_s
    return line.instants[-1] * line.unit + rounding + (line.frame_s if is_regular else last_s)


def nominal_rate(average: Fraction, rates: Sequence[Fraction]) -> Fraction:
    """The declared rate that is near the measured average (Hz): frames that are missing or late do not change it. A
    rate that is no more than the container's clock, as of screen recordings, is not one."""
    return next((rate for rate in rates if _is_near(rate, average)), average)


def _is_near(rate: Fraction, average: Fraction) -> bool:
    return abs(rate - average) <= average * NEAR_AVERAGE
