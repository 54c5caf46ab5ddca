"""One clock for a whole file, where FFmpeg's times of its packets are not the file's.

In transport streams that were joined byte by byte the clock restarts at each join: every packet after it is shifted by
the same amount in all streams, so that the picture continues where it stopped and stays in sync with the sound. A join
is identified by its byte position, since packets of several streams are read out of order. ISO/IEC 13818-1 section
2.4.3.5 (discontinuity of the system time base). Other formats lose single times, which are found by the same position.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.packet import Packet

JOINABLE_FORMATS = frozenset({"mpegts", "mpeg"})  # FFmpeg's names: formats whose clock may start again
TICK = Fraction(1, 90_000)  # s, of these formats (ISO/IEC 13818-1 section 2.4.3.7)
LARGEST_STEP_BACK = 9_000  # ticks (0.1 s) of decoding times, which some writers round; beyond it a clock began again
LONGEST_HOLE = 600 * 90_000  # ticks; a larger step forward is a clock reset, not a loss of signal


@dataclass(frozen=True)
class Join:
    """From byte `position` on, `shift` seconds are added to all times (in place of the shift of the join before), or to
    those of one `stream`."""

    position: int
    shift: Fraction
    stream: int | None = None


def shift_at(joins: Sequence[Join], position: int, stream: int) -> Fraction:
    """Seconds to add to the times of a packet of this stream at this byte."""
    own = (j for j in reversed(joins) if j.position <= position and j.stream in (None, stream))
    return next((join.shift for join in own), Fraction(0))


@dataclass(frozen=True)
class TrueTimes:
    """The times of a file's packets where FFmpeg gives none, or others. packets: (pts, dts) by the packet's byte, in
    ticks of its stream; dts None: unknown. streams: (pts, dts) of all packets of a stream, by its index.
    wraps: ticks after which the times of a stream begin again, by its index; those in the upper half lie below zero."""

    joins: Sequence[Join] = ()
    packets: Mapping[int, tuple[int, int | None]] = field(default_factory=dict)
    streams: Mapping[int, Sequence[tuple[int, int]]] = field(default_factory=dict)
    wraps: Mapping[int, int] = field(default_factory=dict)

    def unwrapped(self, stream: int, ticks: int) -> int:
        """A time of this stream, which may lie below zero."""
        period = self.wraps.get(stream)
        return ticks if period is None else (ticks + period // 2) % period - period // 2


class Clock:
    """Continuous times for the packets of one pass over a file, in the order of the demuxer."""

    def __init__(self, times: TrueTimes) -> None:
        self._joins, self._packets, self._times = times.joins, times.packets, times
        self._streams = {index: iter(times) for index, times in times.streams.items()}
        self._positions: dict[int, int] = {}  # of the stream's last packet that has one
        self.shift = Fraction(0)  # s, of the last packet

    def continuous(self, packets: Iterable[Packet]) -> Iterator[Packet]:
        """The packets, their pts and dts changed in place. Those with a time but no data, by which Ogg and AVI repeat
        a picture, are left out: a decoder takes them for the end."""
        for packet in packets:
            if not packet.size and packet.pts is not None:
                continue
            if packet.stream_index in self._times.wraps:
                index = packet.stream_index
                packet.pts = None if packet.pts is None else self._times.unwrapped(index, packet.pts)
                packet.dts = None if packet.dts is None else self._times.unwrapped(index, packet.dts)
            known = self._packets.get(packet.pos) if packet.size and packet.pos is not None else None
            # of a sound FFmpeg's own are as good: it counts back from the first one that it knows
            if known is not None and (packet.pts is None or packet.stream.type == "video"):
                packet.pts, packet.dts = known
            if packet.size and packet.stream_index in self._streams:
                packet.pts, packet.dts = next(self._streams[packet.stream_index], (packet.pts, packet.dts))
            if self._joins and packet.time_base:
                self.shift = shift_at(self._joins, self.position(packet), packet.stream_index)
                ticks = round(self.shift / packet.time_base)
                packet.pts = None if packet.pts is None else packet.pts + ticks
                packet.dts = None if packet.dts is None else packet.dts + ticks
            yield packet

    def position(self, packet: Packet) -> int:
        """The packet's byte in the file; of several frames of one PES packet only the first carries it."""
        before = self._positions.get(packet.stream_index, -1)
        found = before if packet.pos is None else max(before, packet.pos)
        self._positions[packet.stream_index] = found
        return found


@dataclass(frozen=True)
class PacketTime:
    """A packet's data for finding joins; times in ticks of 1/90000 s."""

    stream: int
    position: int  # byte
    dts: int
    pts: int
    duration: int


def decoding_times(pts: Sequence[int], step: int) -> list[int]:
    """Ascending decoding times, none after its pts, for frames in the order of decoding with these (distinct) pts.
    step: of the times in front of the first pts, where the frames that are shown out of order need some."""
    shown = sorted(pts)
    place = {time: k for k, time in enumerate(shown)}
    delay = max((n - place[time] for n, time in enumerate(pts)), default=0)
    return [shown[n - delay] if n >= delay else shown[0] - (delay - n) * step for n in range(len(pts))]


def presentation_times(dts: Sequence[int], shown: Sequence[int], last: int) -> list[int]:
    """The pts of frames with these ascending decoding times: the k-th of those `shown` (their numbers in the order of
    decoding) has the time at which the k-th one after the delay is decoded. last: ticks of the last frame."""
    place = {number: k for k, number in enumerate(shown)}
    delay = max((n - place[n] for n in range(len(dts))), default=0)
    times = [*dts[delay:], *(dts[-1] + last * (k + 1) for k in range(delay))]
    return [times[place[n]] for n in range(len(dts))]


class JoinFinder:
    """Collects the times of all packets of a pass; `joins` gives where the clock began again."""

    def __init__(self, picture: int) -> None:
        self._picture = picture  # the stream whose frames must follow on
        self._values = array("q")  # flat PacketTimes: two hours have half a million packets
        self._last: dict[int, int] = {}  # dts of each stream
        self._is_joined = False

    def add(self, packet: PacketTime) -> None:
        self._values.extend((packet.stream, packet.position, packet.dts, packet.pts, packet.duration))
        self._is_joined |= _begins_again(self._last.get(packet.stream, packet.dts), packet.dts)
        self._last[packet.stream] = packet.dts

    def joins(self) -> list[Join]:
        if not self._is_joined:
            return []
        flat = iter(self._values)
        packets = [PacketTime(*values) for values in zip(flat, flat, flat, flat, flat, strict=True)]
        segments = _segments(sorted(packets, key=lambda p: p.position))
        joins: list[Join] = []
        end = 0  # of the pictures so far, ticks
        for number, segment in enumerate(segments):
            pictures = [p for p in segment if p.stream == self._picture] or segment
            shift = end - min(p.pts for p in pictures) if number else 0
            end = max(p.pts + p.duration for p in pictures) + shift
            if number:
                joins.append(Join(segment[0].position, shift * TICK))
        return joins


def _begins_again(before: int, dts: int) -> bool:
    return not -LARGEST_STEP_BACK <= dts - before <= LONGEST_HOLE


def _segments(packets: Sequence[PacketTime]) -> list[list[PacketTime]]:
    """Packets in the order of the file -> stretches of one clock each."""
    segments: list[list[PacketTime]] = [[]]
    last: dict[int, int] = {}
    for packet in packets:
        before = last.get(packet.stream)
        if before is not None and _begins_again(before, packet.dts):
            # packets of other streams between the join and this one carry the new clock already
            early: list[PacketTime] = []
            while segments[-1] and abs(segments[-1][-1].dts - packet.dts) < abs(segments[-1][-1].dts - before):
                early.insert(0, segments[-1].pop())
            segments.append(early)
            last = {p.stream: p.dts for p in early}
        segments[-1].append(packet)
        last[packet.stream] = packet.dts
    return [segment for segment in segments if segment]
