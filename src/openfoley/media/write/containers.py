"""What a container holds: which of a file's streams it takes, under which tag, and the muxer's options."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from openfoley.errors import UsageError
from openfoley.media.read.boxes import sample_kinds
from openfoley.media.read.opening import bytes_of, is_cover, is_decode_timed, picture_stream, shown
from openfoley.media.read.raw_stream import is_raw, raw_rate
from openfoley.media.settings import AudioMode
from openfoley.media.time.timecode import DROP_FRAME_RATES
from openfoley.media.write.packets import no_times

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream

FORMAT_NAMES = {  # suffix -> FFmpeg's muxer
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".3gp": "3gp",
    ".3g2": "3g2",
    ".mkv": "matroska",
    ".webm": "webm",
    ".ts": "mpegts",
    ".m2t": "mpegts",
    ".mts": "mpegts",
    ".m2ts": "mpegts",
    ".avi": "avi",
    ".mxf": "mxf",
}
MP4_FAMILY = frozenset({".mp4", ".m4v", ".mov", ".3gp", ".3g2"})
MATROSKA = frozenset({".mkv", ".webm"})
TIMED_PACKETS = frozenset({".mts", ".m2ts"})  # transport packets of 192 bytes, each with its arrival time
FRAME_COUNTED = frozenset({".avi", ".mxf"})  # tell no times, only one rate: written from a file of their own kind alone
NO_TIMECODE = frozenset({"mpegts", "3gp", "3g2"})  # FFmpeg's names: no tag and no track for a timecode
TRANSPORT_CODECS = frozenset(  # what FFmpeg's reader knows again: its writer takes any other as private data
    "h264 hevc vvc mpeg1video mpeg2video mpeg4 cavs vc1 dirac aac aac_latm mp2 mp3 ac3 eac3 dts truehd opus s302m "
    "pcm_bluray dvb_subtitle dvb_teletext hdmv_pgs_subtitle arib_caption klv timed_id3 scte_35".split()
)
PROGRAMME_DELAY = {"max_delay": "700000"}  # microseconds: a transport stream starts at twice it, as ffmpeg's do
HEVC_TAGS = ("hvc1", "dvh1")  # QuickTime plays no other; dvh1 is Dolby Vision's
FORM_IN_TAG = ("hap", "prores")  # codecs whose form (alpha, 12 bit) only the tag states
DATA_WITH_DESCRIPTION = (b"gpmd",)  # FFmpeg writes a sample description for no other camera data
USUAL_LAYOUTS = {1: "mono", 2: "stereo", 3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
REPEATABLE = {"fflags": "+bitexact"}  # no random identifiers, dates or versions: the same input gives the same bytes
MOST_RATE = 1000  # Hz; FFmpeg's estimate beyond it is a clock's tick (60000 of raw DV), at which no timecode counts
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
Say = Callable[..., None]  # a logger's method


def container_suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in FORMAT_NAMES:
        allowed = ", ".join(FORMAT_NAMES)
        raise UsageError(f"a video output must end in {allowed}, got {shown(path)}; pass --out NAME.mp4")
    return suffix


def muxer_options(suffix: str, tick: Fraction | None, sample_rate: int) -> dict[str, str]:
    """Muxer options: no shift of the file's times, and starts finer than MP4's usual millisecond."""
    if FORMAT_NAMES[suffix] == "mpegts":
        packets = {"mpegts_m2ts_mode": "1" if suffix in TIMED_PACKETS else "0"}
        return {"avoid_negative_ts": "disabled", **PROGRAMME_DELAY, **packets, **REPEATABLE}
    if suffix not in MP4_FAMILY:
        return {"avoid_negative_ts": "disabled", **REPEATABLE}
    scale = math.lcm(tick.denominator if tick else 1, sample_rate)
    # unofficial: spherical and stereo projection and Dolby Vision's configuration, which FFmpeg writes on request only
    options = {"strict": "unofficial", **REPEATABLE}
    return {"movie_timescale": str(scale if scale <= MAX_MOVIE_TIMESCALE else 90_000), **options}


def check_picture(source: InputContainer, path: Path, suffix: str) -> None:
    """The container must hold the picture's codec."""
    picture = picture_stream(source, path)
    if not _holds(suffix, picture, source.format.name):
        fitting = _fitting(source, picture, path)
        raise UsageError(
            f"{suffix} cannot hold the {picture.codec_context.name} picture of {shown(path)}; "
            + (f"write {fitting[0]} with --out" if fitting else "write the sound alone with --out NAME.wav")
        )
    if suffix not in FRAME_COUNTED and is_decode_timed(source, picture):
        raise no_times(picture, path, suffix)


def check_edit_list(hides_first: bool, path: Path, suffix: str) -> None:
    """Where frames are hidden by an edit list, the container must hold it."""
    if hides_first and suffix not in MP4_FAMILY:
        raise UsageError(
            f"{shown(path)} hides its first frames by an edit list, which {suffix} cannot hold; write .mp4 or .mov"
        )


def _fitting(source: InputContainer, picture: VideoStream, path: Path) -> list[str]:
    """The suffixes of containers that hold the picture, the file's own first."""
    own = path.suffix.lower()
    order = [suffix for suffix in (own, ".mkv", ".mov") if suffix in FORMAT_NAMES]
    return [suffix for suffix in order if _holds(suffix, picture, source.format.name)]


def _holds(suffix: str, picture: VideoStream, source_format: str) -> bool:
    is_of_its_kind = suffix not in FRAME_COUNTED or FORMAT_NAMES[suffix] == source_format
    if _codec(picture) == "rawvideo" and suffix in MP4_FAMILY:
        # FFmpeg writes any layout of pixels, all but QuickTime's own (which its tag names) to be read as RGB
        is_of_its_kind = "mp4" in source_format
    return is_of_its_kind and _accepts(suffix, [picture], source_format)


def fitting_suffix(source: InputContainer, path: Path) -> str | None:
    """The suffix for a video with new sound: the file's own, .mkv or .mov, the first that holds its picture; None
    where none does."""
    return next(iter(_fitting(source, picture_stream(source, path), path)), None)


def kept_streams(
    source: InputContainer, path: Path, suffix: str, mode: AudioMode, without: int | None, say: Say
) -> list[Stream]:
    """The streams to copy, in the file's order, tried one by one against the container. say: takes what is left out."""
    picture = picture_stream(source, path)
    kept: list[Stream] = [picture]
    replaced = source.streams.audio[without].index if without is not None else None
    kinds = sample_kinds(bytes_of(source)) if "mp4" in source.format.name else {}
    for stream in source.streams:
        if stream.index in (picture.index, replaced) or (mode == "replace" and stream.type == "audio"):
            continue
        if _remade_by_muxer(stream, kinds.get(stream.id)) or (suffix == ".mkv" and is_cover(stream)):
            continue
        described = suffix not in MP4_FAMILY or stream.type != "data" or kinds.get(stream.id) in DATA_WITH_DESCRIPTION
        if described and _accepts(suffix, [picture, stream], source.format.name):
            kept.append(stream)
        else:
            say("%s cannot hold stream %d (%s) of %s: left out", suffix, stream.index, stream.type, shown(path))
    return sorted(kept, key=lambda s: s.index)


def _remade_by_muxer(stream: Stream, kind: bytes | None = None) -> bool:
    """Timecode and chapter tracks are written from the metadata ("timecode") and the chapters. (FFmpeg marks what
    it has read as chapters; other data, as a camera's, are not, but it reads a timecode from Sony's too.) kind: of a
    track's samples in MP4, if known."""
    from av.stream import Discard

    has_timecode = "timecode" in stream.metadata and kind in (None, b"tmcd")
    return stream.type == "data" and (has_timecode or stream.discard == Discard.all)


def _accepts(suffix: str, streams: list[Stream], source_format: str) -> bool:
    """Does the container take these streams?"""
    if FORMAT_NAMES[suffix] == "mpegts" and not all(_codec(stream) in TRANSPORT_CODECS for stream in streams):
        return False

    def fill(trial: OutputContainer) -> None:
        for stream in streams:
            add_copy(trial, stream, suffix, source_format)

    return _header_passes(suffix, fill)


def _codec(stream: Stream) -> str:
    """FFmpeg's name of the codec, not of a decoder of it (mp3float)."""
    return stream.codec_context.codec.canonical_name if stream.codec_context is not None else stream.name or ""


def add_copy(out: OutputContainer, stream: Stream, suffix: str, source_format: str) -> Stream:
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
        rates = (raw_rate(stream),) if is_raw(stream.container) else (stream.average_rate, stream.guessed_rate)
        context.framerate = rate = next((r for r in rates if r and r <= MOST_RATE), Fraction(0))
        timecode = copy.metadata.get("timecode", "")
        if ";" in timecode and rate not in DROP_FRAME_RATES:
            copy.metadata["timecode"] = timecode.replace(";", ":")  # drop-frame is not defined at this rate
    elif isinstance(context, AudioCodecContext) and context.layout.name == f"{context.layout.nb_channels} channels":
        context.layout = USUAL_LAYOUTS.get(context.layout.nb_channels, context.layout.name)
    return copy


def _codec_tag(stream: Stream, suffix: str, source_format: str) -> str | None:
    """A codec's four-letter code (of ProRes LT, Hap Q, XVID), where the output's container has them too."""
    try:
        tag = stream.codec_context.codec_tag
    except UnicodeDecodeError:
        return None
    name = stream.codec_context.name
    if name == "hevc" and suffix in MP4_FAMILY:
        return tag if tag in HEVC_TAGS else HEVC_TAGS[0]
    keeps = (
        (suffix == ".avi" and source_format == "avi")
        or (suffix in MP4_FAMILY and ("mp4" in source_format or name in FORM_IN_TAG))
        or (suffix == ".mkv" and name == "prores")
    )
    if not keeps or stream.type != "video" or not tag.strip("\0"):
        return None
    return tag if _header_passes(suffix, lambda trial: _set_tag(trial, stream, tag)) else None


def _set_tag(trial: OutputContainer, stream: Stream, tag: str) -> None:
    trial.add_stream_from_template(stream, opaque=True).codec_context.codec_tag = tag


def _header_passes(suffix: str, fill: Callable[[OutputContainer], None]) -> bool:
    """Does FFmpeg write the header of a container with the streams that `fill` adds? Tried in memory."""
    import av
    from av.error import FFmpegError

    try:
        trial = av.open(io.BytesIO(), "w", format=FORMAT_NAMES[suffix])
        fill(trial)
        trial.start_encoding()
    except (FFmpegError, ValueError, TypeError):
        return False
    with suppress(FFmpegError):  # MXF writes no end without packets
        trial.close()
    return True
