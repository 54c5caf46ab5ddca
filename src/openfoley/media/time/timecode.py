"""SMPTE timecode (ST 12-1) as exact rational seconds: HH:MM:SS:FF, and HH:MM:SS;FF for drop-frame.

A timecode counts frames; a frame lasts 1 / rate seconds. At 30000/1001 Hz the count of 30 a second is slow by 3.6 s an
hour; drop-frame skips the numbers (never frames) ;00 and ;01 of every minute except each tenth, ;00 to ;03 at
60000/1001 Hz. A timecode without drop-frame at 24000/1001 Hz is slow.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from openfoley.errors import UsageError

MINUTES_PER_DAY = 24 * 60
FREE_MINUTE = 10  # every tenth minute drops nothing
DROPPED_PER_30 = 2  # frame numbers a minute at a count of 30, twice that at 60 (ST 12-1, section 5.2.2)
DROP_FRAME_RATES = (Fraction(30000, 1001), Fraction(60000, 1001))  # Hz
TIMECODE_PATTERN = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;])(\d{2,3})")
SECONDS_PATTERN = re.compile(r"\d+(\.\d*)?|\.\d+|\d+/\d+")


@dataclass(frozen=True)
class TimecodeRate:
    """How a file counts its frames. `rate` in Hz, exactly; drop: whether numbers are left out."""

    rate: Fraction
    drop: bool = False

    @property
    def count(self) -> int:
        """Frame numbers a second: 30 for 29.97 Hz."""
        return max(1, math.ceil(self.rate - Fraction(1, 100)))

    @property
    def dropped(self) -> int:
        """Numbers left out in a minute that is no tenth one."""
        return DROPPED_PER_30 * self.count // 30 if self.drop else 0


@dataclass(frozen=True)
class Timecode:
    """The number of a frame, counted from 00:00:00:00."""

    frame: int
    counting: TimecodeRate

    @property
    def seconds(self) -> Fraction:
        """s since 00:00:00:00 of the frame's start."""
        return self.frame / self.counting.rate

    def at(self, rate: Fraction) -> Timecode:
        """The same instant, to the nearest frame, counted at `rate` (Hz); drop-frame stays where that rate has it."""
        drop = self.counting.drop and rate in DROP_FRAME_RATES
        return self if rate == self.counting.rate else Timecode(round(self.seconds * rate), counting_of(rate, drop))

    def __str__(self) -> str:
        return _text(self.frame, self.counting)


def counting_of(rate: Fraction, drop: bool = False) -> TimecodeRate:
    """The counting for a frame rate; UsageError where drop-frame is not defined (only 29.97 and 59.94 Hz drop)."""
    if rate <= 0:
        raise UsageError(f"a timecode needs a frame rate above 0, got {rate}")
    if drop and rate not in DROP_FRAME_RATES:
        raise UsageError(
            f"drop-frame timecode (with ';') exists at 29.97 and 59.94 frames per second, not at {float(rate):g}; "
            "write HH:MM:SS:FF"
        )
    return TimecodeRate(Fraction(rate), drop)


def parse_timecode(text: str, rate: Fraction) -> Timecode:
    """'01:00:00:00' or, drop-frame, '01:00:00;00' at a frame rate in Hz. UsageError says what is wrong with it."""
    match = TIMECODE_PATTERN.fullmatch(text.strip())
    if not match:
        raise UsageError(f"expected a timecode HH:MM:SS:FF (or HH:MM:SS;FF), got {text!r}")
    hours, minutes, seconds, frames = (int(match[k]) for k in (1, 2, 3, 5))
    counting = counting_of(rate, drop=match[4] != ":")
    if hours > 23 or minutes > 59 or seconds > 59 or frames >= counting.count:
        raise UsageError(
            f"timecode {text!r} is out of range: up to 23:59:59 and frame {counting.count - 1:02d} "
            f"at {float(rate):.5g} frames per second"
        )
    total_minutes = 60 * hours + minutes
    if frames < counting.dropped and seconds == 0 and minutes % FREE_MINUTE:
        raise UsageError(f"timecode {text!r} does not exist: drop-frame leaves this number out")
    dropped = counting.dropped * (total_minutes - total_minutes // FREE_MINUTE)
    return Timecode((60 * total_minutes + seconds) * counting.count + frames - dropped, counting)


def timecode_at(time: Fraction, start: Timecode) -> Timecode:
    """The timecode of the frame shown at `time` (s on the video's clock) when the first frame carries `start`."""
    return Timecode(start.frame + math.floor(time * start.counting.rate), start.counting)


def time_of(timecode: Timecode, start: Timecode) -> Fraction:
    """Seconds on the video's clock (0: first frame) of a timecode; negative before the start.

    The nearer of the two readings counts: 00:00:05:00 in a video that starts at 23:59:50:00 is 15 s into it.
    """
    day = frames_per_day(start.counting)
    frames = (timecode.frame - start.frame + day // 2) % day - day // 2
    return frames / start.counting.rate


def zero(rate: Fraction) -> Timecode:
    """00:00:00:00, the default."""
    return Timecode(0, counting_of(rate))


def parse_time(text: str, start: Timecode) -> Fraction:
    """Seconds ('12.5', '25/2') or a timecode, as exact seconds on the video's clock. UsageError otherwise.

    A timecode is read on the file's own counting: ':' and ';' both follow `start` where that drops frames.
    """
    text = text.strip()
    if SECONDS_PATTERN.fullmatch(text):
        try:
            return Fraction(text)
        except ZeroDivisionError:
            raise UsageError(f"expected seconds or a timecode HH:MM:SS:FF, got {text!r}") from None
    if not TIMECODE_PATTERN.fullmatch(text):
        hint = f" (a decimal comma; write {text.replace(',', '.')})" if re.fullmatch(r"\d+,\d+", text) else ""
        raise UsageError(f"expected seconds or a timecode HH:MM:SS:FF, got {text!r}{hint}")
    if start.counting.drop:
        head, tail = re.split("[:;](?=\\d+$)", text)
        text = f"{head};{tail}"
    time = time_of(parse_timecode(text, start.counting.rate), start)
    if time < 0:
        raise UsageError(f"timecode {text} lies before the video, which starts at {start}")
    return time


def time_in(value: float | Fraction | str, start: Timecode, name: str) -> Fraction:
    """Seconds, or a text of `parse_time`, as exact seconds on the video's clock. UsageError names the argument."""
    try:
        return parse_time(value, start) if isinstance(value, str) else Fraction(value)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None


BROADCAST_RATES = tuple(Fraction(n * 1000, d) for n in (24, 25, 30, 48, 50, 60, 100, 120) for d in (1000, 1001))


def nominal(rate: Fraction) -> Fraction:
    """The broadcast rate nearest to an averaged frame rate (variable rates are slightly off), else the rate itself."""
    nearest = min(BROADCAST_RATES, key=lambda known: abs(known - rate))
    return nearest if abs(nearest - rate) <= nearest / 5000 else rate  # the 1000/1001 pairs are 1/1000 apart


def _text(frame: int, counting: TimecodeRate) -> str:
    numbered = frame % frames_per_day(counting)
    if counting.drop:
        numbered += _left_out(numbered, counting)
    seconds, frames = divmod(numbered, counting.count)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{';' if counting.drop else ':'}{frames:02d}"


def _left_out(frame: int, counting: TimecodeRate) -> int:
    """How many numbers were left out before frame `frame`."""
    per_minute = 60 * counting.count - counting.dropped
    per_ten = FREE_MINUTE * per_minute + counting.dropped
    tens, rest = divmod(frame, per_ten)
    # the first minute of ten is longer by the numbers that it does not drop
    minutes = max(0, (rest - counting.dropped) // per_minute)
    return counting.dropped * ((FREE_MINUTE - 1) * tens + minutes)


def frames_per_day(counting: TimecodeRate) -> int:
    """Frames until the timecode begins again at 00:00:00:00."""
    dropped = counting.dropped * (MINUTES_PER_DAY - MINUTES_PER_DAY // FREE_MINUTE)
    return 60 * MINUTES_PER_DAY * counting.count - dropped
