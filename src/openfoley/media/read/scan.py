"""The timeline of a file: one pass over its packets, without decoding more than the first frame.

Frames that an edit list hides (packets flagged discard) are not on the timeline.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from openfoley.errors import MediaError
from openfoley.media.frames import VideoInfo
from openfoley.media.read.boxes import read_tracks
from openfoley.media.read.content_hash import hash_of
from openfoley.media.read.damage import Damage
from openfoley.media.read.declared_duration import MICROSECONDS, broken_promise, held_duration
from openfoley.media.read.first_frame import repaired_first_frame
from openfoley.media.read.frame_times import FALLBACK_RATE, believable, frame_line, shown_duration
from openfoley.media.read.integrity import outer_problem
from openfoley.media.read.opening import (
    NoPictureError,
    bytes_of,
    check_input,
    is_decode_timed,
    open_media,
    picture_stream,
    shown,
    still_image,
)
from openfoley.media.read.orientation import Orientation
from openfoley.media.read.packet_pass import PacketReader, read_packets
from openfoley.media.read.raw_stream import has_order, is_raw, raw_rate, warn_of_rate
from openfoley.media.read.start_timecode import file_timecode
from openfoley.media.time.clock import TrueTimes, shift_at
from openfoley.media.time.timecode import Timecode, nominal

if TYPE_CHECKING:
    from av.audio.stream import AudioStream

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Timeline:
    """All shown frames of a file. Frame i is shown from `instants[i] * unit` seconds on; the first from 0."""

    info: VideoInfo
    path: Path
    orientation: Orientation
    pts: Sequence[int]  # file ticks on one continuous clock, ascending
    instants: Sequence[int]
    unit: Fraction  # s
    untimed: bool  # the decoder's frames carry no pts: count them instead
    decode_timed: bool  # nor are they its own, but follow in the order of the times: see `opening.is_decode_timed`
    intra_only: bool  # every packet decodes by itself
    drop_leading: bool  # the pictures shown before the first key frame cannot be decoded
    timecode: Timecode | None  # of the first shown frame, on its track's own counting
    times: TrueTimes  # where FFmpeg's are not the file's
    sound_streams: Sequence[SoundStream]
    strict: bool  # damage is refused instead of read around
    hides_first: bool  # an edit list hides the first packet
    content_hash: str | None  # sha256 of the file, if requested


@dataclass(frozen=True)
class SoundStream:
    """The header's data of one audio stream: codec (FFmpeg's name), rate in Hz, channels, title (or "")."""

    codec: str
    sample_rate: int
    channels: int
    title: str


def picture_timeline(path: str | Path, strict: bool = False) -> Timeline | None:
    """The timeline of a file that may have no moving picture: None where none can be read. strict: as for `scan`."""
    try:
        return scan(path, strict)
    except NoPictureError:
        return None
    except MediaError:
        if strict:
            raise
        return None


def scan(
    path: str | Path, strict: bool = False, beside: PacketReader | None = None, with_hash: bool = False
) -> Timeline:
    """Read every packet's time and decode the first frame (its orientation, and that something can be decoded).

    A damaged file is read as far as it goes, with a warning of one line; `strict` raises MediaError instead. beside:
    takes packets in the same pass; its errors are raised. with_hash: compute the file's sha256 as well.
    """
    path = check_input(path)
    with open_media(path) as container:
        damage = [problem] if (problem := outer_problem(bytes_of(container))) else []
        try:
            stream = picture_stream(container, path)
        except NoPictureError:
            if not container.streams.audio:
                report_damage(path, damage, strict=True)  # the header is torn: that is the reason
            raise
        if is_raw(container):
            warn_of_rate(stream, path)
        indices = frozenset(beside.begin(container, path)) if beside is not None else frozenset[int]()
        read = read_packets(container, stream, damage, beside if indices else None, indices)
        ordered = has_order(container)
        first = read.first or repaired_first_frame(path, strict)
        pts, tick, last_duration = read.pts, stream.time_base or 1 / FALLBACK_RATE, read.last_duration
        if read.untimed:
            pts, tick, last_duration = array("q", range(len(pts))), 1 / nominal(stream.guessed_rate or FALLBACK_RATE), 1
        elif first.pts is not None and ordered:
            begins = first.pts + round(shift_at(read.times.joins, first.position, stream.index) / tick)
            pts = array("q", (p for p in pts if p >= begins))
        if not pts:
            raise MediaError(f"{shown(path)} has no frames; export it again")
        if not read.untimed:
            declared = Fraction(container.duration, MICROSECONDS) if container.duration else None
            kept = believable(pts, tick, declared)
            if len(kept) < len(pts):
                damage.append(Damage(f"damaged ({len(pts) - len(kept)} pictures have a wrong time)"))
                pts = kept
        if container.format.name == "mxf" and damage and not read.intra_only and len(pts) > 1:
            pts = pts[:-1]  # without the index at the end FFmpeg takes the picture's time of decoding for it
        if len(pts) == 1 and container.format.name == "gif":
            raise MediaError(still_image(path))
        rates = (
            (raw_rate(stream),) if is_raw(container) else (stream.guessed_rate, stream.average_rate, stream.base_rate)
        )
        line = frame_line(pts, tick, rates)
        start = Fraction(0) if read.untimed else pts[0] * tick
        duration = shown_duration(line, tick, last_duration or 0)
        tracks = read_tracks(bytes_of(container)) if "mp4" in container.format.name else []
        if not read.times.joins and (problem := broken_promise(container, stream, start + duration)):
            damage.append(problem)
        if not (read.times.joins or read.untimed or any(problem.loses for problem in damage)):
            duration = held_duration(container, stream, tracks, start, duration, line.frame_s, read.times)
        info = VideoInfo(
            path, duration, start, first.width, first.height, first.orientation.rotation, line.rate,
            len(container.streams.audio),
        )  # fmt: skip
        timecode = file_timecode(container, line.rate, tracks)
        sounds = [_sound_stream(sound) for sound in container.streams.audio]
        content_hash = hash_of(bytes_of(container)) if with_hash else None
    report_damage(path, damage, strict)
    return Timeline(
        info, path, first.orientation, pts, line.instants, line.unit, read.untimed,
        is_decode_timed(container, stream), read.intra_only,
        first.drop_leading, timecode, read.times, sounds, strict, read.hides_first, content_hash,
    )  # fmt: skip


def report_damage(path: Path, damage: Sequence[Damage], strict: bool) -> None:
    """Refuse a damaged file, or say once what is wrong with it."""
    if damage and strict:
        raise MediaError(f"{shown(path)} is {damage[0].text}; export or copy it again")
    if damage:
        log.warning("%s is %s; what is there is used", shown(path), "; ".join(problem.text for problem in damage))


def _sound_stream(sound: AudioStream) -> SoundStream:
    context = sound.codec_context
    name = context.name if context is not None else "unknown"
    title = sound.metadata.get("title") or sound.metadata.get("handler_name", "")
    return SoundStream(
        name, sound.rate if context is not None else 0, sound.channels if context is not None else 0, title
    )
