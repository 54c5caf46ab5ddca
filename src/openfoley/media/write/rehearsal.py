"""A mux tried before any heavy work: the packets that will be copied are written to nowhere."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from openfoley.errors import UsageError
from openfoley.media.read.opening import open_media, picture_stream, reason, shown
from openfoley.media.settings import AudioMode
from openfoley.media.write.containers import (
    FORMAT_NAMES,
    add_copy,
    check_picture,
    container_suffix,
    kept_streams,
    muxer_options,
)
from openfoley.media.write.packets import ascending, read_packets, timed
from openfoley.media.write.sound_track import sound_format

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream
    from typing_extensions import Buffer

log = logging.getLogger(__name__)

REHEARSED_RATE = 44_100  # Hz, of the sound that a rehearsal leaves out


def check_mux(video_path: str | Path, output: str | Path, mode: AudioMode = "add", bit_depth: str = "24") -> None:
    """Raise UsageError or MediaError now if `mux` into a file named `output` could not work later."""
    suffix = container_suffix(Path(output))
    sound_format(suffix, bit_depth)
    path = Path(video_path)
    with open_media(path) as source:
        check_picture(source, path, suffix)
        _rehearse(source, kept_streams(source, path, suffix, mode, None, log.debug), path, suffix)


def _rehearse(source: InputContainer, kept: list[Stream], path: Path, suffix: str) -> None:
    """Write all packets that will be copied to nowhere; UsageError names the stream whose packets are refused."""
    import av
    from av.error import FFmpegError

    picture = picture_stream(source, path)
    options = muxer_options(suffix, picture.time_base, REHEARSED_RATE)
    out = av.open(_Nowhere(), "w", format=FORMAT_NAMES[suffix], container_options=options)
    streams = {s.index: add_copy(out, s, suffix, source.format.name) for s in kept}
    last: dict[int, int] = {}
    at: Stream = picture
    try:
        out.start_encoding()
        for packet in timed(read_packets(source, list(streams))):
            at = source.streams[packet.stream_index]
            if packet.pts is None and packet.dts is None:
                raise UsageError(
                    f"the {_named(at)} of {shown(path)} has no times, which {suffix} needs; put it into a container "
                    "first (ffmpeg -i FILE -c copy NAME.mp4), or write the sound alone with --out NAME.wav"
                )
            packet.stream = streams[packet.stream_index]
            last[packet.stream_index] = ascending(packet, last.get(packet.stream_index))
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
