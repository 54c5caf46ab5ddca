"""The duration that a file declares in its header against that of its packets: where the header declares more, the file
is cut short, or its last picture is held."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from openfoley.media.read.avi_index import pictures_to_hold
from openfoley.media.read.boxes import TrackBoxes
from openfoley.media.read.damage import Damage
from openfoley.media.read.opening import bytes_of
from openfoley.media.time.clock import TrueTimes

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

log = logging.getLogger(__name__)

MICROSECONDS = 1_000_000  # a second in FFmpeg's unit of a container's duration
LOST_SECONDS = Fraction(1, 2)  # a header that promises this much more than there is means a file cut short


def _clock(text: str) -> Fraction | None:
    """Seconds of hh:mm:ss.fraction; None where it is none."""
    match = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", text.strip())
    return int(match[1]) * 3600 + int(match[2]) * 60 + Fraction(match[3]) if match else None


def broken_promise(container: InputContainer, stream: VideoStream, end: Fraction) -> Damage | None:
    """What is wrong where the header promises clearly more picture than the packets hold (`end`: s)."""
    promised = None
    if stream.duration is not None and stream.time_base:
        begins = 0 if container.format.name == "asf" else stream.start_time or 0  # ASF counts it from 0
        promised = (begins + stream.duration) * stream.time_base
    # Matroska's statistics tags (elsewhere copies of those of another file). One of before a cut can stand beside the
    # new one: the shortest counts.
    own = stream.metadata if "matroska" in container.format.name else {}
    tags = [_clock(value) for key, value in own.items() if key.startswith("DURATION")]
    promised = min((s for s in tags if s is not None), default=promised)
    if promised is None and container.format.name == "flv" and container.duration and not container.streams.audio:
        promised = Fraction(container.duration, MICROSECONDS)
    if promised is None or promised - end <= LOST_SECONDS or promised - _held_s(container, stream) <= LOST_SECONDS:
        return None
    return Damage(f"cut short: it promises {float(promised):.2f} s but its picture ends at {float(end):.2f} s")


def _held_s(container: InputContainer, stream: VideoStream) -> Fraction:
    """s of an AVI's pictures where the last are empty chunks: these repeat one, and FFmpeg leaves them out. Else 0."""
    if container.format.name != "avi" or not stream.time_base:
        return Fraction(0)
    return pictures_to_hold(bytes_of(container), stream.index) * stream.time_base


def held_duration(
    container: InputContainer,
    stream: VideoStream,
    tracks: Sequence[TrackBoxes],
    start: Fraction,
    duration: Fraction,
    frame_s: Fraction,
    times: TrueTimes,
) -> Fraction:
    """The duration (s) with the last picture held for as long as the file shows it: to the end of its edit list, or of
    its sound where that lasts clearly longer. start, frame_s: of the first frame and the regular length, in s."""
    end = start + duration
    edits = next((t.shown_s for t in tracks if t.number == stream.id and t.shown_s is not None), Fraction(0))
    if edits - duration > frame_s:
        end = start + edits
    if container.format.name == "ogg" and stream.duration is not None and stream.time_base:
        # Theora repeats a picture by an empty packet, which FFmpeg leaves out; the last page counts it
        last = times.unwrapped(stream.index, (stream.start_time or 0) + stream.duration) * stream.time_base
        end = max(end, last)
    end = max(end, start + _held_s(container, stream))
    for sound in container.streams.audio:
        if sound.duration is not None and sound.time_base:
            sound_end = ((sound.start_time or 0) + sound.duration) * sound.time_base
        else:  # Matroska and FLV count it from 0, not from the first packet
            sound_end = Fraction(container.duration or 0, MICROSECONDS)
        if sound_end - end > LOST_SECONDS:
            end = sound_end
    if end - start - duration > LOST_SECONDS:
        log.warning("the last picture stands still for %.2f s, to the file's end", float(end - start - duration))
    return end - start
