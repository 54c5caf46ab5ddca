"""When is each frame shown? Read from the packets of a file, without decoding them, in exact rational time.

Frame k of a request at rate r is the last frame whose time is <= k / r. Times are pts * time_base - the first shown
frame's. A container rounds times to its tick (1 ms in Matroska); where all of them lie on a constant-rate grid n / rate
up to that rounding, the grid itself is used, so a 24000/1001 Hz file picks from Matroska exactly as from MP4. Otherwise
a frame counts as shown up to half a tick before its written time. Frames that an edit list hides (packets flagged
discard) are not on the line.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING

from av.error import FFmpegError

from openfoley.errors import MediaError
from openfoley.media.integrity import check_whole
from openfoley.media.orientation import Orientation, orientation_of
from openfoley.media.source import check_input, open_media, picture_stream, shown, still_image
from openfoley.types import VideoInfo

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

FALLBACK_RATE = Fraction(25)  # Hz, FFmpeg's own for streams without any timing
REPORT_DAMAGE = {"err_detect": "explode"}  # to a decoder: raise instead of painting over it
LOST_SECONDS = Fraction(1, 2)  # a header that promises this much more than there is means a file cut short


@dataclass(frozen=True)
class Timeline:
    """All shown frames of a file. Frame i is shown from `instants[i] * unit` seconds on; the first from 0."""

    info: VideoInfo
    orientation: Orientation
    pts: Sequence[int]  # file ticks, ascending
    instants: Sequence[int]
    unit: Fraction  # s
    untimed: bool  # the decoder's frames carry no pts: count them instead
    intra_only: bool  # every packet decodes by itself
    drop_leading: bool  # the pictures shown before the first key frame cannot be decoded


def probe(path: str | Path) -> VideoInfo:
    """Size, rate, exact duration and start of a video. UsageError or MediaError (one line) for anything else."""
    return scan(path).info


def scan(path: str | Path) -> Timeline:
    """Read every packet's time and decode the first frame (its orientation, and that something can be decoded)."""
    path = check_input(path)
    check_whole(path)
    try:
        drop_leading = False
        first_pts, orientation, width, height = _first_frame(path, drop_leading)
    except FFmpegError:
        try:
            drop_leading = True
            first_pts, orientation, width, height = _first_frame(path, drop_leading)
        except FFmpegError as error:
            raise MediaError(f"{shown(path)} is damaged: its picture cannot be decoded; export it again") from error
    with open_media(path) as container:
        stream = picture_stream(container, path)
        tick = stream.time_base or 1 / FALLBACK_RATE
        pts, last_duration, untimed, intra_only = _packet_times(container, stream, path)
        if untimed:
            pts, tick, last_duration = array("q", range(len(pts))), 1 / (stream.guessed_rate or FALLBACK_RATE), 1
        elif first_pts is not None:
            pts = array("q", (p for p in pts if p >= first_pts))
        if not pts:
            raise MediaError(f"{shown(path)} has no frames; export it again")
        if len(pts) == 1 and container.format.name == "gif":
            raise MediaError(still_image(path))
        instants, unit, frame_s = _line(pts, tick, (stream.guessed_rate, stream.average_rate, stream.base_rate))
        duration = instants[-1] * unit + (tick / 2 if unit == tick / 2 else 0)
        if len(pts) == 1:
            duration = Fraction(0)
        last_s = (last_duration or 0) * tick
        duration += frame_s if (last_s <= tick or abs(last_s - frame_s) <= tick) and tick <= frame_s else last_s
        _check_promised(container, stream, (pts[0] * tick) + duration, path)
        info = VideoInfo(
            path=path,
            duration=duration,
            start=Fraction(0) if untimed else pts[0] * tick,
            width=width,
            height=height,
            rotation=orientation.rotation,
            frame_rate=len(pts) / duration,
            frame_count_estimate=len(pts),
            audio_streams=len(container.streams.audio),
        )
    return Timeline(info, orientation, pts, instants, unit, untimed, intra_only, drop_leading)


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


def _first_frame(path: Path, drop_leading: bool) -> tuple[int | None, Orientation, int, int]:
    """(pts, orientation, width, height) of the first frame that decodes. FFmpegError where it cannot be decoded."""
    with open_media(path, raw_errors=True) as container:
        stream = picture_stream(container, path)
        stream.codec_context.options = REPORT_DAMAGE
        for packet in from_key_frame(container.demux(stream), drop_leading):
            for frame in packet.decode():
                orientation = orientation_of(frame)
                width, height = (frame.height, frame.width) if orientation.transposed else (frame.width, frame.height)
                return frame.pts, orientation, width, height
    raise MediaError(f"{shown(path)} has no frames that can be decoded; export it again")


def from_key_frame(packets: Iterator[Packet], drop_leading: bool) -> Iterator[Packet]:
    """The packets from the first key frame on: a recording cut at its beginning may start with ones that refer to
    pictures that are gone. So may those that follow the key frame and are shown before it (`drop_leading`)."""
    key_pts = None
    for packet in dropwhile(lambda packet: packet.size > 0 and not packet.is_keyframe, packets):
        key_pts = packet.pts if key_pts is None else key_pts
        if not (drop_leading and packet.pts is not None and key_pts is not None and packet.pts < key_pts):
            yield packet


def _packet_times(
    container: InputContainer, stream: VideoStream, path: Path
) -> tuple[array[int], int | None, bool, bool]:
    """(ascending pts of the shown packets, the last one's duration, pts are missing, every packet is a key frame)."""
    from av.stream import Discard

    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    pts, untimed, intra_only = array("q"), False, True
    last, last_duration = None, None
    for packet in container.demux(stream):
        if packet.size == 0:
            continue
        if packet.is_corrupt:
            raise MediaError(f"{shown(path)} is damaged or cut short (a broken packet); export or copy it again")
        intra_only &= packet.is_keyframe
        if packet.is_discard:
            continue
        untimed |= packet.pts is None
        time = packet.pts if packet.pts is not None else len(pts)
        pts.append(time)
        if last is None or time >= last:
            last, last_duration = time, packet.duration
    return array("q", sorted(set(pts)) if not untimed else pts), last_duration, untimed, intra_only


def _line(
    pts: Sequence[int], tick: Fraction, rates: Sequence[Fraction | None]
) -> tuple[array[int], Fraction, Fraction]:
    """(instants, unit in s, regular frame length in s): on the grid n / rate if all pts fit one, else in half ticks."""
    for rate in rates:
        if not rate or tick * rate * 4 > 1:  # a tick over a quarter frame long tells no grid from chance
            continue
        per_frame = 1 / (tick * rate)  # ticks
        grid = array("q", (round((p - pts[0]) / per_frame) for p in pts))
        if all(a < b for a, b in zip(grid, grid[1:], strict=False)) and all(
            abs((p - pts[0]) - n * per_frame) < 1 for p, n in zip(pts, grid, strict=True)
        ):
            return grid, 1 / rate, 1 / rate
    steps = sorted(b - a for a, b in zip(pts, pts[1:], strict=False))
    frame_s = steps[len(steps) // 2] * tick if steps else 1 / next((r for r in rates if r), FALLBACK_RATE)
    return array("q", (max(0, 2 * (p - pts[0]) - 1) for p in pts)), tick / 2, frame_s


def _clock(text: str) -> Fraction | None:
    """Seconds of hh:mm:ss.fraction; None where it is none."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text.strip())
    return int(match[1]) * 3600 + int(match[2]) * 60 + Fraction(match[3]) if match else None


def _check_promised(container: InputContainer, stream: VideoStream, end: Fraction, path: Path) -> None:
    """Raise where the header promises clearly more picture than the packets hold."""
    promised = None
    if stream.duration is not None and stream.time_base:
        promised = ((stream.start_time or 0) + stream.duration) * stream.time_base
    # Matroska's statistics tags. One of before a cut can stand beside the new one: the shortest counts.
    told = [_clock(value) for key, value in stream.metadata.items() if key.startswith("DURATION")]
    promised = min((s for s in told if s is not None), default=promised)
    if promised is None and container.format.name == "flv" and container.duration and not container.streams.audio:
        promised = Fraction(container.duration, 1_000_000)
    if promised is not None and promised - end > LOST_SECONDS:
        raise MediaError(
            f"{shown(path)} is cut short: it promises {float(promised):.2f} s but its picture ends at "
            f"{float(end):.2f} s; export or copy it again"
        )
