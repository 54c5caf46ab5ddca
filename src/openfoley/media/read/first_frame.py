"""The first frame of a file that decodes: its size and orientation, and whether the beginning must be left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import TYPE_CHECKING

from av.error import FFmpegError

from openfoley.errors import MediaError
from openfoley.media.read.opening import open_media, picture_stream, shown
from openfoley.media.read.orientation import Orientation, orientation_of

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.frame import VideoFrame

REPORT_DAMAGE = {"err_detect": "explode"}  # to a decoder: raise instead of painting over it


@dataclass(frozen=True)
class FirstFrame:
    """The first frame that decodes. drop_leading: without the pictures shown before the first key frame."""

    pts: int | None  # as the file says
    position: int  # byte of the packet that completed it
    orientation: Orientation
    width: int  # pixels, as shown
    height: int
    drop_leading: bool


def _first_of(frame: VideoFrame, packet: Packet, drop_leading: bool) -> FirstFrame:
    orientation = orientation_of(frame)
    width, height = (frame.height, frame.width) if orientation.transposed else (frame.width, frame.height)
    return FirstFrame(frame.pts, packet.pos or 0, orientation, width, height, drop_leading)


def repaired_first_frame(path: Path, strict: bool) -> FirstFrame:
    """The first frame where the beginning does not decode as it stands: without what precedes the key frame, then (if
    not `strict`) with the decoder's own repairs. MediaError where nothing can be decoded."""
    for options in (REPORT_DAMAGE,) if strict else (REPORT_DAMAGE, {}):
        try:
            with open_media(path, raw_errors=True) as container:
                stream = picture_stream(container, path)
                stream.codec_context.options = options
                for packet in from_key_frame(container.demux(stream), drop_leading=True):
                    try:
                        frames = packet.decode()
                    except FFmpegError:
                        if options:
                            raise
                        continue  # with repairs, what is rejected is skipped
                    if frames:
                        return _first_of(frames[0], packet, drop_leading=True)
        except FFmpegError:
            continue
    raise MediaError(f"{shown(path)} is damaged: its picture cannot be decoded; export it again")


def from_key_frame(packets: Iterator[Packet], drop_leading: bool) -> Iterator[Packet]:
    """The packets from the first key frame on: a recording cut at its beginning may start with ones that refer to
    pictures that are gone. So may those that follow the key frame and are shown before it (`drop_leading`)."""
    key_pts = None
    for packet in dropwhile(lambda packet: packet.size > 0 and not packet.is_keyframe, packets):
        key_pts = packet.pts if key_pts is None else key_pts
        if not (drop_leading and packet.pts is not None and key_pts is not None and packet.pts < key_pts):
            yield packet


class FirstDecoder:
    """Decodes packets until there is a frame. `first` stays None where the beginning does not decode as it stands."""

    def __init__(self) -> None:
        self.first: FirstFrame | None = None
        self._is_begun = self._has_failed = False

    def push(self, packet: Packet) -> None:
        self._is_begun |= packet.is_keyframe or packet.size == 0
        if not self._is_begun or self.is_done:
            return
        try:
            for frame in packet.decode():
                if not self._has_failed:
                    self.first = self.first or _first_of(frame, packet, drop_leading=False)
                self._take(frame.pts)
        except FFmpegError:
            self._has_failed = True

    @property
    def is_done(self) -> bool:
        """Whether packets need not be decoded any more."""
        return self.first is not None or self._has_failed

    def _take(self, pts: int | None) -> None:
        """The time of each frame that is decoded."""
