"""Packets as a muxer takes them: in ascending decoding times, none without a time."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from openfoley.errors import MediaError, UsageError
from openfoley.media.read.opening import is_cover, reason, shown
from openfoley.media.settings import DISK_FULL
from openfoley.media.time.clock import decoding_times

if TYPE_CHECKING:
    from av.bitstream import BitStreamFilterContext
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream

WRITE_FAILURES = frozenset({*DISK_FULL, errno.EIO, errno.EROFS, errno.EPIPE, errno.EACCES})  # not the muxer's


def read_packets(source: InputContainer, indices: list[int]) -> Iterator[Packet]:
    """The packets of some streams; an error here is the input's, every other one while writing is the output's."""
    from av.error import FFmpegError

    try:
        yield from source.demux([source.streams[i] for i in indices])
    except FFmpegError as error:
        raise MediaError(f"the input is damaged ({reason(error)}); export or copy it again") from error


def timed(packets: Iterable[Packet]) -> Iterator[Packet]:
    """The packets with data, each with a decoding time where there is one: see `Timed`."""
    all_timed = Timed()
    for packet in packets:
        yield from all_timed.push(packet)
    yield from all_timed.rest()


class Timed:
    """Packets with data, one after the other. Those that lack a decoding time (Matroska's first with B-frames) wait
    for one from the next.

    A flush packet is recognised by its size: `dts is None` would drop Matroska's first key frame.
    """

    def __init__(self) -> None:
        self._waiting: dict[int, list[Packet]] = {}
        self._seen: set[int] = set()

    def push(self, packet: Packet) -> Iterator[Packet]:
        if packet.size == 0:
            return
        if packet.pts is None:
            packet.pts = packet.dts
        if packet.pts is None and is_cover(packet.stream):
            packet.pts = packet.dts = 0  # one picture, which a container keeps beside its tracks
        index = packet.stream_index
        if index in self._seen:
            yield packet
        elif packet.dts is None:
            self._waiting.setdefault(index, []).append(packet)
        else:
            self._seen.add(index)
            yield from _with_dts(self._waiting.pop(index, []), packet.dts, packet.duration)
            yield packet

    def rest(self) -> Iterator[Packet]:
        """Those that wait, where no packet with a decoding time followed."""
        return chain.from_iterable(_with_dts(early, None, early[-1].duration) for early in self._waiting.values())


def _with_dts(early: list[Packet], following: int | None, duration: int | None) -> Iterator[Packet]:
    """following: the decoding time of the packet behind them."""
    pts, step = [packet.pts for packet in early if packet.pts is not None], duration or 1
    orders = decoding_times(pts, step) if len(pts) == len(early) else []
    for back, packet, dts in zip(range(len(early), 0, -1), early, orders, strict=False):
        packet.dts = dts if following is None else min(dts, following - back * step)
    yield from early


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


class PacketCopy:
    """Copies packets of `source` into the streams of `out` (by their index in `source`). UsageError names the stream
    whose packets are refused."""

    def __init__(
        self, source: InputContainer, path: Path, suffix: str, out: OutputContainer, streams: dict[int, Stream]
    ) -> None:
        self.source, self.path, self.suffix, self.out, self.streams = source, path, suffix, out, streams
        self._last: dict[int, int] = {}
        self._headers = {i: _repeated_headers(source.streams[i], out.format.name) for i in streams}
        self._at: Stream = next(s for s in source.streams if s.index in streams and s.type == "video")

    def start(self) -> None:
        with self._named():
            self.out.start_encoding()

    def write(self, packet: Packet) -> None:
        index = packet.stream_index
        self._at = self.source.streams[index]
        if packet.pts is None and packet.dts is None:
            raise no_times(self._at, self.path, self.suffix)
        packet.stream = self.streams[index]
        self._last[index] = ascending(packet, self._last.get(index))
        headers = self._headers[index]
        with self._named():
            self.out.mux(packet if headers is None else headers.filter(packet))

    def close(self) -> None:
        with self._named():
            self.out.close()

    @contextmanager
    def _named(self) -> Iterator[None]:
        from av.error import FFmpegError

        try:
            yield
        except FFmpegError as error:
            if error.errno in WRITE_FAILURES:
                raise
            others = [s for s in (".mkv", ".mov") if s != self.suffix]
            way = "" if self._at.type == "video" else "leave the file's own sound out with --audio replace, "
            raise UsageError(
                f"{self.suffix} cannot hold the {_name(self._at)} of {shown(self.path)} ({reason(error)}); "
                f"{way}write {' or '.join(others)}, or the sound alone as .wav, with --out"
            ) from error


def _repeated_headers(stream: Stream, format: str) -> BitStreamFilterContext | None:
    """A transport stream has no place for the headers of MPEG-4 part 2, which most containers keep apart: they go
    before every key frame, where they are not already there. FFmpeg does so by itself for H.264 and HEVC alone."""
    from av.bitstream import BitStreamFilterContext

    if format != "mpegts" or stream.type != "video" or stream.codec_context.name != "mpeg4":
        return None
    return BitStreamFilterContext("dump_extra", in_stream=stream)


def no_times(stream: Stream, path: Path, suffix: str) -> UsageError:
    """For an AVI: the order in which the pictures are shown is known to a decoder alone. `ffmpeg -c
    copy` writes its B-frames at the times of their decoding; mkvmerge reads the order from the slices."""
    own = "write .avi, " if stream.container.format.name == "avi" else ""
    return UsageError(
        f"the {_name(stream)} of {shown(path)} has no times, which {suffix} needs; {own}put it into a "
        "container first (mkvmerge -o NAME.mkv FILE), or write the sound alone with --out NAME.wav"
    )


def _name(stream: Stream) -> str:
    codec = stream.codec_context.name if stream.codec_context is not None else "data"
    return f"{codec} {'picture' if stream.type == 'video' else stream.type} (stream {stream.index})"
