"""Give a finished Matroska file the picture's display size, cropping, stereo mode and projection.

FFmpeg's writer takes the display size from a field that PyAV cannot set, and writes "display unit unknown" instead. The
picture's track is written with a name padded by RESERVED, which is then replaced by the missing elements and a Void
element of the same length.
RFC 9559 (Matroska) section 5.1.4, RFC 8794 (EBML).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

RESERVED = "\N{NO-BREAK SPACE}" * 512  # behind the picture track's name; 1024 bytes
SEGMENT, TRACKS, CLUSTER, TRACK_ENTRY, CRC_32, VOID = 0x18538067, 0x1654AE6B, 0x1F43B675, 0xAE, 0xBF, 0xEC
NAME, TRACK_TYPE, VIDEO, PIXEL_WIDTH, PIXEL_HEIGHT = 0x536E, 0x83, 0xE0, 0xB0, 0xBA
DISPLAY_WIDTH, DISPLAY_HEIGHT, DISPLAY_UNIT = 0x54B0, 0x54BA, 0x54B2
CARRIED = frozenset(
    {
        DISPLAY_WIDTH,
        DISPLAY_HEIGHT,
        DISPLAY_UNIT,
        0x54AA,
        0x54BB,
        0x54CC,
        0x54DD,
        0x53B8,
        0x7670,
    }
)  # ... PixelCropBottom, Top, Left, Right, StereoMode, Projection
MOST_TRACKS_BYTES = 1 << 24

Elements = list[tuple[int, bytes]]  # (identifier, payload)


def elements(body: bytes) -> Elements:
    """The elements of a payload of known sizes."""
    found, position = [], 0
    while position < len(body):
        identifier, length, start = _header(body, position)
        found.append((identifier, body[start : start + length]))
        position = start + length
    return found


def element(identifier: int, payload: bytes, size_bytes: int | None = None) -> bytes:
    """The bytes of an element, its size in as few bytes as possible or in `size_bytes`."""
    if size_bytes is None:
        size_bytes = next(n for n in range(1, 9) if len(payload) < (1 << 7 * n) - 1)
    size = (len(payload) | 1 << 7 * size_bytes).to_bytes(size_bytes, "big")
    return identifier.to_bytes((identifier.bit_length() + 7) // 8, "big") + size + payload


def joined(parts: Iterable[tuple[int, bytes]]) -> bytes:
    return b"".join(element(identifier, payload) for identifier, payload in parts)


def read_tracks(file: BinaryIO) -> tuple[int, bytes] | None:
    """(start in the file, payload) of a Matroska file's Tracks; None where no Tracks precede the first cluster."""
    for identifier, length, start in _segment(file):
        if identifier == CLUSTER or length is None:
            return None
        if identifier == TRACKS and length <= MOST_TRACKS_BYTES:
            file.seek(start)
            return start, file.read(length)
    return None


def picture_settings(file: BinaryIO) -> Elements:
    """What the first picture track of a Matroska file says of display size, cropping, stereo and projection."""
    try:
        found = read_tracks(file)
        for identifier, body in elements(found[1]) if found else ():
            entry = dict(elements(body)) if identifier == TRACK_ENTRY else {}
            if entry.get(TRACK_TYPE) == b"\1":
                return [(name, value) for name, value in elements(entry.get(VIDEO, b"")) if name in CARRIED]
    except IndexError:  # no elements: FFmpeg has read everything
        pass
    return []


def display_size(width: int, height: int, aspect: Fraction) -> Elements:
    """The display size of a picture of width x height samples, each `aspect` times as wide as high."""
    shown = (round(width * aspect), height) if aspect >= 1 else (width, round(height / aspect))
    return [(DISPLAY_WIDTH, _number(shown[0])), (DISPLAY_HEIGHT, _number(shown[1]))]


def finish_matroska(written: Path, settings: Elements) -> None:
    """Replace RESERVED by `settings` in `written`, in place."""
    with open(written, "rb") as file:
        found = read_tracks(file)
    if found is None:
        return
    start, body = found
    reserved, parts = RESERVED.encode(), []
    for identifier, payload in elements(body):
        name = dict(elements(payload)).get(NAME, b"") if identifier == TRACK_ENTRY else b""
        if name.endswith(reserved):
            payload = _entry(payload, name.removesuffix(reserved), settings)
        parts.append((identifier, payload))
    # sizes keep the number of bytes that they had, so that all positions stay
    size_bytes = [_header(body, at)[2] - at - _id_bytes(identifier) for at, identifier in _positions(body)]
    raw = [element(i, p, n) for (i, p), n in zip(parts, size_bytes, strict=True)]
    if parts[0][0] == CRC_32:
        raw[0] = element(CRC_32, zlib.crc32(b"".join(raw[1:])).to_bytes(4, "little"))
    with open(written, "r+b") as file:
        file.seek(start)
        file.write(b"".join(raw))


def _entry(payload: bytes, name: bytes, settings: Elements) -> bytes:
    """A track entry of the same length with its own name and the settings in its Video."""
    new = {DISPLAY_UNIT, *(identifier for identifier, _ in settings)}
    parts: Elements = [(NAME, name)] if name else []
    for identifier, value in elements(payload):
        if identifier == VIDEO:
            value = joined([*(e for e in elements(value) if e[0] not in new), *settings])
        if identifier != NAME:
            parts.append((identifier, value))
    entry = joined(parts)
    left = len(payload) - len(entry)
    if left < 9:
        raise ValueError(f"no room for the picture's settings: {left} bytes are left of {len(payload)}")
    return entry + element(VOID, bytes(left - 9), 8)


def _positions(body: bytes) -> Iterator[tuple[int, int]]:
    position = 0
    while position < len(body):
        identifier, length, start = _header(body, position)
        yield position, identifier
        position = start + length


def _segment(file: BinaryIO) -> Iterator[tuple[int, int | None, int]]:
    """(identifier, length or None, start of the payload) of the segment's children."""
    size, position = file.seek(0, 2), 0
    while position < size:
        file.seek(position)
        head = file.read(12)
        if not head or head[0] < 0x10 or len(head) < 2:
            return
        identifier, length, start = _header(head + bytes(12), 0)
        unknown = length == (1 << 7 * (start - _id_bytes(identifier))) - 1
        if identifier == SEGMENT:
            position += start
            continue
        if position:
            yield identifier, None if unknown else length, position + start
        position += start + length


def _header(body: bytes, position: int) -> tuple[int, int, int]:
    """(identifier, length, start of the payload) of the element at a position."""
    id_bytes = 9 - body[position].bit_length()
    size_at = position + id_bytes
    size_bytes = 9 - body[size_at].bit_length()
    raw = int.from_bytes(body[size_at : size_at + size_bytes], "big")
    identifier = int.from_bytes(body[position:size_at], "big")
    return identifier, raw & ((1 << 7 * size_bytes) - 1), size_at + size_bytes


def _id_bytes(identifier: int) -> int:
    return (identifier.bit_length() + 7) // 8


def _number(value: int) -> bytes:
    return value.to_bytes(max(1, (value.bit_length() + 7) // 8), "big")
