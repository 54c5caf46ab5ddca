"""The times of a damaged AVI, from its index.

An AVI stores no times: a reader counts the chunks of each stream, so behind lost ones everything comes too early. The
index at the end ("idx1": kind, flags, offset and size of every chunk; Microsoft, AVI RIFF File Reference) tells which
chunk each one is: by its offset, or where bytes are gone, by the sizes of the chunks that follow it. (The parts of an
OpenDML file beyond its first have another index, which is not read.)
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import BinaryIO

import numpy as np

from openfoley.media.time.clock import Join, PacketTime

ENTRY_BYTES, HEADER_BYTES = 16, 8  # of the index; of a chunk
MOST_INDEX_BYTES = 1 << 26  # searched for from the end; two hours have 6 MB
STREAM_START_AT, SAMPLE_SIZE_AT = 28, 44  # bytes in a stream's header ("strh")
ALIKE = 8  # most chunks in succession that are compared
PICTURES = tuple(int.from_bytes(kind, "little") for kind in (b"dc", b"db"))  # behind the stream's number


def pictures_to_hold(file: BinaryIO, stream: int) -> int:
    """How many pictures of this stream the index counts, where the last is empty (repeats the one before); else 0."""
    entries = _entries(file)
    kinds = entries[:, 0]
    own = (kinds & 0xFFFF) == int.from_bytes(b"%02d" % stream, "little")
    sizes = entries[own & np.isin(kinds >> 16, PICTURES), 3]
    return len(sizes) if len(sizes) and not sizes[-1] else 0


class AviIndex:
    """Collects the packets of a pass; `joins` gives where the times of a stream must be shifted. ticks: s, of each
    stream."""

    def __init__(self, file: BinaryIO, ticks: Mapping[int, Fraction]) -> None:
        self._file, self._ticks = file, ticks
        self._packets: list[PacketTime] = []
        self._headers: dict[int, tuple[int, int]] = {}  # of each byte where a chunk was looked for

    def add(self, packet: PacketTime) -> None:
        self._packets.append(packet)

    def joins(self) -> list[Join]:
        size = self._file.seek(0, 2)
        head = self._read(0, min(size, 1 << 20))
        movi, entries = head.find(b"movi"), _entries(self._file)
        if movi < 0 or not len(entries):
            return []
        kinds, offsets, sizes = entries[:, 0], entries[:, 2], entries[:, 3]
        if offsets[0] < movi:  # counted from the list, not from the file's first byte
            offsets = offsets + movi
        if (np.diff(offsets) < 0).any():  # not in the order of the file
            return []
        counts = _counts(head[:movi], kinds, sizes)
        gone = max(0, HEADER_BYTES + int.from_bytes(head[4:8], "little") - size)  # bytes, of the length in the header
        moved, last = 0, 0  # bytes gone so far; the entry of the last chunk
        shifts, joins = dict[int, int](), list[Join]()
        for packet in sorted(self._packets, key=lambda p: p.position):
            at = packet.position - HEADER_BYTES
            # the chunks that may stand here: the longest run decides, then the fewest bytes gone
            likely = range(*np.searchsorted(offsets, (at + moved, at + gone + 1)))
            runs = [(self._agreeing(at, kinds[k:], sizes[k:]), -k) for k in likely if k >= last]
            run, entry = max(runs, default=(0, 0))
            if not run:  # a later packet of a chunk
                continue
            last, moved = -entry, int(offsets[-entry]) - at
            shift = int(counts[last]) - packet.dts
            if shift != shifts.get(packet.stream, 0):
                shifts[packet.stream] = shift
                joins.append(Join(packet.position, shift * self._ticks[packet.stream], packet.stream))
        return joins

    def _read(self, position: int, count: int) -> bytes:
        return _read(self._file, position, count)

    def _header(self, position: int) -> tuple[int, int]:
        """Kind and size of the chunk there."""
        if position not in self._headers:
            data = self._read(position, HEADER_BYTES)
            self._headers[position] = int.from_bytes(data[:4], "little"), int.from_bytes(data[4:], "little")
        return self._headers[position]

    def _agreeing(self, position: int, kinds: np.ndarray, sizes: np.ndarray) -> int:
        """How many of the first ALIKE chunks follow one another from this byte on."""
        for count, expected in enumerate(zip(kinds[:ALIKE].tolist(), sizes[:ALIKE].tolist(), strict=True)):
            if self._header(position) != expected:
                return count
            position += HEADER_BYTES + expected[1] + expected[1] % 2
        return min(ALIKE, len(kinds))


def _read(file: BinaryIO, position: int, count: int) -> bytes:
    file.seek(max(0, position))
    return file.read(count)


def _entries(file: BinaryIO) -> np.ndarray:
    """The index, int64 [chunk, (kind, flags, offset, size)]; no rows where it is lost."""
    tail = _read(file, file.seek(0, 2) - MOST_INDEX_BYTES, MOST_INDEX_BYTES)
    found = tail.rfind(b"idx1")
    length = int.from_bytes(tail[found + 4 : found + HEADER_BYTES], "little")
    data = tail[found + HEADER_BYTES :][:length]
    is_lost = found < 0 or len(data) < length
    usable = b"" if is_lost else data[: length // ENTRY_BYTES * ENTRY_BYTES]
    return np.frombuffer(usable, "<u4").reshape(-1, 4).astype(np.int64)


def _counts(head: bytes, kinds: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The time of each chunk in ticks of its stream: chunks, or samples where the header gives their size."""
    counts = np.zeros_like(sizes)
    for number, header in enumerate(head.split(b"strh")[1:]):
        start, sample = (int.from_bytes(header[4 + k : 8 + k], "little") for k in (STREAM_START_AT, SAMPLE_SIZE_AT))
        own = np.flatnonzero((kinds & 0xFFFF) == int.from_bytes(b"%02d" % number, "little"))
        lengths = sizes[own] if sample else np.ones_like(own)
        counts[own] = start + (np.cumsum(lengths) - lengths) // max(sample, 1)
    return counts
