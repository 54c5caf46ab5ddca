"""Times below zero in Matroska, which FFmpeg leaves out.

A block's time is its cluster's plus a signed 16-bit number of ticks (RFC 9559 section 10.1); a copy without its
beginning may start below zero. FFmpeg then gives none, or one that it computes from the blocks that follow.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from openfoley.media.read.integrity import CLUSTER, EBML_HEADER, SEGMENT, element

TIMESTAMP, SIMPLE_BLOCK, BLOCK_GROUP, BLOCK = 0xE7, 0xA3, 0xA0, 0xA1
LARGEST_STEP = 2**15  # ticks of a block before its cluster's time
BLOCK_HEAD = 10  # bytes: track number (at most 8) and time


def blocks_below_zero(file: BinaryIO) -> dict[int, int]:
    """The time in ticks of each block below zero, by the byte at which FFmpeg says that its packet lies."""
    size = file.seek(0, 2)
    header = element(file, 0)
    segment = element(file, header[2] + header[1]) if header is not None and header[1] is not None else None
    if header is None or header[0] != EBML_HEADER or segment is None or segment[0] != SEGMENT:
        return {}
    found: dict[int, int] = {}
    for identifier, first, end in _children(file, segment[2], size):
        if identifier != CLUSTER:
            continue
        below = _below_zero(file, first, end)
        if not below:  # they are the first of the file
            break
        found.update(below)
    return found


def _below_zero(file: BinaryIO, first: int, end: int) -> dict[int, int]:
    """Those of one cluster."""
    found: dict[int, int] = {}
    cluster = 0
    for identifier, payload, after in _children(file, first, end):
        file.seek(payload)
        if identifier == CLUSTER:  # one whose length is not written ends here
            break
        if identifier == TIMESTAMP:
            cluster = int.from_bytes(file.read(after - payload), "big")
            if cluster >= LARGEST_STEP:
                break
        blocks = [payload] if identifier == SIMPLE_BLOCK else []
        if identifier == BLOCK_GROUP:
            blocks = [at for kind, at, _ in _children(file, payload, after) if kind == BLOCK]
        for at in blocks:
            time = cluster + _block_time(file, at)
            if time < 0:
                found[at] = time
    return found


def _children(file: BinaryIO, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """(identifier, first byte of the payload, byte behind it) of each element; one of unknown length goes to the end,
    or is left where it begins, if it is a cluster."""
    while position < end and (child := element(file, position)) is not None:
        identifier, length, payload = child
        after = end if length is None else min(payload + length, end)
        yield identifier, payload, after
        position = after


def _block_time(file: BinaryIO, position: int) -> int:
    """Ticks from its cluster's time."""
    file.seek(position)
    head = file.read(BLOCK_HEAD)
    track = 9 - head[0].bit_length() if head else 1  # bytes
    return int.from_bytes(head[track : track + 2], "big", signed=True)
