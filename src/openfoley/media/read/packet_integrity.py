"""Integrity check of the formats that are chains of packets: transport and programme streams, Ogg, ASF, MXF, FLV.

What their packets tell: counters of transport streams, checksums and counters of Ogg, and everywhere that a packet ends
where the next one begins. For this a file is read through once more: a transport stream of 207 MB (200 s of 720p) takes
0.25 s, a programme stream 0.4 s, where the pass over the packets takes 0.4 s and the one over the pictures 10 s.
Sources: ISO/IEC 13818-1 sections 2.4.3 and 2.5.3, RFC 3533 (Ogg), Advanced Systems Format (Microsoft, 2004), SMPTE
ST 336 and ST 377-1 (MXF), Adobe Flash Video File Format 10.1 (annex E).
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import numpy as np

from openfoley.media.read.damage import Damage, cut_short

TS_SYNC = b"\x47"  # a cut between two packets leaves no trace
TS_FORMS = ((188, 0), (192, 4))  # bytes of a packet, and its first sync byte; Blu-ray and AVCHD put a time in front
TS_PADDING = 0x1FFF  # the stream of null packets
TS_BLOCK = 1 << 14  # packets read at a time
HEAD_BYTES = 2 * max(TS_FORMS)[0] + 5  # of a file, that tell its format
START_CODE, PACK, PROGRAMME_END = b"\0\0\1", 0xBA, 0xB9  # of a programme stream; what follows has a length of 16 bits
OGG_PAGE, OGG_HEAD_BYTES = b"OggS", 27
OGG_CRC_AT = 22
OGG_FIRST, OGG_LAST = 2, 4  # bits of a page's kind
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # bits
MXF_KEY = bytes.fromhex("060e2b34")
MXF_KEY_BYTES, MXF_FOOTER_AT = 16, 24  # the latter in the value of a partition
ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
ASF_DATA = bytes.fromhex("3626b2758e66cf11a6d900aa0062ce6c")
ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
ASF_DATA_BYTES, ASF_SIZES_AT = 50, 92  # in front of the first packet; of the smallest and largest packet in the object
FLV_HEAD, FLV_TAG_BYTES, FLV_TAGS = b"FLV\1", 11, (8, 9, 18)  # sound, picture, data
FLV_FILE_SIZE, FLV_NOTES_BYTES = b"\0\x08filesize\0", 1 << 14  # a name and its kind (a 64-bit float); searched for


def packet_problem(file: BinaryIO, size: int, head: bytes) -> Damage | None:
    """As `integrity.outer_problem`; head: the file's first HEAD_BYTES."""
    if head[:4] == START_CODE + bytes([PACK]):
        return _programme_problem(file, size)
    if head[:4] == OGG_PAGE:
        return _ogg_problem(file, size)
    if head[:4] == MXF_KEY:
        return _mxf_problem(file, size)
    if head[:16] == ASF_HEADER:
        return _asf_problem(file, size)
    if head[:4] == FLV_HEAD:
        return _flv_problem(file, size, int.from_bytes(head[5:9], "big"))
    for length, offset in TS_FORMS:
        if head[offset::length][:3] == TS_SYNC * 3:
            lost = _lost_transport_packets(file, length, offset)
            rest = size % length
            return cut_short(size + length - rest, size) if lost is None and rest else lost
    return None


def _at(file: BinaryIO, position: int, count: int) -> bytes:
    file.seek(position)
    return file.read(count)


def _damaged(position: int) -> Damage:
    return Damage(f"damaged at byte {position}")


def _lost_transport_packets(file: BinaryIO, length: int, offset: int) -> Damage | None:
    """The continuity counter of each stream counts its packets with payload modulo 16; a packet may be repeated, and a
    flag allows a step (section 2.4.3.3). FFmpeg reports lost packets of the picture only."""
    last: dict[int, int] = {}  # counter of each stream's last packet
    file.seek(0)
    position = count = 0
    first: int | None = None
    while len(block := file.read(length * TS_BLOCK)) >= length:
        packets = np.frombuffer(block, np.uint8)[: len(block) // length * length].reshape(-1, length)
        if not (packets[:, offset] == TS_SYNC[0]).all():  # bytes were lost or added: there is no frame to count in
            at = position + int((packets[:, offset] != TS_SYNC[0]).argmax()) * length
            return Damage(f"damaged at byte {at}")
        second, third, fourth, fifth, flags = (packets[:, offset + k].astype(int) for k in range(1, 6))
        streams = (second & 0x1F) << 8 | third
        counted = (fourth & 0x10 > 0) & (streams != TS_PADDING)
        may_step = (fourth & 0x20 > 0) & (fifth > 0) & (flags & 0x80 > 0)
        for stream in np.unique(streams[counted]).tolist():
            at = np.flatnonzero(counted & (streams == stream))
            counters = fourth[at] & 15
            before = np.append(last.get(stream, int(counters[0])), counters[:-1])
            steps = np.flatnonzero(((counters - before) % 16 > 1) & ~may_step[at])
            last[stream], count = int(counters[-1]), count + len(steps)
            if len(steps):
                found = position + int(at[steps[0]]) * length
                first = found if first is None else min(first, found)
        position += len(block)
    places = "place" if count == 1 else "places"
    return None if first is None else Damage(f"damaged at byte {first} (packets are lost in {count} {places})")


def _programme_problem(file: BinaryIO, size: int) -> Damage | None:
    position = 0
    while position < size:
        head = _at(file, position, 14)
        if not any(head[:3]):  # padding in front of a start code
            position += max(1, len(head) - len(head.lstrip(b"\0")) - 2)
            continue
        code = head[3] if len(head) > 3 else PROGRAMME_END
        if head[:3] != START_CODE[: len(head)] or code < PROGRAMME_END:
            return _damaged(position)
        if len(head) < 14 and code != PROGRAMME_END:
            head += bytes(14)
        if code == PACK:
            position += 14 + (head[13] & 7) if head[4] & 0xC0 == 0x40 else 12  # MPEG-2, MPEG-1
        elif code == PROGRAMME_END:
            position += 4
        elif length := int.from_bytes(head[4:6], "big"):
            position += 6 + length
        else:  # without an end
            return None
    return cut_short(position, size) if position > size else None


def _ogg_problem(file: BinaryIO, size: int) -> Damage | None:
    """Each page has a checksum and its number in its stream; the last one of a stream is marked."""
    position, last = 0, dict[bytes, tuple[int, bool]]()  # number of each stream's last page, whether it is the end
    while position < size:
        head = _at(file, position, OGG_HEAD_BYTES + 255)
        head = head[: OGG_HEAD_BYTES + (head[26] if len(head) > 26 else 0)]
        length = len(head) + sum(head[OGG_HEAD_BYTES:])
        stream, number = head[14:18], int.from_bytes(head[18:22], "little")
        if head[:4] != OGG_PAGE[: len(head)]:
            return _damaged(position)
        if len(head) < OGG_HEAD_BYTES or position + length > size:
            return cut_short(position + max(length, OGG_HEAD_BYTES), size)
        page = _at(file, position, length)
        found = _ogg_checksum(page[:OGG_CRC_AT] + bytes(4) + page[OGG_CRC_AT + 4 :])
        if found != int.from_bytes(page[OGG_CRC_AT : OGG_CRC_AT + 4], "little") or (
            stream in last and not head[5] & OGG_FIRST and number != (last[stream][0] + 1) % 2**32
        ):
            return _damaged(position)
        last[stream] = number, bool(head[5] & OGG_LAST)
        position += length
    if not all(is_end for _, is_end in last.values()):
        return Damage("cut short (its last page is missing)")
    return None


def _ogg_checksum(page: bytes) -> int:
    """The polynomial of zlib's, but the highest bit first, and 0 at the start and at the end (RFC 3533 section 6)."""
    crc = zlib.crc32(page.translate(REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(crc.to_bytes(4, "little").translate(REVERSED), "big")


def _mxf_problem(file: BinaryIO, size: int) -> Damage | None:
    """Keys, lengths (BER) and values without a gap; the first partition tells where the last one begins."""
    position = 0
    while position < size:
        head = _at(file, position, MXF_KEY_BYTES + 9)
        if head[:4] != MXF_KEY[: len(head)]:
            return _damaged(position)
        first = head[16] if len(head) > MXF_KEY_BYTES else 0
        extra = first & 0x7F if first & 0x80 else 0
        if first == 0x80 or extra > 8:
            return _damaged(position)
        value = position + MXF_KEY_BYTES + 1 + extra
        length = int.from_bytes(head[17 : 17 + extra], "big") if extra else first
        if value + length > size or len(head) <= MXF_KEY_BYTES:
            return cut_short(value + length, size)
        if position == 0:
            footer = int.from_bytes(_at(file, value + MXF_FOOTER_AT, 8), "big")
            if footer >= size:
                return cut_short(footer + 1, size)
        position = value + length
    return None


def _asf_problem(file: BinaryIO, size: int) -> Damage | None:
    """Objects follow one another; the packets within the one of data have one length and begin alike."""
    position = packet_bytes = 0
    while position < size:
        head = _at(file, position, 24)
        length = int.from_bytes(head[16:24], "little")
        if head[:16] == ASF_DATA and length == 0:  # a live recording
            return None
        if len(head) == 24 and length < 24:
            return _damaged(position)
        end = position + max(length, 24)
        if end > size:
            return cut_short(end, size)
        if head[:16] == ASF_HEADER:
            header = _at(file, position, length)
            at = header.find(ASF_PROPERTIES) + ASF_SIZES_AT
            sizes = {header[at : at + 4], header[at + 4 : at + 8]}
            packet_bytes = int.from_bytes(header[at : at + 4], "little") if len(sizes) == 1 else 0
        if head[:16] == ASF_DATA and packet_bytes:
            first = _at(file, position + ASF_DATA_BYTES, 3)
            for packet in range(position + ASF_DATA_BYTES, end, packet_bytes):
                if _at(file, packet, 3) != first:
                    return _damaged(packet)
        position = end
    return None


def _flv_problem(file: BinaryIO, size: int, position: int) -> Damage | None:
    """Tags, each behind the size of the one before (which some recorders write wrong): known by their kind and by the
    stream number 0; the file's own notes tell its size. position: of the first such size."""
    notes = _at(file, position, FLV_NOTES_BYTES)
    at = notes.find(FLV_FILE_SIZE)
    stated = struct.unpack_from(">d", notes.ljust(at + 64), at + len(FLV_FILE_SIZE))[0] if at > 0 else 0.0
    while position + 4 < size:
        head = _at(file, position + 4, FLV_TAG_BYTES)
        if head[0] & 0x1F not in FLV_TAGS or any(head[8:FLV_TAG_BYTES]):
            return _damaged(position + 4)
        end = position + 4 + FLV_TAG_BYTES + int.from_bytes(head[1:4], "big")
        if end > size:
            return cut_short(end, size)
        position = end
    end = max(position + 4, int(stated) if 0 < stated < 2**53 else 0)
    return cut_short(end, size) if end > size else None
