"""A trial mux before any heavy work: the packets to be copied are written to a null file.

They come from the scan of the file, so that nothing is read twice.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from openfoley.errors import MediaError
from openfoley.media.read.opening import picture_stream
from openfoley.media.settings import AudioMode
from openfoley.media.write.containers import (
    FORMAT_NAMES,
    add_copy,
    check_edit_list,
    check_picture,
    container_suffix,
    kept_streams,
    muxer_options,
)
from openfoley.media.write.outputs import VIDEO_SUFFIXES, fitting_output
from openfoley.media.write.packets import PacketCopy, Timed

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from typing_extensions import Buffer

log = logging.getLogger(__name__)

REHEARSED_RATE = 44_100  # Hz, of the generated sound, which a rehearsal does not write


class Rehearsal:
    """A reader of a scan's packets. UsageError or MediaError where `mux` into a file named `output` would fail later,
    with the name of the stream whose packets are refused.

    output: None until the scan for the one that is chosen for the file (`outputs.fitting_output`). For the name of a
    sound there is nothing to try.
    """

    def __init__(self, output: Path | None, mode: AudioMode = "add") -> None:
        self.output, self._timed = output, Timed()
        self._mode: AudioMode = mode
        self._copy: PacketCopy | None = None
        self._unseen_picture: int | None = None  # its stream, until its first packet

    def begin(self, source: InputContainer, path: Path) -> Collection[int]:
        """The streams whose packets are taken: those that will be copied."""
        import av

        self.output = fitting_output(source, path) if self.output is None else self.output
        if self.output.suffix.lower() not in VIDEO_SUFFIXES:
            return ()
        suffix = container_suffix(self.output)
        check_picture(source, path, suffix)
        kept = kept_streams(source, path, suffix, self._mode, None, log.debug)
        picture = picture_stream(source, path)
        options = muxer_options(suffix, picture.time_base, REHEARSED_RATE)
        out = av.open(_Nowhere(), "w", format=FORMAT_NAMES[suffix], container_options=options)
        streams = {s.index: add_copy(out, s, suffix, source.format.name) for s in kept}
        self._copy = PacketCopy(source, path, suffix, out, streams)
        self._copy.start()
        self._unseen_picture = picture.index
        return streams.keys()

    def take(self, packet: Packet) -> None:
        """Write a packet; its times are changed."""
        assert self._copy is not None
        if packet.stream_index == self._unseen_picture:
            check_edit_list(packet.is_discard, self._copy.path, self._copy.suffix)
            self._unseen_picture = None
        for ready in self._timed.push(packet):
            self._copy.write(ready)

    def end(self, broken: str | None) -> None:
        """The packets are over. broken: what stopped the demuxer before the end."""
        if self._copy is None:
            return
        if broken is not None:
            raise MediaError(f"the input is {broken}; export or copy it again")
        for packet in self._timed.rest():
            self._copy.write(packet)
        self._copy.close()


class _Nowhere(io.RawIOBase):
    """A file that discards its contents."""

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
