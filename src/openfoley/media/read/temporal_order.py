"""The order of pictures where FFmpeg gives them other times than the file: in programme streams and in AVI.

A programme stream tells the time of the first picture in each of its packets (PES); FFmpeg adds the others. It takes
one time for that of the picture before it where a start code lies across two PES packets, and loses one at 0: two
pictures then have the same time, or an order that is not theirs. The temporal reference numbers the pictures of a group
in the order shown (ISO/IEC 13818-2 section 6.3.9).

An AVI counts frames. FFmpeg gives each H.264 picture that is not a B-frame the time of the next one, also where nothing
is reordered: a frame that is repeated is then the one before it.
"""

from __future__ import annotations

from array import array
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from openfoley.media.read.frame_times import FALLBACK_RATE
from openfoley.media.time.clock import presentation_times

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

PICTURE_CODE, GROUP_CODE = b"\0\0\1\0", b"\0\0\1\xb8"
HEADER_BYTES = 4096  # of sequence and group in front of a picture, with matrices and user data
MOST_IN_GROUP = 1 << 10  # temporal references have 10 bits
CODECS = frozenset({"mpeg1video", "mpeg2video"})


def order_of(container: InputContainer, stream: VideoStream) -> TemporalOrder | DecodingOrder | None:
    """What finds the stream's true times; None where FFmpeg's are right."""
    if container.format.name == "mpeg" and stream.codec_context.name in CODECS:
        return TemporalOrder(stream)
    return DecodingOrder() if container.format.name == "avi" and not stream.codec_context.has_b_frames else None


class TemporalOrder:
    """Collects the pictures of a pass, in the order of decoding."""

    def __init__(self, stream: VideoStream) -> None:
        self._frame_ticks = 1 / ((stream.guessed_rate or FALLBACK_RATE) * (stream.time_base or 1))
        self._numbers = array("q")  # in the order shown, with gaps
        self.pts, self._dts, self._durations = array("q"), array("q"), array("q")
        self._group = 0
        self._is_known = True

    def add(self, packet: Packet) -> None:
        head = bytes(memoryview(packet)[:HEADER_BYTES])
        at = head.find(PICTURE_CODE)
        if not 0 <= at <= len(head) - 6 or packet.pts is None or packet.dts is None:
            self._is_known = False
            return
        self._group += GROUP_CODE in head[:at]
        self._numbers.append(self._group * MOST_IN_GROUP + (head[at + 4] << 2 | head[at + 5] >> 6))
        self.pts.append(packet.pts)
        self._dts.append(packet.dts)
        self._durations.append(packet.duration or 0)

    def times(self) -> list[tuple[int, int]] | None:
        """(pts, dts) of each packet; None where FFmpeg's are in the order of the pictures, or that is not known."""
        shown = sorted(range(len(self._numbers)), key=self._numbers.__getitem__)
        ordered = all(self.pts[a] < self.pts[b] for a, b in pairwise(shown))
        if ordered or not self._is_known or len(set(self._numbers)) < len(shown):
            return None
        dts = [Fraction(self._dts[0])]
        for time, length in zip(self._dts[1:], self._durations[:-1], strict=True):
            # a time too early follows on the picture before, until the next one that the stream tells
            dts.append(Fraction(time) if time - dts[-1] >= length / 2 else dts[-1] + self._exact(length))
        whole = [round(time) for time in dts]
        return list(zip(presentation_times(whole, shown, self._durations[-1]), whole, strict=True))

    def _exact(self, length: int) -> Fraction:
        """The frame's length, which FFmpeg rounds."""
        return self._frame_ticks if abs(length - self._frame_ticks) < 1 else Fraction(max(1, length))


class DecodingOrder:
    """Collects the pictures of a pass that are shown as they are decoded."""

    def __init__(self) -> None:
        self.pts, self._dts = array("q"), array("q")
        self._is_known = True

    def add(self, packet: Packet) -> None:
        if packet.pts is None or packet.dts is None:
            self._is_known = False
            return
        self.pts.append(packet.pts)
        self._dts.append(packet.dts)

    def times(self) -> list[tuple[int, int]] | None:
        """(pts, dts) of each packet; None where FFmpeg's are right, or one has B-frames that its header hides."""
        is_late = all(pts > dts for pts, dts in zip(self.pts, self._dts, strict=True))
        return [(dts, dts) for dts in self._dts] if self._is_known and is_late else None


def true_pts(order: TemporalOrder | DecodingOrder, times: list[tuple[int, int]], pts: int | None) -> int | None:
    """The true time of the (first) picture that has this one of FFmpeg's. times: as the order gives them."""
    return next((times[n][0] for n, given in enumerate(order.pts) if given == pts), pts)
