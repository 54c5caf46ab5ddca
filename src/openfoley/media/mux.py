"""Put a new sound into a video file: the picture and everything else is copied packet for packet.

The sound's first sample belongs to the first shown frame, whatever the file's clock says at that frame. Packets of the
file and blocks of the sound are written side by side in time, so the sound may still be in the making while the file is
written and neither is ever held whole.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from torch import Tensor

from openfoley.errors import MediaError, UsageError
from openfoley.media.clock import Clock
from openfoley.media.finish_matroska import RESERVED, display_size, finish_matroska, picture_settings
from openfoley.media.finish_mp4 import finish_mp4, sample_kinds
from openfoley.media.opening import open_media, picture_stream, reason, shown
from openfoley.media.scan import Timeline, scan
from openfoley.media.sound_track import SoundTrack, sound_format
from openfoley.media.timecode import Timecode

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream
    from typing_extensions import Buffer

log = logging.getLogger(__name__)

TITLE = "OpenFoley"  # of the new stream
FORMAT_NAMES = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
MP4_FAMILY = frozenset({".mp4", ".m4v", ".mov"})
MATROSKA = frozenset({".mkv", ".webm"})
FREE_CLOCKS = frozenset({"mpegts", "mpeg"})  # transport and programme streams start at any time: FFmpeg's names
HEVC_TAGS = ("hvc1", "dvh1")  # QuickTime plays no other; dvh1 is Dolby Vision's
DATA_WITH_DESCRIPTION = (b"gpmd",)  # FFmpeg writes a sample description for no other camera data
DROP_FRAME_RATES = (Fraction(30000, 1001), Fraction(60000, 1001))
USUAL_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
REPEATABLE = {"fflags": "+bitexact"}  # no random identifiers, dates or versions: the same input gives the same bytes
REHEARSED_RATE = 44_100  # Hz, of the sound that a rehearsal leaves out
Say = Callable[..., None]  # a logger's method
MAX_MOVIE_TIMESCALE = 2**31 - 1  # ISO/IEC 14496-12 section 8.2.2, kept to the signed range that readers use
LEFT_OUT_TAGS = (  # what the muxer writes by itself
    "major_brand",
    "minor_version",
    "compatible_brands",
    "encoder",
    "DURATION",
    "BPS",
    "NUMBER_OF_",
    "_STATISTICS",
)

Mode = Literal["add", "replace"]


def check_mux(video_path: str | Path, output: str | Path, mode: Mode = "add", bit_depth: str = "24") -> None:
    """Raise UsageError or MediaError now if `mux` into a file named `output` could not work later."""
    suffix = _suffix(Path(output))
    sound_format(suffix, bit_depth)
    path = Path(video_path)
    with open_media(path) as source:
        _check_picture(source, path, suffix)
        _rehearse(source, _kept(source, path, suffix, mode, None, log.debug), path, suffix)


def _rehearse(source: InputContainer, kept: list[Stream], path: Path, suffix: str) -> None:
    """Write all packets that will be copied to nowhere; UsageError names the stream whose packets are refused."""
    import av
    from av.error import FFmpegError

    picture = picture_stream(source, path)
    options = _options(suffix, picture.time_base, REHEARSED_RATE)
    out = av.open(_Nowhere(), "w", format=FORMAT_NAMES[suffix], container_options=options)
    streams = {s.index: _add_copy(out, s, suffix, source.format.name) for s in kept}
    last: dict[int, int] = {}
    at: Stream = picture
    try:
        out.start_encoding()
        for packet in _timed(_read(source, list(streams))):
            at = source.streams[packet.stream_index]
            if packet.pts is None and packet.dts is None:
                raise UsageError(
                    f"the {_named(at)} of {shown(path)} has no times, which {suffix} needs; put it into a container "
                    "first (ffmpeg -i FILE -c copy NAME.mp4), or write the sound alone with --out NAME.wav"
                )
            packet.stream = streams[packet.stream_index]
            last[packet.stream_index] = _ascending(packet, last.get(packet.stream_index))
            out.mux(packet)
        out.close()
    except FFmpegError as error:
        others = [s for s in (".mkv", ".mov") if s != suffix]
        way = "" if at is picture else "leave the file's own sound out with --audio replace, "
        raise UsageError(
            f"{suffix} cannot hold the {_named(at)} of {shown(path)} ({reason(error)}); "
            f"{way}write {' or '.join(others)}, or the sound alone as .wav, with --out"
        ) from error


def _named(stream: Stream) -> str:
    codec = stream.codec_context.name if stream.codec_context is not None else "data"
    return f"{codec} {'picture' if stream.type == 'video' else stream.type} (stream {stream.index})"


class _Nowhere(io.RawIOBase):
    """A file that forgets what is written."""

    def __init__(self) -> None:
        super().__init__()
        self._position = self._size = 0

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Buffer) -> int:
        count = memoryview(data).nbytes
        self._position += count
        self._size = max(self._size, self._position)
        return count

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def tell(self) -> int:
        return self._position


@dataclass(frozen=True)
class NewSound:
    """The sound that is laid beside a picture: pieces [channels, n] at `sample_rate` Hz.

    mode: "add" keeps the file's own sound untouched and first, the new one is a further stream; "replace" leaves it
    out. without: the number of an audio stream to leave out in any case, as the new one takes its place. start: the
    timecode of the first shown frame; None keeps the file's own, if it has one.
    """

    sample_rate: int
    mode: Mode = "add"
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

    video_path, suffix = Path(video_path), _suffix(output_path)
    sound = sound_format(suffix, new.bit_depth)
    timeline = scan(video_path) if timeline is None else timeline
    with open_media(video_path, raw_errors=True) as source:
        _check_picture(source, video_path, suffix)
        kept = _kept(source, video_path, suffix, new.mode, new.without, log.warning)
        picture, shift = picture_stream(source, video_path), _clock_shift(source, kept)
        with av.open(
            f"file:{output_path}",
            "w",
            format=FORMAT_NAMES[suffix],
            container_options=_options(suffix, picture.time_base, new.sample_rate),
        ) as out:
            streams = {s.index: _add_copy(out, s, suffix, source.format.name) for s in kept}
            track = SoundTrack(out, sound, new.sample_rate, new.channels, start=timeline.info.start + shift)
            _describe(out, source, track, first=not any(s.type == "audio" for s in kept))
            if new.without is not None and (language := source.streams.audio[new.without].metadata.get("language")):
                track.stream.metadata["language"] = language
            if new.start is not None:
                out.metadata["timecode"] = streams[picture.index].metadata["timecode"] = str(new.start)
            if suffix in MATROSKA:
                tags = streams[picture.index].metadata
                tags["title"] = tags.get("title", "") + RESERVED
            _copy_covers(out, source, suffix)
            out.start_encoding()
            copied = Clock(timeline.joins).continuous(_read(source, list(streams)))
            _write(out, copied, streams, track, audio_chunks, shift)
        if suffix in MATROSKA:
            finish_matroska(output_path, _matroska_settings(source, picture, video_path))
        elif "mp4" in source.format.name:
            finish_mp4(video_path, output_path, {s.id: streams[s.index].index + 1 for s in kept})


def _matroska_settings(source: InputContainer, picture: VideoStream, path: Path) -> list[tuple[int, bytes]]:
    """What the container alone tells of how the picture is shown."""
    if "matroska" in source.format.name:
        return picture_settings(path)
    context = picture.codec_context
    return display_size(context.width, context.height, picture.sample_aspect_ratio or Fraction(1))


def _clock_shift(source: InputContainer, kept: list[Stream]) -> Fraction:
    """s to add to all times: from a clock that starts anywhere, or with a shown picture before 0, to a start at 0."""
    starts, pictures = [], []
    for stream in kept:
        if stream.start_time is not None and stream.time_base:
            starts.append(stream.start_time * stream.time_base)
            if stream.type == "video":
                pictures.append(starts[-1])
    if not starts or not (source.format.name in FREE_CLOCKS or min(pictures, default=0) < 0):
        return Fraction(0)
    return -min(starts)


def _write(
    out: OutputContainer,
    copied: Iterator[Packet],
    streams: dict[int, Stream],
    track: SoundTrack,
    chunks: Iterator[Tensor],
    shift: Fraction,
) -> None:
    """Copy packets, `shift` s later; before each one bring the new sound up to its time."""
    last: dict[int, int] = {}
    for packet in _timed(copied):
        ticks = round(shift / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
        time = (packet.dts if packet.dts is not None else packet.pts or 0) * packet.time_base
        while track.time <= time and (chunk := next(chunks, None)) is not None:
            for encoded in track.push(chunk):
                out.mux(encoded)
        packet.stream = streams[packet.stream_index]
        last[packet.stream_index] = _ascending(packet, last.get(packet.stream_index))
        out.mux(packet)
    for chunk in chunks:
        for encoded in track.push(chunk):
            out.mux(encoded)
    for encoded in track.flush():
        out.mux(encoded)


def _ascending(packet: Packet, last: int | None) -> int:
    """The decoding time in ticks of the packet's output stream, one tick after the `last` one where it was not later:
    two frames within a coarse tick, or the overlap where two streams were joined."""
    tick = packet.stream.time_base or packet.time_base
    dts = round((packet.dts if packet.dts is not None else packet.pts or 0) * packet.time_base / tick)
    if last is None or dts > last:
        return dts
    pts = round((packet.pts if packet.pts is not None else packet.dts or 0) * packet.time_base / tick)
    packet.duration = round((packet.duration or 0) * packet.time_base / tick)
    packet.dts, packet.pts, packet.time_base = last + 1, max(pts, last + 1), tick
    return last + 1


def _read(source: InputContainer, indices: list[int]) -> Iterator[Packet]:
    """The packets of some streams; an error here is the input's, every other one while writing is the output's."""
    from av.error import FFmpegError

    try:
        yield from source.demux([source.streams[i] for i in indices])
    except FFmpegError as error:
        raise MediaError(f"the input is damaged ({reason(error)}); export or copy it again") from error


def _timed(packets: Iterator[Packet]) -> Iterator[Packet]:
    """The packets with data. Those that lack a decoding time (Matroska's first with B-frames) get one from the next.

    A flush packet is told by its size: `dts is None` would drop Matroska's first key frame.
    """
    waiting: dict[int, list[Packet]] = {}
    seen: set[int] = set()
    for packet in packets:
        if packet.size == 0:
            continue
        if packet.pts is None:
            packet.pts = packet.dts
        index = packet.stream_index
        if index in seen:
            yield packet
        elif packet.dts is None:
            waiting.setdefault(index, []).append(packet)
        else:
            seen.add(index)
            yield from _with_dts(waiting.pop(index, []), packet)
            yield packet
    for rest in waiting.values():
        yield from rest


def _with_dts(early: list[Packet], following: Packet) -> Iterator[Packet]:
    step = following.duration or 1
    for back, packet in zip(range(len(early), 0, -1), early, strict=True):
        packet.dts = following.dts - back * step if following.dts is not None else None
        yield packet


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in FORMAT_NAMES:
        allowed = ", ".join(FORMAT_NAMES)
        raise UsageError(f"a video output must end in {allowed}, got {shown(path)}; pass --out NAME.mp4")
    return suffix


def _options(suffix: str, tick: Fraction | None, sample_rate: int) -> dict[str, str]:
    """Muxer options: no shift of the file's times, and starts finer than MP4's usual millisecond."""
    if suffix not in MP4_FAMILY:
        return {"avoid_negative_ts": "disabled", **REPEATABLE}
    scale = math.lcm(tick.denominator if tick else 1, sample_rate)
    # unofficial: spherical and stereo projection and Dolby Vision's configuration, which FFmpeg writes on request only
    options = {"strict": "unofficial", **REPEATABLE}
    return {"movie_timescale": str(scale if scale <= MAX_MOVIE_TIMESCALE else 90_000), **options}


def _check_picture(source: InputContainer, path: Path, suffix: str) -> None:
    """The container must hold the picture's codec, and the edit list where frames are hidden by one."""
    picture = picture_stream(source, path)
    if not _accepts(suffix, [picture], source.format.name):
        fitting = _fitting(source, picture, path)
        raise UsageError(
            f"{suffix} cannot hold the {picture.codec_context.name} picture of {shown(path)}; "
            + (f"write {fitting[0]} with --out" if fitting else "write the sound alone with --out NAME.wav")
        )
    if suffix not in MP4_FAMILY and "mp4" in source.format.name:
        first = next((p for p in source.demux(picture) if p.size), None)
        source.seek(0, backward=True)
        if first is not None and first.is_discard:
            raise UsageError(
                f"{shown(path)} hides its first frames by an edit list, which {suffix} cannot hold; write .mp4 or .mov"
            )


def _fitting(source: InputContainer, picture: VideoStream, path: Path) -> list[str]:
    """The suffixes of containers that hold the picture, the file's own first."""
    own = path.suffix.lower()
    order = [suffix for suffix in (own, ".mkv", ".mov") if suffix in FORMAT_NAMES]
    return [suffix for suffix in order if _accepts(suffix, [picture], source.format.name)]


def fitting_suffix(path: Path) -> str | None:
    """The suffix for a video with new sound: the file's own, .mkv or .mov, the first that holds its picture; None
    where none does. UsageError, MediaError."""
    with open_media(path) as source:
        picture = picture_stream(source, path)
        return next(iter(_fitting(source, picture, path)), None)


def _kept(source: InputContainer, path: Path, suffix: str, mode: Mode, without: int | None, say: Say) -> list[Stream]:
    """The streams to copy, in the file's order, tried one by one against the container. say: takes what is left out."""
    picture = picture_stream(source, path)
    kept: list[Stream] = [picture]
    replaced = source.streams.audio[without].index if without is not None else None
    kinds = sample_kinds(path) if "mp4" in source.format.name else {}
    for stream in source.streams:
        if stream.index in (picture.index, replaced) or (mode == "replace" and stream.type == "audio"):
            continue
        if _remade_by_muxer(stream) or (suffix == ".mkv" and _is_cover(stream)):
            continue
        described = suffix not in MP4_FAMILY or stream.type != "data" or kinds.get(stream.id) in DATA_WITH_DESCRIPTION
        if described and _accepts(suffix, [picture, stream], source.format.name):
            kept.append(stream)
        else:
            say("%s cannot hold stream %d (%s) of %s: left out", suffix, stream.index, stream.type, shown(path))
    return sorted(kept, key=lambda s: s.index)


def _remade_by_muxer(stream: Stream) -> bool:
    """Timecode and chapter tracks are written anew from the metadata ("timecode") and the chapters. (FFmpeg marks what
    it has read as chapters; other data, as a camera's, are not.)"""
    from av.stream import Discard

    return stream.type == "data" and ("timecode" in stream.metadata or stream.discard == Discard.all)


def _is_cover(stream: Stream) -> bool:
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def _copy_covers(out: OutputContainer, source: InputContainer, suffix: str) -> None:
    """Matroska keeps cover pictures as attachments, not as streams."""
    covers = [s for s in source.streams if _is_cover(s)] if suffix == ".mkv" else []
    for number, cover in enumerate(covers):
        kind = {"mjpeg": "jpeg"}.get(cover.codec_context.name, cover.codec_context.name)
        data = next((bytes(p) for p in source.demux(cover) if p.size), None)
        source.seek(0)
        if data:
            name = f"cover{number or ''}.{'jpg' if kind == 'jpeg' else kind}"
            out.add_attachment(cover.metadata.get("filename", name), f"image/{kind}", data)


def _accepts(suffix: str, streams: list[Stream], source_format: str) -> bool:
    """Does the container take these streams?"""

    def fill(trial: OutputContainer) -> None:
        for stream in streams:
            _add_copy(trial, stream, suffix, source_format)

    return _header_passes(suffix, fill)


def _add_copy(out: OutputContainer, stream: Stream, suffix: str, source_format: str) -> Stream:
    """A stream of `out` for the packets of `stream`, with its tags, language and disposition."""
    from av.audio.codeccontext import AudioCodecContext
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

    copy = out.add_stream_from_template(stream, opaque=True)
    copy.metadata.update({k: v for k, v in stream.metadata.items() if not k.startswith(LEFT_OUT_TAGS)})
    copy.disposition = stream.disposition
    context = copy.codec_context
    if context is None:
        return copy
    if tag := _codec_tag(stream, suffix, source_format):
        context.codec_tag = tag
    if isinstance(stream, VideoStream) and isinstance(context, VideoCodecContext):
        # what only the container tells: FFmpeg's template has neither
        context.sample_aspect_ratio = stream.sample_aspect_ratio or Fraction(0)
        context.framerate = rate = stream.average_rate or stream.guessed_rate or Fraction(0)
        timecode = copy.metadata.get("timecode", "")
        if ";" in timecode and rate not in DROP_FRAME_RATES:
            copy.metadata["timecode"] = timecode.replace(";", ":")  # drop-frame is not defined at this rate
    elif isinstance(context, AudioCodecContext) and context.layout.name == f"{context.layout.nb_channels} channels":
        context.layout = USUAL_LAYOUTS.get(context.layout.nb_channels, context.layout.name)
    return copy


def _codec_tag(stream: Stream, suffix: str, source_format: str) -> str | None:
    """The four letters that tell the form of a codec (ProRes LT, Hap Q), where the output's container has them too."""
    try:
        tag = stream.codec_context.codec_tag
    except UnicodeDecodeError:
        return None
    name = stream.codec_context.name
    if name == "hevc" and suffix in MP4_FAMILY:
        return tag if tag in HEVC_TAGS else HEVC_TAGS[0]
    has_forms = suffix == ".mov" or (suffix == ".mkv" and name == "prores")
    if not has_forms or "mp4" not in source_format or stream.type != "video" or not tag.strip("\0"):
        return None
    return tag if _header_passes(suffix, lambda trial: _set_tag(trial, stream, tag)) else None


def _set_tag(trial: OutputContainer, stream: Stream, tag: str) -> None:
    trial.add_stream_from_template(stream, opaque=True).codec_context.codec_tag = tag


def _header_passes(suffix: str, fill: Callable[[OutputContainer], None]) -> bool:
    """Does FFmpeg write the header of a container with the streams that `fill` adds? Tried in memory."""
    import av
    from av.error import FFmpegError

    try:
        with av.open(io.BytesIO(), "w", format=FORMAT_NAMES[suffix]) as trial:
            fill(trial)
            trial.start_encoding()
        return True
    except (FFmpegError, ValueError, TypeError):
        return False


def _describe(out: OutputContainer, source: InputContainer, track: SoundTrack, first: bool) -> None:
    """Tags and chapters of the file, title and disposition of the new sound."""
    from av.stream import Disposition

    out.metadata.update({k: v for k, v in source.metadata.items() if not k.startswith(LEFT_OUT_TAGS)})
    out.set_chapters(source.chapters())
    track.stream.metadata.update({"title": TITLE, "handler_name": TITLE})
    track.stream.disposition = Disposition.default if first else Disposition(0)
