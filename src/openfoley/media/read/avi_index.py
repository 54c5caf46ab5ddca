"""The times of a damaged AVI, from its index.

An AVI stores no times: a reader counts the chunks of each stream, so behind lost ones everything comes too early. The
index at the end ("idx1": kind, flags, offset and size of every chunk; Microsoft, AVI RIFF File Reference) tells which
chunk each one is: at its offset, or where bytes are gone or were added, by the sizes of the chunks that follow it. (The
parts of an OpenDML file beyond its first have another index, which is not read.)
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
ALIKE = 8  # most chunks in succession that are compared: where several places are possible, the longest run decides


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
        tail = self._read(max(0, size - MOST_INDEX_BYTES), MOST_INDEX_BYTES)
        movi, found = head.find(b"movi"), tail.rfind(b"idx1")
        if movi < 0 or found < 0:
            return []
        data = tail[found + HEADER_BYTES :][: int.from_bytes(tail[found + 4 : found + HEADER_BYTES], "little")]
        entries = np.frombuffer(data[: len(data) // ENTRY_BYTES * ENTRY_BYTES], "<u4").reshape(-1, 4).astype(np.int64)
        kinds, offsets, sizes = entries[:, 0], entries[:, 2], entries[:, 3]
        if len(entries) and offsets[0] < movi:  # counted from the list, not from the file's first byte
            offsets = offsets + movi
        counts = _counts(head[:movi], kinds, sizes)
        places = {int(offset): k for k, offset in enumerate(offsets)}
        last, moved, shifts, joins = 0, 0, dict[int, int](), list[Join]()
        for packet in sorted(self._packets, key=lambda p: p.position):
            at = packet.position - HEADER_BYTES
            entry = places.get(at - moved)
            run = 0 if entry is None else self._agreeing(at, kinds[entry:], sizes[entry:])
            if run < min(ALIKE, len(entries) - (entry or 0)):
                kind, length = self._header(at)
                for other in (np.flatnonzero((kinds[last:] == kind) & (sizes[last:] == length)) + last).tolist():
                    if (longer := self._agreeing(at, kinds[other:], sizes[other:])) > run:
                        entry, run = other, longer
            if entry is None or run == 0:  # a later packet of a chunk
                continue
            last, moved = entry, at - int(offsets[entry])
            shift = int(counts[entry]) - packet.dts
            if shift != shifts.get(packet.stream, 0):
                shifts[packet.stream] = shift
                joins.append(Join(packet.position, shift * self._ticks[packet.stream], packet.stream))
        return joins

    def _read(self, position: int, count: int) -> bytes:
        self._file.seek(max(0, position))
        return self._file.read(count)

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


def _counts(head: bytes, kinds: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The time of each chunk in ticks of its stream: chunks, or samples where the header gives their size."""
    counts = np.zeros_like(sizes)
    for number, header in enumerate(head.split(b"strh")[1:]):
        start, sample = (int.from_bytes(header[4 + k : 8 + k], "little") for k in (STREAM_START_AT, SAMPLE_SIZE_AT))
        own = np.flatnonzero((kinds & 0xFFFF) == int.from_bytes(b"%02d" % number, "little"))
        lengths = sizes[own] if sample else np.ones_like(own)
        counts[own] = start + (np.cumsum(lengths) - lengths) // max(sample, 1)
    return counts
