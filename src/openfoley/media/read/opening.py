"""Open any local media file for reading, with one-line errors.

A path is always a plain local file: it is opened here and passed to FFmpeg as an open file, so that a name like a
protocol ("concat:a|b"), an image pattern ("img%03d.png") or an option ("-y") has no special meaning, and a playlist
cannot open other files or the network (protocol_whitelist).
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from openfoley.errors import MediaError, UsageError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream
    from av.video.stream import VideoStream
    from typing_extensions import Buffer

READ_BLOCK_BYTES = 1 << 18  # per call from FFmpeg into Python; 32 KiB (PyAV's default) costs 8 times the calls
STILL_IMAGE_FORMATS = frozenset({"image2", "ico", "tiff", "webp"})  # in addition to every "*_pipe" demuxer
STILL_IMAGE_BRANDS = frozenset({"avif", "heic", "heix", "mif1"})  # ISO/IEC 23008-12: pictures in a mov container
REORDERED_CODECS = frozenset({"h264", "hevc", "vvc"})


class NoPictureError(MediaError):
    """The file can be read, but has no moving picture."""


def shown(path: str | os.PathLike[str]) -> str:
    """The path as one printable line (control characters escaped), for messages."""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode()
        for c in os.fsdecode(path).encode("utf-8", "backslashreplace").decode()
    )


def check_input(path: str | os.PathLike[str]) -> Path:
    """`path` as a Path to a non-empty, regular file; else UsageError or MediaError."""
    path = Path(path)
    try:
        if path.is_dir():
            raise UsageError(f"{shown(path)} is a directory; pass one media file")
        if not path.exists():
            raise UsageError(f"{shown(path)} does not exist; check the path")
        if not path.is_file():
            raise UsageError(f"{shown(path)} is not a regular file; pass one media file")
        if path.stat().st_size == 0:
            raise MediaError(f"{shown(path)} is empty (0 bytes); export or copy it again")
        return path
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> MediaError:
    return MediaError(f"{shown(path)} cannot be read ({reason(error)}); check its permissions")


class _PlainFile:
    """A binary file without its name: FFmpeg gets "input.mp4" for its guess by extension. beside: the
    same open file, read at a position of its own."""

    def __init__(self, file: BinaryIO, suffix: str) -> None:
        self.name = "input" + (suffix if suffix[1:].isalnum() and suffix.isascii() else "")
        self.read, self.seek, self.tell = file.read, file.seek, file.tell
        self.beside = io.BufferedReader(_Beside(file))


class _Beside(io.RawIOBase):
    """Reads an open file and restores its position each time, so that FFmpeg can continue."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file, self._position = file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        size = os.fstat(self._file.fileno()).st_size
        self._position = offset + (0, self._position, size)[whence]
        return self._position

    def readinto(self, buffer: Buffer) -> int:
        before = self._file.tell()
        self._file.seek(self._position)
        data = self._file.read(memoryview(buffer).nbytes)
        self._file.seek(before)
        memoryview(buffer)[: len(data)] = data
        self._position += len(data)
        return len(data)


def bytes_of(container: InputContainer) -> BinaryIO:
    """The bytes of a file that `open_media` has opened: its boxes are read without opening it again."""
    handed: Any = container.file
    handed.file.beside.seek(0)
    return handed.file.beside


@contextmanager
def open_media(path: str | os.PathLike[str], raw_errors: bool = False) -> Iterator[InputContainer]:
    """The opened container. FFmpeg's own errors inside the block become one-line MediaErrors (unless `raw_errors`)."""
    import av
    from av.error import FFmpegError

    path = check_input(path)
    try:
        opened = open(path, "rb")  # noqa: SIM115 (closed below)
    except OSError as error:
        raise _unreadable(path, error) from error
    with opened as file:
        try:
            container = av.open(
                _PlainFile(file, path.suffix),
                "r",
                buffer_size=READ_BLOCK_BYTES,
                metadata_errors="replace",
                container_options={"protocol_whitelist": "none"},
            )
        except (FFmpegError, ValueError, RuntimeError) as error:
            raise MediaError(
                f"{shown(path)} is not a readable media file, or it is damaged or cut short ({reason(error)}); "
                "pass a complete video such as .mp4, .mov, .mkv or .webm"
            ) from error
        try:
            yield container
        except FFmpegError as error:
            if raw_errors:
                raise
            raise MediaError(f"{shown(path)} is damaged ({reason(error)}); export or copy it again") from error
        finally:
            container.close()


def _is_animated_webp(file: BinaryIO) -> bool:
    """The animation bit of the extended header (WebP Container Specification, "Extended File Format")."""
    head = file.read(21)
    return head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and bool(head[20] & 2)


def still_image(path: Path) -> str:
    return f"{shown(path)} is a still image, not a video; pass a file with a moving picture"


def reason(error: BaseException) -> str:
    """FFmpeg's words for an error, on one line."""
    return " ".join(str(getattr(error, "strerror", None) or error).split())


def is_cover(stream: Stream) -> bool:
    """Whether it is one picture beside the film, such as a poster."""
    from av.stream import Disposition

    return bool(stream.disposition & Disposition.attached_pic)


def is_decode_timed(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the packets say when they are decoded, not when they are shown: an AVI stores no times, and of pictures
    that refer to later ones FFmpeg derives the order from the packets in older codecs only."""
    context = stream.codec_context
    return container.format.name == "avi" and context.name in REORDERED_CODECS and context.has_b_frames


def picture_stream(container: InputContainer, path: Path) -> VideoStream:
    """The first video stream that is not a cover image. MediaError if there is none."""
    name = container.format.name
    if (
        name.endswith("_pipe")
        or name in STILL_IMAGE_FORMATS
        or (container.metadata.get("major_brand", "").strip() in STILL_IMAGE_BRANDS)
    ):
        if _is_animated_webp(bytes_of(container)):
            raise MediaError(
                f"{shown(path)} is an animated WebP, which FFmpeg cannot decode; convert it to GIF, APNG or MP4 first"
            )
        raise NoPictureError(still_image(path))
    moving = [s for s in container.streams.video if not is_cover(s)]
    if len(container.streams) == 0:
        raise NoPictureError(f"{shown(path)} holds nothing that can be read: it is empty or damaged; export it again")
    if not moving:
        holds = "only sound" if container.streams.audio else "no picture"
        raise NoPictureError(f"{shown(path)} holds {holds}; pass a file with a moving picture")
    stream = moving[0]
    if stream.codec_context is None:
        raise MediaError(f"{shown(path)} uses a picture codec that this FFmpeg cannot decode; convert it to H.264")
    return stream
