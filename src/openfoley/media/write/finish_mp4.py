"""Add to a finished MP4 or QuickTime file what FFmpeg does not copy from the source of its tracks.

Copied: the movie's tags in any form (QuickTime keys, user data, vendor boxes), each copied track's tags, and the
picture's sample description besides the codec (spherical and stereo projection, Dolby Vision, clean aperture, colour).
If the source's movie box comes first (fast start), it does here, too. Only movie boxes are held in
memory. ISO/IEC 14496-12 sections 4.2 (boxes), 8.1 to 8.7; QuickTime File Format, "Movie atoms".
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import BinaryIO

from openfoley.media.read.boxes import (
    DESCRIPTION_HEAD,
    Boxes,
    join,
    payload,
    read_movie,
    split,
    top_boxes,
    track_number,
)

CONFIGURATIONS = (b"avcC", b"hvcC", b"vvcC", b"av1C", b"vpcC", b"esds", b"d263")  # of the codec: FFmpeg's are right
ONE_FORM_EACH = (b"st3d", b"sv3d", b"vexu", b"hfov")  # FFmpeg adds newer forms, and refuses to read both together
PICTURE_ENTRY_HEAD = 78  # bytes of a VisualSampleEntry before its boxes (section 12.1.3)
OWN_USER_DATA = (b"chpl",)  # chapters; FFmpeg's other forms of the tags are not as exact as the source's
CARRIED_OF_TRACK = (b"meta", b"tapt")  # tags; the track's aperture (QuickTime)
OFFSET_LIMIT = 2**32  # of stco; co64 beyond
BLOCK_BYTES = 1 << 23  # moved at a time


def finish_mp4(source: BinaryIO, written: Path, tracks: Mapping[int, int]) -> None:
    """Complete `written` in place. tracks: number of a track in `source` -> the one it has in `written`."""
    with open(written, "r+b") as file:
        there, here = read_movie(source), read_movie(file)
        if there is None or here is None or not split(there[0]):
            return
        movie = merged_movie(here[0], there[0], tracks)
        boxes = list(top_boxes(file))
        kind, start, _, end = boxes[-1]
        if kind != b"moov" or end != file.seek(0, 2):
            return
        if not there[1]:
            file.seek(start)
            file.write(join([(b"moov", movie)]))
            file.truncate()
            return
        first = boxes[0][3] if boxes[0][0] == b"ftyp" else 0
        movie = _moved(movie, start)
        _shift(file, first, start, 8 + len(movie))
        file.seek(first)
        file.write(join([(b"moov", movie)]))
        file.truncate(start + 8 + len(movie))


def merged_movie(here: bytes, there: bytes, tracks: Mapping[int, int]) -> bytes:
    """The payload of a movie box `here` with what it lacks of `there`."""
    originals = {tracks.get(track_number(body)): body for kind, body in split(there) if kind == b"trak"}
    boxes: Boxes = []
    for kind, body in split(here):
        original = originals.get(track_number(body)) if kind == b"trak" else None
        boxes.append((kind, body if original is None else _merged_track(body, original)))
    own = [box for box in split(payload(here, b"udta") or b"") if box[0] in OWN_USER_DATA]
    boxes = [*(box for box in boxes if box[0] != b"udta"), (b"udta", join(own))]
    return join(_with_tags(boxes, split(there), (b"meta",)))


def _with_tags(here: Boxes, there: Boxes, carried: Collection[bytes]) -> Boxes:
    """`here` with the carried boxes of `there` in place of its own, and both user data boxes as one."""
    kinds = {kind for kind, _ in there}
    kept = [(kind, body) for kind, body in here if not (kind in carried and kind in kinds) and kind != b"udta"]
    kept += [(kind, body) for kind, body in there if kind in carried]
    theirs = split(dict(there).get(b"udta", b""))
    own = [box for box in split(dict(here).get(b"udta", b"")) if box[0] not in {kind for kind, _ in theirs}]
    return [*kept, (b"udta", join([*theirs, *own]))] if theirs or own else kept


def _merged_track(here: bytes, there: bytes) -> bytes:
    boxes = _with_tags(split(here), split(there), CARRIED_OF_TRACK)
    if payload(there, b"mdia", b"minf", b"vmhd") is not None:
        original = payload(there, b"mdia", b"minf", b"stbl", b"stsd")
        if original is not None:
            path = (b"mdia", b"minf", b"stbl", b"stsd")
            return _changed(join(boxes), path, lambda body: _merged_description(body, original))
    return join(boxes)


def _merged_description(here: bytes, there: bytes) -> bytes:
    """The picture's sample descriptions with the boxes of the first one `there`, but for the codec's configuration."""
    theirs = split(there[DESCRIPTION_HEAD:])
    if not theirs:
        return here
    extensions = [box for box in split(theirs[0][1][PICTURE_ENTRY_HEAD:]) if box[0] not in CONFIGURATIONS]
    kinds = {*ONE_FORM_EACH, *(kind for kind, _ in extensions)}
    entries: Boxes = []
    for kind, body in split(here[DESCRIPTION_HEAD:]):
        own = [box for box in split(body[PICTURE_ENTRY_HEAD:]) if box[0] not in kinds]
        entries.append((kind, body[:PICTURE_ENTRY_HEAD] + join([*own, *extensions])))
    return here[:DESCRIPTION_HEAD] + join(entries)


def _changed(body: bytes, path: tuple[bytes, ...], change: Callable[[bytes], bytes]) -> bytes:
    """A payload with `change` applied to every payload at a path."""
    if not path:
        return change(body)
    return join((kind, _changed(inner, path[1:], change) if kind == path[0] else inner) for kind, inner in split(body))


def _moved(movie: bytes, data_end: int) -> bytes:
    """The payload of a movie box that is put in front of its media data: every chunk's offset grows by its size.
    data_end: where the media data ended before."""
    wide = data_end + 2 * len(movie) >= OFFSET_LIMIT

    def shifted(tables: bytes, by: int) -> bytes:
        boxes: Boxes = []
        for kind, body in split(tables):
            if kind in (b"stco", b"co64"):
                count = struct.unpack_from(">I", body, 4)[0]
                offsets = struct.unpack_from(f">{count}{'I' if kind == b'stco' else 'Q'}", body, 8)
                kind = b"co64" if wide else kind
                body = body[:8] + struct.pack(f">{count}{'I' if kind == b'stco' else 'Q'}", *(o + by for o in offsets))
            boxes.append((kind, body))
        return join(boxes)

    path = (b"trak", b"mdia", b"minf", b"stbl")
    size = 8 + len(_changed(movie, path, lambda tables: shifted(tables, 0)))
    return _changed(movie, path, lambda tables: shifted(tables, size))


def _shift(file: BinaryIO, start: int, end: int, by: int) -> None:
    """Move the bytes [start, end) of a file towards its end, the last ones first."""
    while end > start:
        begin = max(start, end - BLOCK_BYTES)
        file.seek(begin)
        block = file.read(end - begin)
        file.seek(begin + by)
        file.write(block)
        end = begin
