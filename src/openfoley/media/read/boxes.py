"""The boxes of MP4 and QuickTime files, and fields in them that FFmpeg does not expose: the edit list's duration, the
timecode track's counting. ISO/IEC 14496-12 sections 4.2 (boxes), 8.3 (trak), 8.6.6 (elst); QuickTime File Format,
"Timecode media".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO

Boxes = list[tuple[bytes, bytes]]  # (kind, payload) of boxes that follow one another

DESCRIPTION_HEAD = 8  # bytes of stsd before its entries: version, flags, number of entries
MOST_MOVIE_BYTES = 1 << 28  # a movie box beyond it is not read: two hours need about 5 MB


def top_boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int, int]]:
    """(kind, start, start of the payload, end) of a file's outermost boxes."""
    size, position = file.seek(0, 2), 0
    while position + 8 <= size:
        file.seek(position)
        head = file.read(16)
        length, head_bytes = struct.unpack_from(">I", head)[0], 8
        if length == 1 and len(head) == 16:
            length, head_bytes = struct.unpack_from(">Q", head, 8)[0], 16
        if length == 0:
            length = size - position
        if length < head_bytes:
            return
        yield head[4:8], position, position + head_bytes, min(size, position + length)
        position += length


def split(body: bytes) -> Boxes:
    """The boxes in a payload; what follows the last whole one (a list's 32-bit end mark) is left out."""
    found, position = [], 0
    while position + 8 <= len(body):
        length, kind = struct.unpack_from(">I4s", body, position)
        if length < 8 or position + length > len(body):
            break
        found.append((kind, body[position + 8 : position + length]))
        position += length
    return found


def join(boxes: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The bytes of boxes: the inverse of `split`."""
    return b"".join(struct.pack(">I4s", 8 + len(body), kind) + body for kind, body in boxes)


def payload(body: bytes, *path: bytes) -> bytes | None:
    """The payload of the first box at a path below a payload; None where there is none."""
    for kind in path:
        found = next((inner for name, inner in split(body) if name == kind), None)
        if found is None:
            return None
        body = found
    return body


def read_movie(file: BinaryIO) -> tuple[bytes, bool] | None:
    """(payload of the movie box, whether it lies before the media data); None where there is none to read."""
    seen: set[bytes] = set()
    for kind, _, start, end in top_boxes(file):
        if kind == b"moov" and end - start <= MOST_MOVIE_BYTES:
            file.seek(start)
            return file.read(end - start), b"mdat" not in seen
        seen.add(kind)
    return None


def track_number(track: bytes) -> int:
    """Of a trak payload: its track's number (section 8.3.2)."""
    header = payload(track, b"tkhd") or b""
    at = 20 if header[:1] == b"\1" else 12
    return struct.unpack_from(">I", header, at)[0] if len(header) >= at + 4 else 0


def sample_kinds(file: BinaryIO) -> dict[int, bytes]:
    """Track number -> four-letter code of its first sample description; empty where the file has no movie box."""
    movie = read_movie(file)
    kinds: dict[int, bytes] = {}
    for kind, body in split(movie[0]) if movie else ():
        described = payload(body, b"mdia", b"minf", b"stbl", b"stsd") if kind == b"trak" else None
        if described is not None and len(described) >= DESCRIPTION_HEAD + 8:
            kinds[track_number(body)] = described[DESCRIPTION_HEAD + 4 : DESCRIPTION_HEAD + 8]
    return kinds


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
        found = read_movie(file)
        movie = split(found[0]) if found is not None else []
        header = next((body for kind, body in movie if kind == b"mvhd"), b"")
        timescale = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)[0]
        return [_track(file, body, timescale) for kind, body in movie if kind == b"trak"]
    except (struct.error, IndexError, ZeroDivisionError, OSError):
        return []


def _track(file: BinaryIO, body: bytes, timescale: int) -> TrackBoxes:
    number = track_number(body)
    edits = payload(body, b"edts", b"elst")
    shown_s = None if edits is None else _shown(edits, timescale)
    samples = payload(body, b"mdia", b"minf", b"stbl") or b""
    descriptions = payload(samples, b"stsd")
    if descriptions is None or descriptions[12:16] != b"tmcd":
        return TrackBoxes(number, shown_s, None, None)
    # behind size, kind, 6 reserved bytes, data reference, 4 reserved bytes and flags: time scale, frame duration
    scale, frame_ticks = struct.unpack_from(">II", descriptions, 8 + 8 + 6 + 2 + 4 + 4)
    return TrackBoxes(number, shown_s, Fraction(scale, frame_ticks), _first_number(file, samples))


def _first_number(file: BinaryIO, samples: bytes) -> int | None:
    """The first sample of a timecode track: a frame number of 32 bits."""
    narrow, wide = payload(samples, b"stco"), payload(samples, b"co64")
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
