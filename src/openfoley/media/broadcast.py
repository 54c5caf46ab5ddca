"""What a sound file says of its sound beside the samples: kept where the same sound is written again after an edit.

WAV says it in chunks: the broadcast extension (bext: description, originator, time reference in samples since midnight;
EBU Tech 3285), iXML (the recorder's scene, take and tracks), markers, titles. FLAC says it in tags.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

CARRIED = (b"bext", b"iXML", b"axml", b"chna", b"cue ", b"LIST", b"smpl", b"inst", b"cart", b"_PMX", b"id3 ", b"ID3 ")
MOST_CHUNK_BYTES = 1 << 24  # a larger chunk is no description
TAGGED_FORMATS = frozenset({"wav", "flac"})  # FFmpeg's names; a video's tags are about the video
FIELDS = {  # of a bext chunk: name -> (byte, length, FFmpeg's name for it)
    "description": (0, 256, "comment"),
    "originator": (256, 32, "encoded_by"),
    "originator_reference": (288, 32, "originator_reference"),
    "origination_date": (320, 10, "date"),
    "origination_time": (330, 8, "creation_time"),
}
TIME_OFFSET, VERSION_OFFSET, LOUDNESS_OFFSET = 338, 346, 412
BEXT_BYTES = 602  # without a coding history
UNKNOWN_LOUDNESS = struct.pack("<5H", *[0x7FFF] * 5)  # version 2: of a sound that has changed
ORIGINATOR = "OpenFoley"
IXML_TIMES = {b"LO": 0, b"LOW": 0, b"HI": 32, b"HIGH": 32}  # bits, of (TIMESTAMP_SAMPLES_SINCE_MIDNIGHT|..._REFERENCE)_


@dataclass(frozen=True)
class SoundNotes:
    """chunks: (kind, payload) of a WAV, in its order; tags: as FFmpeg reads them, of WAV and FLAC."""

    chunks: tuple[tuple[bytes, bytes], ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def time_reference(self) -> int | None:
        """Samples from midnight to the first one."""
        for kind, body in self.chunks:
            if kind == b"bext" and len(body) >= TIME_OFFSET + 8:
                return struct.unpack_from("<Q", body, TIME_OFFSET)[0]
        found = self._tag("time_reference")
        return int(found) if found.isdecimal() and int(found) < 2**64 else None

    def riff(self, reference: int | None) -> bytes:
        """The chunks of a WAV. reference: samples from midnight, in place of the one that is noted."""
        chunks, kinds = list(self.chunks), {kind for kind, _ in self.chunks}
        if b"iXML" not in kinds and (document := self._tag("ixml")):
            chunks.insert(0, (b"iXML", document.encode()))
        if b"bext" not in kinds and (known := self.time_reference if reference is None else reference) is not None:
            chunks.insert(0, (b"bext", self._new_extension(known)))
        changed = ((kind, _at(kind, body, reference)) for kind, body in chunks)
        return b"".join(kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2) for kind, body in changed)

    def flac_tags(self) -> dict[str, str]:
        """The tags of a FLAC file: what FFmpeg has read, the fields of bext under their own names too, and iXML."""
        tags = dict(self.tags)
        for kind, body in self.chunks:
            if kind == b"iXML":
                tags["IXML"] = body.decode("utf-8", "replace")
            if kind == b"bext":
                values = {name: body[at : at + length].rstrip(b"\0") for name, (at, length, _) in FIELDS.items()}
                known = {name.upper(): value.decode("utf-8", "replace") for name, value in values.items() if value}
                known.pop("DESCRIPTION", None)  # FFmpeg writes its "comment" under this name
                tags = {key: value for key, value in tags.items() if key.upper() not in known} | known
        return tags

    def _tag(self, name: str) -> str:
        return next((value for key, value in self.tags.items() if key.lower() == name), "")

    def _new_extension(self, reference: int) -> bytes:
        """A bext payload; without a date of its own, so that bytes repeat."""
        body = bytearray(BEXT_BYTES)
        for name, (at, length, other) in FIELDS.items():
            text = self._tag(name) or self._tag(other) or (ORIGINATOR if name == "originator" else "")
            value = text.encode("utf-8")[:length]
            if name.startswith("origination") and len(value) < length:
                continue  # a year alone is no date
            body[at : at + len(value)] = value
        struct.pack_into("<QH", body, TIME_OFFSET, reference, 1)
        return bytes(body)


NO_NOTES = SoundNotes()


def sound_notes(file: BinaryIO, container_format: str, tags: Mapping[str, str]) -> SoundNotes:
    """The notes of a sound file that was opened as `container_format` (FFmpeg's name) with these tags."""
    if container_format not in TAGGED_FORMATS:
        return NO_NOTES
    kept = {key: value for key, value in tags.items() if key.lower() != "encoder"}
    return SoundNotes(tuple(_carried_chunks(file)), kept)


def _carried_chunks(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """The described chunks of a RIFF, RF64 or BW64 file, wherever they lie; none of another file."""
    head, size, data_bytes = file.read(12), file.seek(0, 2), 0
    position = 12 if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:] == b"WAVE" else size
    while position + 8 <= size:
        file.seek(position)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind == b"ds64":
            data_bytes = struct.unpack("<8xQ", file.read(16).ljust(16, b"\0"))[0]  # EBU Tech 3306
        elif kind == b"data" and length == 0xFFFF_FFFF:
            length = data_bytes
        elif kind in CARRIED and length <= MOST_CHUNK_BYTES and position + 8 + length <= size:
            yield kind, file.read(length)
        position += 8 + length + length % 2


def _at(kind: bytes, body: bytes, reference: int | None) -> bytes:
    """A chunk's payload for a changed sound, which begins `reference` samples after midnight (None: as before)."""
    if kind == b"bext" and len(body) >= BEXT_BYTES:
        if reference is not None:
            body = body[:TIME_OFFSET] + struct.pack("<Q", reference) + body[TIME_OFFSET + 8 :]
        if struct.unpack_from("<H", body, VERSION_OFFSET)[0] >= 2:
            body = body[:LOUDNESS_OFFSET] + UNKNOWN_LOUDNESS + body[LOUDNESS_OFFSET + len(UNKNOWN_LOUDNESS) :]
    if kind == b"iXML" and reference is not None:

        def at(match: re.Match[bytes]) -> bytes:
            return match[1] + str(reference >> IXML_TIMES[match[3]] & 0xFFFF_FFFF).encode()

        body = re.sub(rb"(<(TIMESTAMP_SAMPLES_SINCE_MIDNIGHT|BWF_TIME_REFERENCE)_(LOW?|HI(?:GH)?)>)\s*\d+", at, body)
    return body
