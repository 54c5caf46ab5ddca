"""Put a new sound into a video file: the picture and everything else is copied packet for packet.

The sound's first sample belongs to the first shown frame, whatever the file's clock says at that frame. Packets of the
file and blocks of the sound are written side by side in time, so the sound may still be in the making while the file is
written and neither is ever held whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from openfoley.media.read.opening import bytes_of, is_cover, open_media, picture_stream
from openfoley.media.read.raw_stream import is_raw
from openfoley.media.read.scan import Timeline, scan
from openfoley.media.read.sound_source import TITLE
from openfoley.media.settings import AudioMode
from openfoley.media.time.clock import Clock
from openfoley.media.time.timecode import Timecode, nominal
from openfoley.media.write.containers import (
    FORMAT_NAMES,
    FRAME_COUNTED,
    LEFT_OUT_TAGS,
    MATROSKA,
    NO_TIMECODE,
    add_copy,
    check_edit_list,
    check_picture,
    container_suffix,
    kept_streams,
    muxer_options,
)
from openfoley.media.write.finish_matroska import RESERVED, display_size, finish_matroska, picture_settings
from openfoley.media.write.finish_mp4 import finish_mp4
from openfoley.media.write.finish_mxf import finish_mxf
from openfoley.media.write.packets import PacketCopy, read_packets, timed
from openfoley.media.write.sound_track import SoundTrack, sound_format

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

FREE_CLOCKS = frozenset({"mpegts", "mpeg"})  # transport and programme streams start at any time: FFmpeg's names


@dataclass(frozen=True)
class NewSound:
    """The sound that is written beside a picture: pieces [channels, n] at `sample_rate` Hz.

    mode: "add" keeps the file's own sound untouched and first, the new one is a further stream; "replace" leaves it
    out. without: the number of an audio stream to leave out in any case, as the new one takes its place. start: the
    timecode of the first shown frame; None keeps the file's own, if it has one.
    """

    sample_rate: int
    mode: AudioMode = "add"
    bit_depth: str = "24"
    channels: int = 2
    without: int | None = None
    start: Timecode | None = None


def mux(
    video_path: str | Path,
    audio_chunks: Iterator[Tensor],
    new: NewSound,
    output_path: Path,
    timeline: Timeline | None = None,
) -> None:
    """Write `output_path` (its suffix names the container): the video with the new sound. timeline: the video's, where
    it was scanned already.

    Streams that the container cannot hold are left out with a warning. OSError when the disk is full.
    """
    import av

    video_path, suffix = Path(video_path), container_suffix(output_path)
    sound = sound_format(suffix, new.bit_depth)
    timeline = scan(video_path) if timeline is None else timeline
    with open_media(video_path, raw_errors=True) as source:
        check_picture(source, video_path, suffix)
        check_edit_list(timeline.hides_first, video_path, suffix)
        kept = kept_streams(source, video_path, suffix, new.mode, new.without, log.warning)
        picture, shift = picture_stream(source, video_path), _clock_shift(source, kept, timeline)
        with av.open(
            f"file:{output_path}",
            "w",
            format=FORMAT_NAMES[suffix],
            container_options=muxer_options(suffix, picture.time_base, new.sample_rate),
        ) as out:
            streams = {s.index: add_copy(out, s, suffix, source.format.name) for s in kept}
            start = timeline.info.start + shift
            if suffix in FRAME_COUNTED:  # every stream starts at 0
                audio_chunks = chain([torch.zeros(new.channels, round(start * new.sample_rate))], audio_chunks)
                start = Fraction(0)
            track = SoundTrack(out, sound, new.sample_rate, new.channels, start=start)
            _describe(out, source, track, first=not any(s.type == "audio" for s in kept))
            if new.without is not None and (language := source.streams.audio[new.without].metadata.get("language")):
                track.stream.metadata["language"] = language
            if new.start is not None and FORMAT_NAMES[suffix] in NO_TIMECODE:
                log.warning("%s holds no timecode: %s is left out; a .mov, .mkv or .wav has it", suffix, new.start)
            elif new.start is not None:
                code = str(new.start.at(nominal(timeline.info.frame_rate)))  # FFmpeg counts at the picture's rate
                out.metadata["timecode"] = streams[picture.index].metadata["timecode"] = code
            if suffix in MATROSKA:
                tags = streams[picture.index].metadata
                tags["title"] = tags.get("title", "") + RESERVED
            _copy_covers(out, source, suffix)
            out.start_encoding()
            copied = Clock(timeline.times).continuous(read_packets(source, list(streams)))
            _write(PacketCopy(source, video_path, suffix, out, streams), copied, track, audio_chunks, shift)
        if suffix in MATROSKA:
            finish_matroska(output_path, _matroska_settings(source, picture))
        elif suffix == ".mxf":
            finish_mxf(output_path)
        elif "mp4" in source.format.name:
            finish_mp4(bytes_of(source), output_path, {s.id: streams[s.index].index + 1 for s in kept})


def _matroska_settings(source: InputContainer, picture: VideoStream) -> list[tuple[int, bytes]]:
    """What the container alone tells of how the picture is shown."""
    if "matroska" in source.format.name:
        return picture_settings(bytes_of(source))
    context = picture.codec_context
    return display_size(context.width, context.height, picture.sample_aspect_ratio or Fraction(1))


def _clock_shift(source: InputContainer, kept: list[Stream], timeline: Timeline) -> Fraction:
    """s to add to all times: from a clock that starts anywhere, or with a shown picture before 0, to a start at 0.
    (FFmpeg does not know the time of the first picture in every container.)"""
    starts, pictures = [timeline.info.start], [timeline.info.start]
    for stream in kept:
        if stream.start_time is not None and stream.time_base:
            starts.append(timeline.times.unwrapped(stream.index, stream.start_time) * stream.time_base)
            if stream.type == "video":
                pictures.append(starts[-1])
    if not (source.format.name in FREE_CLOCKS or is_raw(source) or min(pictures) < 0):
        return Fraction(0)
    return -min(starts)


def _write(
    copy: PacketCopy, copied: Iterator[Packet], track: SoundTrack, chunks: Iterator[Tensor], shift: Fraction
) -> None:
    """Copy packets, `shift` s later; before each one bring the new sound up to its time."""
    out = copy.out
    for packet in timed(copied):
        ticks = round(shift / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        time = (packet.dts if packet.dts is not None else packet.pts or 0) * packet.time_base
        while track.time <= time and (chunk := next(chunks, None)) is not None:
            for encoded in track.push(chunk):
                out.mux(encoded)
        copy.write(packet)
    for chunk in chunks:
        for encoded in track.push(chunk):
            out.mux(encoded)
    for encoded in track.flush():
        out.mux(encoded)


def _copy_covers(out: OutputContainer, source: InputContainer, suffix: str) -> None:
    """Matroska keeps cover pictures as attachments, not as streams."""
    covers = [s for s in source.streams if is_cover(s)] if suffix == ".mkv" else []
    for number, cover in enumerate(covers):
        kind = {"mjpeg": "jpeg"}.get(cover.codec_context.name, cover.codec_context.name)
        data = next((bytes(p) for p in source.demux(cover) if p.size), None)
        source.seek(0)
        if data:
            name = f"cover{number or ''}.{'jpg' if kind == 'jpeg' else kind}"
            out.add_attachment(cover.metadata.get("filename", name), f"image/{kind}", data)


def _describe(out: OutputContainer, source: InputContainer, track: SoundTrack, first: bool) -> None:
    """Tags and chapters of the file, title and disposition of the new sound."""
    from av.stream import Disposition

    out.metadata.update({k: v for k, v in source.metadata.items() if not k.startswith(LEFT_OUT_TAGS)})
    out.set_chapters(source.chapters())
    track.stream.metadata.update({"title": TITLE, "handler_name": TITLE})
    track.stream.disposition = Disposition.default if first else Disposition(0)
