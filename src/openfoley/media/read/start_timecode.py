"""The timecode of a file's first frame: from its timecode track or its tags."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from openfoley.errors import UsageError
from openfoley.media.read.boxes import TrackBoxes
from openfoley.media.time.timecode import DROP_FRAME_RATES, Timecode, counting_of, nominal, parse_timecode

if TYPE_CHECKING:
    from av.container import InputContainer

log = logging.getLogger(__name__)


def file_timecode(container: InputContainer, picture_rate: Fraction, tracks: Sequence[TrackBoxes]) -> Timecode | None:
    """The start timecode of an open file's timecode track or tag; None where it has none (or one that cannot be read).

    MP4 and MOV keep it in a tmcd track that the picture refers to, Matroska and MXF in a tag, BWF-like files in tags.
    A track counts at its own rate, which may be half of the picture's (Hz): 59.94 pictures a second counted by 29.97.
    """
    places = [*(s.metadata for s in container.streams.video), *(s.metadata for s in container.streams)]
    tags = (value for tags in (*places, container.metadata) for key, value in tags.items() if key.lower() == "timecode")
    text = next((value for value in tags if value), None)
    track = next((t for t in tracks if t.timecode_rate), None)
    rate = _counted_rate(nominal(picture_rate), track.timecode_rate if track is not None else None)
    if text is None and track is not None and track.timecode_frame is not None:
        # FFmpeg reads no track with the drop-frame flag at a rate that has no drop-frame; the number is plain
        log.warning("the timecode track has flags that %.5g Hz has not: read as a plain count of frames", float(rate))
        return Timecode(track.timecode_frame, counting_of(rate))
    if text is None:
        return None
    if ";" in text and rate not in DROP_FRAME_RATES:
        log.warning("timecode %s has the drop-frame flag, which %.5g Hz has not: read without it", text, float(rate))
        text = text.replace(";", ":")
    try:
        return parse_timecode(text, rate)
    except UsageError:
        return None


def _counted_rate(picture: Fraction, track: Fraction | None) -> Fraction:
    """The rate (Hz) that a timecode track counts at: the picture's or a whole part of it where the track is near that
    (cameras write 30 for 30000/1001), else the track's own."""
    if track is None:
        return picture
    whole_part = picture / max(1, round(picture / track))
    return whole_part if abs(whole_part - track) <= track / 500 else track
