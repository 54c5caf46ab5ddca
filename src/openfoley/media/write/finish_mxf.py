"""Give a finished MXF file a material number of its own.

FFmpeg writes random numbers, or with the same bytes for the same input zeros: editing systems that find media by the
number (SMPTE ST 330, UMID) would take every such file for the same material. The number is that of the file's content.
"""

from __future__ import annotations

from pathlib import Path

from openfoley.media.read.content_hash import file_hash

UMID_HEAD = bytes.fromhex("060a2b340101010501010d0013")  # label and length; then an instance of 3 bytes
NUMBER_BYTES = 15  # as FFmpeg writes it: the sixteenth tells the package
HEADER_BYTES = 1 << 20  # of the file: the header's metadata lie in its first partition


def finish_mxf(written: Path) -> None:
    """Replace the zeros of every UMID in the header of `written`, in place."""
    number = bytes.fromhex(file_hash(written))[:NUMBER_BYTES]
    empty = UMID_HEAD + bytes(3 + NUMBER_BYTES)
    with open(written, "r+b") as file:
        header = file.read(HEADER_BYTES)
        file.seek(0)
        file.write(header.replace(empty, UMID_HEAD + bytes(3) + number))
