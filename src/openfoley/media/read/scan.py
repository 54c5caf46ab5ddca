"""When is each frame shown? Read from the packets of a file, without decoding them, in exact rational time.

Frame k of a request at rate r is the last frame whose time is <= k / r. Times are pts * time_base - the first shown
frame's. A container rounds times to its tick (1 ms in Matroska); where all of them lie on a constant-rate grid n / rate
up to that rounding, the grid itself is used, so a 24000/1001 Hz file picks from Matroska exactly as from MP4. Otherwise
a frame counts as shown up to half a tick before its written time. Frames that an edit list hides (packets flagged
discard) are not on the line.
"""

from __future__ import annotations

import logging
import math
import re
from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from av.error import FFmpegError

from openfoley.errors import MediaError
from openfoley.media.frames import VideoInfo
from openfoley.media.read.boxes import TrackBoxes, read_tracks
from openfoley.media.read.content_hash import hash_of
from openfoley.media.read.integrity import Damage, outer_problem
from openfoley.media.read.opening import bytes_of, check_input, open_media, picture_stream, reason, shown, still_image
from openfoley.media.read.orientation import Orientation, orientation_of
from openfoley.media.read.start_timecode import file_timecode
from openfoley.media.time.clock import JOINABLE_FORMATS, Clock, Join, JoinFinder, PacketTime, shift_at
from openfoley.media.time.timecode import Timecode

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

FALLBACK_RATE = Fraction(25)  # Hz, FFmpeg's own for streams without any timing
REPORT_DAMAGE = {"err_detect": "explode"}  # to a decoder: raise instead of painting over it
MICROSECONDS = 1_000_000  # a second in FFmpeg's unit of a container's duration
NEAR_AVERAGE = Fraction(1, 10)  # of the average: how far a nominal rate may lie from it
FASTEST_COUNT = Fraction(120)  # Hz; a faster clock (1000 Hz) measures time, it does not count frames
LOST_SECONDS = Fraction(1, 2)  # a header that promises this much more than there is means a file cut short


@dataclass(frozen=True)
class Timeline:
    """All shown frames of a file. Frame i is shown from `instants[i] * unit` seconds on; the first from 0."""

    info: VideoInfo
    path: Path
    orientation: Orientation
    pts: Sequence[int]  # file ticks on one continuous clock, ascending
    instants: Sequence[int]
    unit: Fraction  # s
    untimed: bool  # the decoder's frames carry no pts: count them instead
    intra_only: bool  # every packet decodes by itself
    drop_leading: bool  # the pictures shown before the first key frame cannot be decoded
    timecode: Timecode | None  # of the first shown frame, on its track's own counting
    joins: Sequence[Join]  # where the file's clock starts again
    sound_streams: Sequence[SoundStream]
    strict: bool  # damage is refused instead of read around
    hides_first: bool  # an edit list hides the first packet
    content_hash: str | None  # sha256 of the file, if requested


class PacketReader(Protocol):
    """Who reads packets in the same pass as the scan."""

    def begin(self, source: InputContainer, path: Path) -> Collection[int]:
        """The indices of the streams whose packets are taken."""
        ...

    def take(self, packet: Packet) -> None:
        """A packet, after the scan has read it: it may be changed."""
        ...

    def end(self, broken: str | None) -> None:
        """All packets were given. broken: what stopped the demuxer before the end, to follow "... is"."""
        ...


@dataclass(frozen=True)
class SoundStream:
    """The header's data of one audio stream: codec (FFmpeg's name), rate in Hz, channels, title (or "")."""

    codec: str
    sample_rate: int
    channels: int
    title: str


def picture_timeline(path: str | Path) -> Timeline | None:
    """The timeline of a file that may have no moving picture: None where none can be read."""
    try:
        return scan(path)
    except MediaError:
        return None


def scan(
    path: str | Path, strict: bool = False, beside: PacketReader | None = None, with_hash: bool = False
) -> Timeline:
    """Read every packet's time and decode the first frame (its orientation, and that something can be decoded).

    A damaged file is read as far as it goes, with a warning of one line; `strict` raises MediaError instead. beside:
    takes packets in the same pass; its errors are raised. with_hash: compute the file's sha256 as well.
    """
    path = check_input(path)
    with open_media(path) as container:
        damage = [problem] if (problem := outer_problem(bytes_of(container))) else []
        try:
            stream = picture_stream(container, path)
        except MediaError:
            _report(path, damage, strict=True)  # the header is torn: that is the reason
            raise
        indices = frozenset(beside.begin(container, path)) if beside is not None else frozenset[int]()
        read = _read_packets(container, stream, damage, beside if indices else None, indices)
        first = read.first or _first_frame(path, strict)
        pts, tick, last_duration = read.pts, stream.time_base or 1 / FALLBACK_RATE, read.last_duration
        if read.untimed:
            pts, tick, last_duration = array("q", range(len(pts))), 1 / (stream.guessed_rate or FALLBACK_RATE), 1
        elif first.pts is not None:
            pts = array("q", (p for p in pts if p >= first.pts))
        if not pts:
            raise MediaError(f"{shown(path)} has no frames; export it again")
        if len(pts) == 1 and container.format.name == "gif":
            raise MediaError(still_image(path))
        rates = (stream.guessed_rate, stream.average_rate, stream.base_rate)
        line = _line(pts, tick, rates)
        start = Fraction(0) if read.untimed else pts[0] * tick
        duration = _duration(line, tick, last_duration or 0)
        rate = 1 / line.frame_s if line.is_grid else _nominal_rate(len(pts) / duration, rates)
        tracks = read_tracks(bytes_of(container)) if "mp4" in container.format.name else []
        if not read.joins and (problem := _broken_promise(container, stream, start + duration)):
            damage.append(problem)
        if not (read.joins or read.untimed or any(problem.loses for problem in damage)):
            duration = _held(container, stream, tracks, start, duration, line.frame_s)
        info = VideoInfo(
            path, duration, start, first.width, first.height, first.orientation.rotation, rate, len(pts),
            len(container.streams.audio),
        )  # fmt: skip
        timecode = file_timecode(container, rate, tracks)
        sounds = [_sound_stream(sound) for sound in container.streams.audio]
        content_hash = hash_of(bytes_of(container)) if with_hash else None
    _report(path, damage, strict)
    return Timeline(
        info, path, first.orientation, pts, line.instants, line.unit, read.untimed, read.intra_only,
        first.drop_leading, timecode, read.joins, sounds, strict, read.hides_first, content_hash,
    )  # fmt: skip


def _report(path: Path, damage: Sequence[Damage], strict: bool) -> None:
    """Refuse a damaged file, or say once what is wrong with it."""
    if damage and strict:
        raise MediaError(f"{shown(path)} is {damage[0].text}; export or copy it again")
    if damage:
        log.warning("%s is %s; what is there is used", shown(path), "; ".join(problem.text for problem in damage))


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
class _FirstFrame:
    """The first frame that decodes. drop_leading: without the pictures shown before the first key frame."""

    pts: int | None
    orientation: Orientation
    width: int  # pixels, as shown
    height: int
    drop_leading: bool


def _first_of(frame: VideoFrame, drop_leading: bool) -> _FirstFrame:
    orientation = orientation_of(frame)
    width, height = (frame.height, frame.width) if orientation.transposed else (frame.width, frame.height)
    return _FirstFrame(frame.pts, orientation, width, height, drop_leading)


def _first_frame(path: Path, strict: bool) -> _FirstFrame:
    """The first frame where the beginning does not decode as it stands: without what precedes the key frame, then (if
    not `strict`) with the decoder's own repairs. MediaError where nothing can be decoded."""
    for options in (REPORT_DAMAGE,) if strict else (REPORT_DAMAGE, {}):
        try:
            with open_media(path, raw_errors=True) as container:
                stream = picture_stream(container, path)
                stream.codec_context.options = options
                for packet in from_key_frame(container.demux(stream), drop_leading=True):
                    for frame in packet.decode():
                        return _first_of(frame, drop_leading=True)
        except FFmpegError:
            continue
    raise MediaError(f"{shown(path)} is damaged: its picture cannot be decoded; export it again")


def from_key_frame(packets: Iterator[Packet], drop_leading: bool) -> Iterator[Packet]:
    """The packets from the first key frame on: a recording cut at its beginning may start with ones that refer to
    pictures that are gone. So may those that follow the key frame and are shown before it (`drop_leading`)."""
    key_pts = None
    for packet in dropwhile(lambda packet: packet.size > 0 and not packet.is_keyframe, packets):
        key_pts = packet.pts if key_pts is None else key_pts
        if not (drop_leading and packet.pts is not None and key_pts is not None and packet.pts < key_pts):
            yield packet


@dataclass
class _Packets:
    """The result of one pass over the packets. first: None where the beginning does not decode without repairs."""

    pts: array[int]  # of the shown packets, ascending
    last_duration: int | None  # ticks
    untimed: bool
    intra_only: bool
    joins: Sequence[Join]
    first: _FirstFrame | None
    hides_first: bool


def _read_packets(
    container: InputContainer,
    stream: VideoStream,
    damage: list[Damage],
    beside: PacketReader | None,
    indices: frozenset[int],
) -> _Packets:
    """Read all packets of the picture, and decode until its first frame. What is broken is added to `damage`. beside:
    takes the packets of the streams of these `indices`."""
    from av.stream import Discard

    finder = JoinFinder(stream.index) if container.format.name in JOINABLE_FORMATS else None
    for other in container.streams:
        is_read = other.index in indices or (finder is not None and other.type == "audio")
        if other.index != stream.index and not is_read:
            other.discard = Discard.all
    stream.codec_context.options = REPORT_DAMAGE
    clock, decoder = Clock([]), _FirstDecoder()
    pts, durations, positions = array("q"), array("q"), array("q")
    untimed, intra_only, is_corrupt, hides_first = False, True, False, None
    packets = read_to_damage(container.demux() if finder or beside else container.demux(stream), damage)
    for packet in packets if beside is None else _shared(packets, beside, indices, damage):
        is_picture = packet.stream_index == stream.index
        if is_picture and decoder.first is None:
            decoder.push(packet)
        if packet.size == 0:
            continue
        position = clock.position(packet)
        if finder is not None and packet.dts is not None and packet.pts is not None:
            finder.add(PacketTime(packet.stream_index, position, packet.dts, packet.pts, packet.duration or 0))
        if not is_picture:
            continue
        is_corrupt |= packet.is_corrupt
        hides_first = packet.is_discard if hides_first is None else hides_first
        intra_only &= packet.is_keyframe
        if packet.is_discard:
            continue
        untimed |= packet.pts is None
        pts.append(packet.pts if packet.pts is not None else len(pts))
        durations.append(packet.duration or 0)
        positions.append(position)
    if is_corrupt:
        damage.append(Damage("damaged or cut short (a broken packet)"))
    joins = finder.joins() if finder is not None else []
    if joins and stream.time_base:
        pts = array(
            "q", (p + round(shift_at(joins, at) / stream.time_base) for p, at in zip(pts, positions, strict=True))
        )
    last_duration = durations[max(range(len(pts)), key=lambda n: (pts[n], n))] if pts else None
    times = pts if untimed else array("q", sorted(set(pts)))
    return _Packets(times, last_duration, untimed, intra_only, joins, decoder.first, bool(hides_first))


def _shared(
    packets: Iterator[Packet], beside: PacketReader, indices: frozenset[int], damage: Sequence[Damage]
) -> Iterator[Packet]:
    """The packets, each given to `beside` when the scan asks for the next."""
    before = len(damage)
    for packet in packets:
        index = packet.stream_index
        yield packet
        if index in indices:
            beside.take(packet)
    beside.end(damage[before].text if len(damage) > before else None)


def read_to_damage(packets: Iterator[Packet], damage: list[Damage]) -> Iterator[Packet]:
    """The packets up to where the demuxer fails, which is added to `damage`."""
    try:
        yield from packets
    except FFmpegError as error:
        damage.append(Damage(f"damaged ({reason(error)})"))


class _FirstDecoder:
    """Decodes packets until there is a frame. `first` stays None where the beginning does not decode as it stands."""

    def __init__(self) -> None:
        self.first: _FirstFrame | None = None
        self._is_begun = self._has_failed = False

    def push(self, packet: Packet) -> None:
        self._is_begun |= packet.is_keyframe or packet.size == 0
        if not self._is_begun or self._has_failed:
            return
        try:
            for frame in packet.decode():
                self.first = self.first or _first_of(frame, drop_leading=False)
        except FFmpegError:
            self._has_failed = True


@dataclass(frozen=True)
class _Line:
    """Frames on the line of time. is_grid: all lie on n / rate, and the unit is 1 / rate; else it is half a tick."""

    instants: array[int]
    unit: Fraction  # s
    frame_s: Fraction  # s, the regular length of a frame
    is_grid: bool


def _line(pts: Sequence[int], tick: Fraction, rates: Sequence[Fraction | None]) -> _Line:
    for rate in rates:
        # with ticks over a quarter frame any times fit a grid, unless the container's clock counts frames
        if not rate or (tick * rate * 4 > 1 and not (tick * rate == 1 and rate <= FASTEST_COUNT)):
            continue
        per_frame = 1 / (tick * rate)  # ticks
        grid = array("q", (round((p - pts[0]) / per_frame) for p in pts))
        if all(a < b for a, b in zip(grid, grid[1:], strict=False)) and all(
            abs((p - pts[0]) - n * per_frame) < 1 for p, n in zip(pts, grid, strict=True)
        ):
            return _Line(grid, 1 / rate, 1 / rate, True)
    steps = sorted(b - a for a, b in zip(pts, pts[1:], strict=False))
    frame_s = steps[len(steps) // 2] * tick if steps else 1 / next((r for r in rates if r), FALLBACK_RATE)
    return _Line(array("q", (max(0, 2 * (p - pts[0]) - 1) for p in pts)), tick / 2, frame_s, False)


def _duration(line: _Line, tick: Fraction, last_ticks: int) -> Fraction:
    """s from the first frame to the end of the last, which lasts as long as its packet says, or a regular frame."""
    rounding = tick / 2 if not line.is_grid and len(line.instants) > 1 else 0
    last_s = last_ticks * tick
    is_regular = (last_s <= tick or abs(last_s - line.frame_s) <= tick) and tick <= line.frame_s
    return line.instants[-1] * line.unit + rounding + (line.frame_s if is_regular else last_s)


def _clock(text: str) -> Fraction | None:
    """Seconds of hh:mm:ss.fraction; None where it is none."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text.strip())
    return int(match[1]) * 3600 + int(match[2]) * 60 + Fraction(match[3]) if match else None


def _broken_promise(container: InputContainer, stream: VideoStream, end: Fraction) -> Damage | None:
    """What is wrong where the header promises clearly more picture than the packets hold (`end`: s)."""
    promised = None
    if stream.duration is not None and stream.time_base:
        promised = ((stream.start_time or 0) + stream.duration) * stream.time_base
    # Matroska's statistics tags. One of before a cut can stand beside the new one: the shortest counts.
    tags = [_clock(value) for key, value in stream.metadata.items() if key.startswith("DURATION")]
    promised = min((s for s in tags if s is not None), default=promised)
    if promised is None and container.format.name == "flv" and container.duration and not container.streams.audio:
        promised = Fraction(container.duration, MICROSECONDS)
    if promised is None or promised - end <= LOST_SECONDS:
        return None
    return Damage(f"cut short: it promises {float(promised):.2f} s but its picture ends at {float(end):.2f} s")


def _held(
    container: InputContainer,
    stream: VideoStream,
    tracks: Sequence[TrackBoxes],
    start: Fraction,
    duration: Fraction,
    frame_s: Fraction,
) -> Fraction:
    """The duration (s) with the last picture held for as long as the file shows it: to the end of its edit list, or of
    its sound where that lasts clearly longer. start, frame_s: of the first frame and the regular length, in s."""
    end = start + duration
    edits = next((t.shown_s for t in tracks if t.number == stream.id and t.shown_s is not None), Fraction(0))
    if edits - duration > frame_s:
        end = start + edits
    for sound in container.streams.audio:
        if sound.duration is not None and sound.time_base:
            sound_end = ((sound.start_time or 0) + sound.duration) * sound.time_base
        else:  # Matroska and FLV count it from 0, not from the first packet
            sound_end = Fraction(container.duration or 0, MICROSECONDS)
        if sound_end - end > LOST_SECONDS:
            end = sound_end
    if end - start - duration > LOST_SECONDS:
        log.warning("the last picture stands still for %.2f s, to the file's end", float(end - start - duration))
    return end - start


def _nominal_rate(average: Fraction, rates: Sequence[Fraction | None]) -> Fraction:
    """The stream's nominal rate where it is near the measured average (Hz): frames that are missing or late do not
    change it. A rate that is no more than the container's clock, as of screen recordings, is not one."""
    near = [rate for rate in rates if rate and abs(rate - average) <= average * NEAR_AVERAGE]
    return near[0] if near else average


def _sound_stream(sound: AudioStream) -> SoundStream:
    context = sound.codec_context
    name = context.name if context is not None else "unknown"
    title = sound.metadata.get("title") or sound.metadata.get("handler_name", "")
    return SoundStream(
        name, sound.rate if context is not None else 0, sound.channels if context is not None else 0, title
    )
