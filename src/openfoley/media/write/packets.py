"""Packets as a muxer takes them: in ascending decoding times, none without a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from openfoley.errors import MediaError
from openfoley.media.read.opening import reason

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet


def read_packets(source: InputContainer, indices: list[int]) -> Iterator[Packet]:
    """The packets of some streams; an error here is the input's, every other one while writing is the output's."""
    from av.error import FFmpegError

    try:
        yield from source.demux([source.streams[i] for i in indices])
    except FFmpegError as error:
        raise MediaError(f"the input is damaged ({reason(error)}); export or copy it again") from error


def timed(packets: Iterator[Packet]) -> Iterator[Packet]:
    """The packets with data. Those that lack a decoding time (Matroska's first with B-frames) get one from the next.

    A flush packet is told by its size: `dts is None` would drop Matroska's first key frame.
    """
    waiting: dict[int, list[Packet]] = {}
    seen: set[int] = set()
    for packet in packets:
        if packet.size == 0:
            continue
        if packet.pts is None:
            packet.pts = packet.dts
        index = packet.stream_index
        if index in seen:
            yield packet
        elif packet.dts is None:
            waiting.setdefault(index, []).append(packet)
        else:
            seen.add(index)
            yield from _with_dts(waiting.pop(index, []), packet)
            yield packet
    for rest in waiting.values():
        yield from rest


def _with_dts(early: list[Packet], following: Packet) -> Iterator[Packet]:
    step = following.duration or 1
    for back, packet in zip(range(len(early), 0, -1), early, strict=True):
        packet.dts = following.dts - back * step if following.dts is not None else None
        yield packet


def ascending(packet: Packet, last: int | None) -> int:
    """The decoding time in ticks of the packet's output stream, one tick after the `last` one where it was not later:
    two frames within a coarse tick, or the overlap where two streams were joined."""
    tick = packet.stream.time_base or packet.time_base
    dts = round((packet.dts if packet.dts is not None else packet.pts or 0) * packet.time_base / tick)
    if last is None or dts > last:
        return dts
    pts = round((packet.pts if packet.pts is not None else packet.dts or 0) * packet.time_base / tick)
    packet.duration = round((packet.duration or 0) * packet.time_base / tick)
    packet.dts, packet.pts, packet.time_base = last + 1, max(pts, last + 1), tick
    return last + 1
