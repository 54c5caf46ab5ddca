"""One pass over the packets of a file: the times of its pictures, joins of its clock, what is broken in it."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from av.error import FFmpegError

from openfoley.media.read.avi_index import AviIndex
from openfoley.media.read.blocks_below_zero import blocks_below_zero
from openfoley.media.read.damage import Damage
from openfoley.media.read.first_frame import REPORT_DAMAGE, FirstDecoder, FirstFrame
from openfoley.media.read.opening import bytes_of, reason
from openfoley.media.read.raw_stream import RawStream, has_order
from openfoley.media.read.temporal_order import order_of, true_pts
from openfoley.media.time.clock import JOINABLE_FORMATS, Clock, JoinFinder, PacketTime, TrueTimes, shift_at

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream


FLV_PERIOD = 2**31  # ms; its times are SI32 (Adobe, FLV specification 10.1, E.4.1), of which FFmpeg writes 31 bits
LATEST_OGG = 2**31  # frames; a larger number is one below zero without its sign


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


@dataclass
class Packets:
    """The result of one pass over the packets. first: None where the beginning does not decode without repairs."""

    pts: array[int]  # of the shown packets, ascending
    last_duration: int | None  # ticks
    untimed: bool
    intra_only: bool
    times: TrueTimes
    first: FirstFrame | None
    hides_first: bool


def read_packets(
    container: InputContainer,
    stream: VideoStream,
    damage: list[Damage],
    beside: PacketReader | None,
    indices: frozenset[int],
) -> Packets:
    """Read all packets of the picture, and decode until its first frame. What is broken is added to `damage`. beside:
    takes the packets of the streams of these `indices`."""
    from av.stream import Discard

    finder = _join_finder(container, stream, damage)
    for other in container.streams:
        is_read = other.index in indices or (finder is not None and other.type == "audio")
        if other.index != stream.index and not is_read:
            other.discard = Discard.all
    stream.codec_context.options = REPORT_DAMAGE
    times = TrueTimes(packets=_times_below_zero(container), wraps=wraps(container))
    raw = None if has_order(container) else RawStream(stream)
    clock, decoder = Clock(times), FirstDecoder() if raw is None else raw
    order = order_of(container, stream)
    pts, durations, positions = array("q"), array("q"), array("q")
    untimed, intra_only, hides_first = False, True, None
    broken: dict[str, None] = {}  # in the order of their first
    demuxed = container.demux() if finder or beside else container.demux(stream)
    packets = clock.continuous(read_to_damage(demuxed, damage))
    for packet in packets if beside is None else _shared(packets, beside, indices, damage):
        is_picture = packet.stream_index == stream.index
        if is_picture and not decoder.is_done:
            decoder.push(packet)
        if packet.size == 0:
            continue
        position = clock.position(packet)
        if finder is not None and packet.dts is not None and packet.pts is not None:
            finder.add(PacketTime(packet.stream_index, position, packet.dts, packet.pts, packet.duration or 0))
        if packet.is_corrupt and (is_picture or packet.stream.type == "audio"):
            broken["picture" if is_picture else "sound"] = None
        if not is_picture:
            continue
        hides_first = packet.is_discard if hides_first is None else hides_first
        intra_only &= packet.is_keyframe
        if order is not None:
            order.add(packet)
        if packet.is_discard:
            continue
        untimed |= packet.pts is None
        pts.append(packet.pts if packet.pts is not None else len(pts))
        durations.append(packet.duration or 0)
        positions.append(position)
    if broken:
        damage.append(Damage(f"damaged or cut short (a broken packet of the {' and of the '.join(broken)})"))
    joins = finder.joins() if finder is not None else []
    if raw is not None and raw.pts:
        last, times = raw.frame_ticks, TrueTimes(streams={stream.index: raw.times()})
        return Packets(raw.pts, last, False, intra_only, times, decoder.first, bool(hides_first))
    if joins and stream.time_base:
        pts = array(
            "q",
            (
                p + round(shift_at(joins, at, stream.index) / stream.time_base)
                for p, at in zip(pts, positions, strict=True)
            ),
        )
    times, first = replace(times, joins=joins), decoder.first
    if order is not None and not joins and (fixed := order.times()) is not None:
        pts, times = array("q", (time for time, _ in fixed)), replace(times, streams={stream.index: fixed})
        first = first and replace(first, pts=true_pts(order, fixed, first.pts))
    last_duration = durations[max(range(len(pts)), key=lambda n: (pts[n], n))] if pts else None
    ordered = pts if untimed else array("q", sorted(set(pts)))
    return Packets(ordered, last_duration, untimed, intra_only, times, first, bool(hides_first))


def wraps(container: InputContainer) -> dict[int, int]:
    """Ticks after which the times of a stream begin again, by its index: FFmpeg takes the signed ones of FLV and of
    Theora as unsigned."""
    if container.format.name == "flv":
        return dict.fromkeys((s.index for s in container.streams), FLV_PERIOD)
    if container.format.name == "ogg":  # a granule's upper bits are the number of a key frame, the lower are its own
        starts = {s.index: s.start_time or 0 for s in container.streams.video}
        return {index: 1 << start.bit_length() for index, start in starts.items() if start > LATEST_OGG}
    return {}


def _times_below_zero(container: InputContainer) -> dict[int, tuple[int, int | None]]:
    if "matroska" not in container.format.name:
        return {}
    return {at: (time, None) for at, time in blocks_below_zero(bytes_of(container)).items()}


def _join_finder(
    container: InputContainer, stream: VideoStream, damage: Sequence[Damage]
) -> JoinFinder | AviIndex | None:
    if container.format.name in JOINABLE_FORMATS:
        return JoinFinder(stream.index)
    if container.format.name == "avi" and any(problem.loses for problem in damage):
        return AviIndex(bytes_of(container), {s.index: s.time_base for s in container.streams if s.time_base})
    return None


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
