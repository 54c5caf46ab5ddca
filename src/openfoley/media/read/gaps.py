"""Where the samples of a sound belong beside its picture: its start, joins, and holes in the recording, where the next
packet begins later than the one before ends."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from openfoley.media.read.damage import Damage
from openfoley.media.read.packet_pass import read_to_damage
from openfoley.media.read.sound_decoder import SoundDecoder, sound_problem
from openfoley.media.time.clock import Clock, TrueTimes

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

    from openfoley.media.read.scan import Timeline

log = logging.getLogger(__name__)

LEAST_S = Fraction(1, 20)  # s; below it are rounding of times and encoder delay and padding
MOST_S = 600  # s; above it the clock was reset, or two recordings were joined
BLOCK = 1 << 16  # samples of silence at a time


def sound_frames(
    container: InputContainer, stream: AudioStream, path: Path, timeline: Timeline | None
) -> Iterator[tuple[AudioFrame, int]]:
    """The decoded frames of a sound, each with the samples of silence that belong in front of it; below 0: how many
    samples to leave out from there on. Sample 0 is then the first shown frame of the picture (`timeline`; None: there
    is none, and it is the sound's first), and what lies behind a hole or a join stays at its time. What cannot be
    decoded is left out with a warning that names the file `path`."""
    clock, decoder, damage = (
        Clock(TrueTimes() if timeline is None else timeline.times),
        SoundDecoder(stream),
        list[Damage](),
    )
    gaps = Gaps(None if timeline is None else timeline.info.start)
    for packet in clock.continuous(read_to_damage(container.demux(stream), damage)):
        for frame in decoder.decode(packet):
            time = frame.pts * frame.time_base if frame.pts is not None and frame.time_base is not None else None
            yield frame, gaps.before(time, frame.samples, frame.sample_rate, clock.shift, decoder.take_loss())
    if problem := gaps.problem(path, decoder, damage[0].text if damage else None):
        log.warning("%s", problem)


class Gaps:
    """Follows the times of one sound, frame after frame. Slow clocks make no holes: each step counts by itself.

    start: s, of sample 0; None: the first frame's.
    """

    def __init__(self, start: Fraction | None = None) -> None:
        self._start, self._shift = start, Fraction(0)
        self._end: Fraction | None = None  # s, of the frame before
        self._samples: int | None = None  # from sample 0 to the end of the frame before
        self._rate = 1  # Hz
        self._lost: list[tuple[Fraction, Fraction]] = []

    def before(
        self, time: Fraction | None, samples: int, rate: int, shift: Fraction = Fraction(0), is_after_loss: bool = False
    ) -> int:
        """How many samples of silence belong in front of a frame of so many `samples` at `rate` Hz that begins at
        `time` (s; None: unknown); below 0: to leave out from here on. (Times that go back are not believed, but at a
        join.) shift: s that were added to the frame's time. is_after_loss: what is in front of it could not be decoded:
        then a gap of half a frame is one."""
        least = Fraction(samples, 2 * rate) if is_after_loss else LEAST_S
        gap = time - self._end if time is not None and self._end is not None else Fraction(0)
        self._end = None if time is None else time + Fraction(samples, rate)
        end, missing, self._rate = self._samples or 0, 0, rate
        if self._samples is None or shift != self._shift:
            self._start = time if self._start is None else self._start
            missing = round(((time or 0) - (self._start or 0)) * rate) - end
        elif least < gap < MOST_S:
            missing = round(gap * rate)
        if is_after_loss and missing > 0:
            self._lost.append((Fraction(max(0, end), rate), Fraction(max(0, end + missing), rate)))
        self._samples, self._shift = end + missing + samples, shift
        return missing

    def problem(self, path: Path, decoder: SoundDecoder, broken: str | None) -> str | None:
        """One line: what could not be decoded of the sound of `path`, and where; None where all was. broken: what
        stopped the demuxer before the end."""
        why = decoder.problem or broken
        if why is None:
            return None
        is_open = broken is not None or decoder.is_after_loss
        rest = [(Fraction(max(0, self._samples or 0), self._rate), None)] if is_open else []
        return sound_problem(path, why, [*self._lost, *rest])


def placed(sounds: Iterable[tuple[Tensor, int]]) -> Iterator[Tensor]:
    """Pieces [channels, n] of a sound, each with the silence in front of it, or without what is left out there: see
    `sound_frames`."""
    skip = 0
    for samples, missing in sounds:
        skip += max(0, -missing)
        for piece in chain(silence(samples.shape[0], missing), [samples]):
            yield piece[:, skip:]
            skip = max(0, skip - piece.shape[-1])


def silence(channels: int, samples: int) -> Iterator[Tensor]:
    """Zeros [channels, n] piece by piece."""
    for first in range(0, samples, BLOCK):
        yield torch.zeros(channels, min(BLOCK, samples - first))
