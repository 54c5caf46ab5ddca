"""Integrity check: a walk over the outermost boxes of MP4, Matroska and RIFF files.

FFmpeg raises no error for a truncated Matroska file, or one with a hole in the middle. But these formats store the size
of every box, so a box that extends past the end of the file, or bytes that are not a box, prove the damage. Sources:
ISO/IEC 14496-12 section 4.2 (boxes), RFC 8794 (EBML), RFC 9559 (Matroska), Microsoft RIFF.
"""

from __future__ import annotations

from typing import BinaryIO

from openfoley.media.read.damage import Damage, cut_short
from openfoley.media.read.packet_integrity import HEAD_BYTES, packet_problem

EBML_HEADER, SEGMENT, CLUSTER, CUES, SEEK_HEAD = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1C53BB6B, 0x114D9B74
SEGMENT_CHILDREN = frozenset(
    {
        CLUSTER,
        CUES,
        SEEK_HEAD,
        0x1549A966,
        0x1654AE6B,
        0x1941A469,
        0x1043A770,
        0x1254C367,
        0xEC,
        0xBF,
    }
)  # ... Info, Tracks, Attachments, Chapters, Tags, Void, CRC-32
CLUSTER_CHILDREN = frozenset({0xE7, 0xA3, 0xA0, 0xA7, 0xAB, 0x5854, 0xAF, 0xEC, 0xBF})  # Timestamp, SimpleBlock, ...
MP4_FIRST_BOXES = frozenset({b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"styp"})
MP4_OUTER_BOXES = MP4_FIRST_BOXES | {  # ISO/IEC 14496-12 table 1, and what QuickTime and cameras put outermost
    b"moof", b"mfra", b"sidx", b"ssix", b"prft", b"emsg", b"meta", b"meco", b"uuid", b"udta", b"pdin", b"PICT", b"junk",
}  # fmt: skip


def outer_problem(file: BinaryIO) -> Damage | None:
    """What shows in the outer structure of a file that it is cut short or damaged; None where it is whole."""
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if head[4:8] in MP4_FIRST_BOXES:
        return _mp4_problem(file, size)
    if head[:4] == EBML_HEADER.to_bytes(4, "big"):
        return _matroska_problem(file, size)
    if head[:4] == b"RIFF":
        return _riff_problem(file, size)
    return packet_problem(file, size, head)


def _mp4_problem(file: BinaryIO, size: int) -> Damage | None:
    position = 0
    while position + 8 <= size:
        file.seek(position)
        head = file.read(16)
        length, kind = int.from_bytes(head[:4], "big"), head[4:8]
        if kind not in MP4_OUTER_BOXES:  # cameras append their own data: FFmpeg ignores them as well
            text = f"followed by {size - position} bytes that are no box"
            return Damage(text, loses=False) if any(head) else None
        if length == 0:  # "to the end of the file"
            return None
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length < 8:
            return Damage(f"damaged at byte {position}")
        position += length
        if position > size:
            return cut_short(position, size)
    return None


def _riff_problem(file: BinaryIO, size: int) -> Damage | None:
    position = 0
    while position + 12 <= size:
        file.seek(position)
        head = file.read(8)
        length = int.from_bytes(head[4:8], "little")
        if head[:4] != b"RIFF" or length in (0, 0xFFFFFFFF):  # sizes that a live recorder leaves behind
            return None
        end = position + 8 + length
        if end > size + 1:
            return cut_short(end, size)
        problem = _riff_chunks_problem(file, position + 12, end)
        if problem:
            return problem
        position = end + (length & 1)
    return None


def _riff_chunks_problem(file: BinaryIO, position: int, end: int) -> Damage | None:
    """Chunks follow one another without a gap, each named by four printable characters; AVI frames are in "movi"."""
    while position + 8 <= end:
        file.seek(position)
        head = file.read(12)
        length = int.from_bytes(head[4:8], "little")
        if not all(0x20 <= c < 0x7F for c in head[:4]) or position + 8 + length > end + 1:
            return Damage(f"damaged at byte {position}")
        position += 12 if head[:4] == b"LIST" and head[8:12] == b"movi" else 8 + length + (length & 1)
    return None


def element(file: BinaryIO, position: int) -> tuple[int, int | None, int] | None:
    """(identifier, payload length or None for unknown, payload position) of the EBML element, or None if it is none."""
    file.seek(position)
    head = file.read(12)
    if not head or head[0] < 0x10:  # identifiers have at most 4 bytes (RFC 8794 section 5)
        return None
    id_length = 9 - head[0].bit_length()
    first = head[id_length] if len(head) > id_length else 0
    if first == 0:
        return None
    length_length = 9 - first.bit_length()
    raw = head[id_length : id_length + length_length]
    length = int.from_bytes(raw, "big") & ((1 << 7 * length_length) - 1)
    unknown = length == (1 << 7 * length_length) - 1
    return int.from_bytes(head[:id_length], "big"), None if unknown else length, position + id_length + length_length


def _matroska_problem(file: BinaryIO, size: int) -> Damage | None:
    header = element(file, 0)
    if header is None or header[1] is None:
        return None
    segment = element(file, header[2] + header[1])
    if segment is None or segment[0] != SEGMENT:
        return cut_short(header[2] + header[1] + 12, size)
    end = size if segment[1] is None else segment[2] + segment[1]
    if end > size:
        return cut_short(end, size)
    return _matroska_children_problem(file, segment[2], end, SEGMENT_CHILDREN)


def _matroska_children_problem(file: BinaryIO, position: int, end: int, allowed: frozenset[int]) -> Damage | None:
    while position < end:
        child = element(file, position)
        if child is None or child[0] not in allowed:
            return Damage(f"damaged at byte {position}")
        identifier, length, payload = child
        if length is None:  # a live recording: its blocks follow one another without a known end
            return None
        if payload + length > end:
            return cut_short(payload + length, end)
        if identifier == CLUSTER:
            problem = _matroska_children_problem(file, payload, payload + length, CLUSTER_CHILDREN)
            if problem:
                return problem
        position = payload + length
    return None
