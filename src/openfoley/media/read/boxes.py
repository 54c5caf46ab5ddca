"""Fields of MP4 and QuickTime files that FFmpeg does not expose: the edit list's duration, and the timecode track's
counting. ISO/IEC 14496-12 sections 8.3 (trak), 8.6.6 (elst); QuickTime File Format, "Timecode media".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

MOST_MOVIE_BYTES = 1 << 28  # a moov box beyond it is not read: 2 hours need about 5 MB


@dataclass(frozen=True)
class TrackBoxes:
    """One track: its number, how long its edit list shows it (s; None without one); of a timecode track its rate (Hz)
    and the number of the first frame, counted from 00:00:00:00."""

    number: int
    shown_s: Fraction | None
    timecode_rate: Fraction | None
    timecode_frame: int | None


def read_tracks(file: BinaryIO) -> list[TrackBoxes]:
    """The tracks of a file's movie box; none where it has no such box or a damaged one."""
    try:
        movie = _movie_box(file)
        if movie is None:
            return []
        header = next((body for kind, body in _children(movie) if kind == b"mvhd"), b"")
        timescale = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]
        return [_track(file, body, timescale) for kind, body in _children(movie) if kind == b"trak"]
    except (struct.error, IndexError, ZeroDivisionError, OSError):
        return []


def _movie_box(file: BinaryIO) -> bytes | None:
    position = 0
    while True:
        file.seek(position)
        head = file.read(16)
        if len(head) < 8:
            return None
        length, header_bytes = struct.unpack_from(">I", head)[0], 8
        if length == 1:
            length, header_bytes = struct.unpack_from(">Q", head, 8)[0], 16
        if head[4:8] == b"moov":
            if not header_bytes <= length <= MOST_MOVIE_BYTES:
                return None
            file.seek(position + header_bytes)
            return file.read(length - header_bytes)
        if length < header_bytes:
            return None
        position += length


def _children(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(kind, payload) of the boxes in a payload."""
    position = 0
    while position + 8 <= len(body):
        length, kind = struct.unpack_from(">I4s", body, position)
        if length < 8:
            return
        yield kind, body[position + 8 : position + length]
        position += length


def _inside(body: bytes, *kinds: bytes) -> bytes | None:
    """The payload of the box at this path below a payload."""
    for kind in kinds:
        found = next((payload for name, payload in _children(body) if name == kind), None)
        if found is None:
            return None
        body = found
    return body


def _track(file: BinaryIO, body: bytes, timescale: int) -> TrackBoxes:
    header = _inside(body, b"tkhd") or b""
    number = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]
    edits = _inside(body, b"edts", b"elst")
    shown_s = None if edits is None else _shown(edits, timescale)
    samples = _inside(body, b"mdia", b"minf", b"stbl") or b""
    descriptions = _inside(samples, b"stsd")
    if descriptions is None or descriptions[12:16] != b"tmcd":
        return TrackBoxes(number, shown_s, None, None)
    # behind size, kind, 6 reserved bytes, data reference, 4 reserved bytes and flags: time scale, frame duration
    scale, frame_ticks = struct.unpack_from(">II", descriptions, 8 + 8 + 6 + 2 + 4 + 4)
    return TrackBoxes(number, shown_s, Fraction(scale, frame_ticks), _first_number(file, samples))


def _first_number(file: BinaryIO, samples: bytes) -> int | None:
    """The first sample of a timecode track: a frame number of 32 bits."""
    narrow, wide = _inside(samples, b"stco"), _inside(samples, b"co64")
    offsets = narrow if narrow is not None else wide
    if offsets is None:
        return None
    file.seek(struct.unpack_from(">I" if narrow is not None else ">Q", offsets, 8)[0])
    return struct.unpack(">I", file.read(4))[0]


def _shown(edits: bytes, timescale: int) -> Fraction:
    """Seconds of an edit list without its empty edits (media time -1), which only delay the start."""
    form = ">Qqi" if edits[0] == 1 else ">Iii"
    count = struct.unpack_from(">I", edits, 4)[0]
    size = struct.calcsize(form)
    entries = [struct.unpack_from(form, edits, 8 + n * size) for n in range(min(count, len(edits) // size))]
    return Fraction(sum(length for length, time, _ in entries if time >= 0), timescale)
