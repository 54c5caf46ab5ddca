"""Raw elementary streams (.h264, .hevc): packets in the order of decoding, without times and without a container.

The order in which the pictures are shown is known to a decoder alone, so the scan decodes all of them. Picture k is
then shown at k / rate, at the frame rate that the stream states.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from av.format import Flags

from openfoley.media.read.first_frame import FirstDecoder
from openfoley.media.read.frame_times import FALLBACK_RATE
from openfoley.media.read.opening import shown
from openfoley.media.time.clock import decoding_times
from openfoley.media.time.timecode import nominal

if TYPE_CHECKING:
    from av.container.core import Container
    from av.packet import Packet
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)


def is_raw(container: Container) -> bool:
    """Whether the format holds no times: FFmpeg's, where it gives some, are guessed."""
    return bool(container.format.flags & Flags.no_timestamps.value)


def has_order(container: Container) -> bool:
    """Whether FFmpeg has the times all the same: of MPEG-1 and -2 its parser knows the kind of each picture, and how
    often a field is repeated."""
    return not is_raw(container) or container.format.name == "mpegvideo"


def raw_rate(stream: VideoStream) -> Fraction:
    """Hz: what the coded stream itself states; FFmpeg's other rates of a raw stream are its default. Without one
    FALLBACK_RATE."""
    return nominal(stream.codec_context.framerate or FALLBACK_RATE)


def warn_of_rate(stream: VideoStream, path: Path) -> None:
    """Say that the rate is assumed, and how to state another."""
    if not stream.codec_context.framerate:
        log.warning(
            "%s states no frame rate: %s Hz is assumed; for another, put it into a container first "
            "(mkvmerge -o NAME.mkv --default-duration 0:24000/1001fps FILE)",
            shown(path),
            FALLBACK_RATE,
        )


class RawStream(FirstDecoder):
    """Decodes a whole raw stream for the order of its pictures. Until that is known, each packet gets the time of its
    place in the order of decoding."""

    def __init__(self, stream: VideoStream) -> None:
        super().__init__()
        stream.thread_type = "AUTO"
        self._frame_ticks = 1 / (raw_rate(stream) * (stream.time_base or 1))
        self._count = 0  # packets
        self._shown = array("q")  # numbers of packets, in the order shown

    def push(self, packet: Packet) -> None:
        if packet.size:
            packet.pts = packet.dts = self._ticks(self._count)
            self._count += 1
        super().push(packet)

    @property
    def is_done(self) -> bool:
        return False

    def _take(self, pts: int | None) -> None:
        if pts is not None:
            self._shown.append(round(pts / self._frame_ticks))

    @property
    def pts(self) -> array[int]:
        """Of the pictures, in the order shown, in ticks."""
        return array("q", (self._ticks(k) for k in range(len(self._shown))))

    @property
    def frame_ticks(self) -> int:
        return self._ticks(1)

    def times(self) -> list[tuple[int, int]]:
        """(pts, dts) of each packet."""
        pts = list(self._packet_times())
        return list(zip(pts, decoding_times(pts, self.frame_ticks), strict=True))

    def _packet_times(self) -> Iterator[int]:
        """Packets without a picture of their own (second fields, what could not be decoded) lie between two pictures:
        1/2, 2/3 ... behind the picture that was decoded before them."""
        places = {number: place for place, number in enumerate(self._shown)}
        first, place, run = min(places, default=0), 0, 0
        for number in range(self._count):
            if number in places:
                place, run = places[number], 0
            elif number < first:
                place = number - first
            else:
                run += 1
            yield self._ticks(place + Fraction(run, run + 1))

    def _ticks(self, place: int | Fraction) -> int:
        return round(place * self._frame_ticks)
