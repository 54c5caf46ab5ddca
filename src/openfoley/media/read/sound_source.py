"""The sound that a file has: which stream, in which form, and its samples piece by piece without any change.

Every value of 8, 16 or 24 bit integers and of 32-bit floating point is exact in float32, so what is read here and
written again at the same depth is the same to the bit. A lossy sound is what its decoder gives: 32-bit floating point.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from openfoley.errors import MediaError, UsageError
from openfoley.media.broadcast import SoundNotes, sound_notes
from openfoley.media.read.damage import Damage
from openfoley.media.read.gaps import Gaps, placed
from openfoley.media.read.integrity import outer_problem
from openfoley.media.read.opening import bytes_of, open_media, shown
from openfoley.media.read.packet_pass import PacketReader, read_to_damage
from openfoley.media.read.scan import Timeline, picture_timeline, report_damage
from openfoley.media.read.sound_decoder import UNKNOWN_CODEC, SoundDecoder
from openfoley.media.sample_file import SampleFile
from openfoley.media.settings import BitDepth
from openfoley.media.time.clock import Clock, Join, TrueTimes, shift_at

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

log = logging.getLogger(__name__)

TITLE = "OpenFoley"  # of the streams that we write
MOST_CHANNELS = 2
DEPTHS: dict[str, BitDepth] = {"u8": "16", "s16": "16", "s32": "24", "flt": "32f"}  # of the decoder's sample format


@dataclass(frozen=True)
class SoundSource:
    """One sound of a file, decoded. number: among its audio streams, from 0. bit_depth: what holds it exactly.

    samples: the first one belongs to the first shown frame (cut or padded with silence), and what lies behind a hole in
    the recording or a join stays at its time.
    """

    path: Path
    number: int
    sample_rate: int
    bit_depth: BitDepth
    notes: SoundNotes  # what a sound file says beside its samples
    samples: SampleFile

    @property
    def channels(self) -> int:
        return self.samples.channels

    def chunks(self) -> Iterator[Tensor]:
        """float32 [channels, n] in order."""
        return self.samples.chunks()


def sound_source(
    path: str | Path, number: int | None = None, timeline: Timeline | None = None, strict: bool = False
) -> SoundSource:
    """The sound of a file: stream `number`; without one OpenFoley's own, or the only one. timeline: of the file's
    picture, where it was scanned already. What is damaged is silent, with a warning, or refused (`strict`).

    UsageError for a number that is not there, for several without one of ours, for more than two channels and for
    depths beyond 24 bits; MediaError for a file without sound.
    """
    path = Path(path)
    timeline = picture_timeline(path, strict) if timeline is None else timeline
    reader, damage = SoundReader(number), list[Damage]()
    with open_media(path) as container:
        if timeline is None and (problem := outer_problem(bytes_of(container))) is not None:
            report_damage(path, [problem], strict)
        times = TrueTimes() if timeline is None else replace(timeline.times, joins=())  # joins: `SoundReader.sound`
        packets = read_to_damage(container.demux(reader.choose(container, path)), damage)
        for packet in Clock(times).continuous(packets):
            reader.push(packet)
    if damage:
        reader.end(damage[0].text)
    return reader.sound(timeline, strict)


class SoundReader:
    """Decodes one sound of a file, also from the packets of its scan, so that the file is not opened again for it.

    number: as for `sound_source`. beside: takes packets of the same scan.
    """

    def __init__(self, number: int | None = None, beside: PacketReader | None = None) -> None:
        self._number, self._beside = number, beside
        self._taken: Collection[int] = ()  # streams of `beside`
        self._index: int | None = None  # of its stream (which is gone when the file is closed)
        self._path, self._notes = Path(), SoundNotes()
        self._decoder: SoundDecoder | None = None
        self._broken: str | None = None  # what stopped the demuxer before the end
        self._is_refused = False  # a sound that cannot be edited
        self._clock = Clock(TrueTimes())
        self._samples: SampleFile | None = None  # the frames without the silence that belongs between them
        self._depth: BitDepth = "16"
        self._rate, self._tick = 0, Fraction(1)  # Hz, s
        self._times: list[int | None] = []  # of each frame, in ticks
        self._counts, self._positions = array("q"), array("q")  # samples, and the byte in the file, of each frame
        self._losses: set[int] = set()  # frames in front of which something could not be decoded

    def choose(self, container: InputContainer, path: Path) -> AudioStream:
        """The stream to decode. UsageError and MediaError as for `sound_source`."""
        streams = container.streams.audio
        if not streams:
            raise MediaError(f"{shown(path)} holds no sound; pass a file with sound, or the sound as another file")
        number = _usual(list(streams), path) if self._number is None else self._number
        if not 0 <= number < len(streams):
            raise UsageError(f"{shown(path)} has {len(streams)} sounds, numbered from 0; number {number} is not there")
        if streams[number].codec_context is None:
            raise MediaError(UNKNOWN_CODEC.format(number=number, path=shown(path)))
        self._path, self._number, self._index = path, number, streams[number].index
        self._decoder = SoundDecoder(streams[number])
        self._notes = sound_notes(bytes_of(container), container.format.name, container.metadata)
        return streams[number]

    def push(self, packet: Packet) -> None:
        """Decode a packet of the chosen stream. UsageError for a sound that cannot be edited."""
        self._add(packet if packet.size else None, self._clock.position(packet))

    def _add(self, packet: Packet | None, position: int) -> None:
        assert self._decoder is not None
        for frame in self._decoder.decode(packet):
            if self._decoder.take_loss():
                self._losses.add(len(self._times))
            channels = frame.layout.nb_channels
            if self._samples is None:
                self._depth = _depth(frame, self._number or 0, self._path)
                self._samples, self._rate = SampleFile(channels), frame.sample_rate
                self._tick = frame.time_base or Fraction(1, frame.sample_rate)
            self._samples.append(_samples(frame, channels, self._path))
            self._times.append(frame.pts if frame.time_base is not None else None)
            self._counts.append(frame.samples)
            self._positions.append(position)

    def begin(self, source: InputContainer, path: Path) -> Collection[int]:
        self._taken = self._beside.begin(source, path) if self._beside is not None else ()
        with suppress(UsageError, MediaError):  # raised when the sound is requested
            return {*self._taken, self.choose(source, path).index}
        return self._taken

    def take(self, packet: Packet) -> None:
        if packet.stream_index == self._index and packet.size and not self._is_refused:
            try:
                self.push(packet)
            except UsageError:  # raised again when the sound is requested
                self._is_refused = True
        if self._beside is not None and packet.stream_index in self._taken:
            self._beside.take(packet)

    def end(self, broken: str | None) -> None:
        self._broken = broken
        if self._positions and not self._is_refused:  # PyAV's flush packets do not say whose they are
            self._add(None, self._positions[-1])
        if self._beside is not None:
            self._beside.end(broken)

    @property
    def is_whole(self) -> bool:
        """Whether a scan has given the sound; else `sound_source` says what is wrong with it."""
        return self._samples is not None and not self._is_refused

    def sound(self, timeline: Timeline | None, strict: bool = False) -> SoundSource:
        """What was decoded, at its place beside the picture of `timeline`. MediaError where there is nothing, and with
        `strict` where something could not be decoded, which is a warning otherwise."""
        assert self._decoder is not None
        if self._samples is None:
            problem = self._decoder.problem or self._broken
            why = "empty" if problem is None else f"damaged ({problem})"
            raise MediaError(f"the sound of {shown(self._path)} is {why}; export it again")
        self._samples.close()
        gaps = Gaps(None if timeline is None else timeline.info.start)
        missing = self._missing(gaps, () if timeline is None else timeline.times.joins)
        if problem := gaps.problem(self._path, self._decoder, self._broken):
            if strict:
                raise MediaError(f"{problem}; export or copy it again")
            log.warning("%s", problem)
        samples = self._placed(missing) if any(missing) else self._samples
        return SoundSource(self._path, self._number or 0, self._rate, self._depth, self._notes, samples)

    def _missing(self, gaps: Gaps, joins: Sequence[Join]) -> array[int]:
        """Samples of silence in front of each frame."""
        assert self._index is not None
        found = array("q")
        for k, (time, count, position) in enumerate(zip(self._times, self._counts, self._positions, strict=True)):
            shift = shift_at(joins, position, self._index)
            seconds = None if time is None else (time + round(shift / self._tick)) * self._tick
            found.append(gaps.before(seconds, count, self._rate, shift, k in self._losses))
        return found

    def _placed(self, missing: array[int]) -> SampleFile:
        assert self._samples is not None
        frames, out = self._samples.pieces(self._counts), SampleFile(self._samples.channels)
        for piece in placed(zip(frames, missing, strict=True)):
            out.append(piece)
        out.close()
        return out


def _depth(frame: AudioFrame, number: int, path: Path) -> BitDepth:
    """What holds this frame's samples exactly. UsageError for a sound that cannot be edited."""
    kind, channels = frame.format.packed.name, frame.layout.nb_channels
    if channels > MOST_CHANNELS:
        raise UsageError(f"sound {number} of {shown(path)} has {channels} channels; edit a mono or stereo mix of it")
    if kind not in DEPTHS:
        raise UsageError(
            f"sound {number} of {shown(path)} is stored as {kind}, which would lose digits; "
            "convert it to 24 bits or 32-bit floating point first"
        )
    return DEPTHS[kind]


def _usual(streams: list[AudioStream], path: Path) -> int:
    ours = [n for n, s in enumerate(streams) if TITLE in (s.metadata.get("title"), s.metadata.get("handler_name"))]
    if ours:
        return ours[-1]
    if len(streams) > 1:
        raise UsageError(f"{shown(path)} has {len(streams)} sounds; say which audio stream, 0 to {len(streams) - 1}")
    return 0


def _samples(frame: AudioFrame, channels: int, path: Path) -> Tensor:
    """float32 [channels, n] of a decoded frame, exactly."""
    values: Any = frame.to_ndarray()
    values = values if frame.format.is_planar else values.reshape(-1, channels).T
    if values.dtype == np.uint8:
        values = (values.astype(np.float32) - 128) / 128
    elif values.dtype == np.int16:
        values = values.astype(np.float32) / 2**15
    elif values.dtype == np.int32:
        if (values & 0xFF).any():
            raise UsageError(f"{shown(path)} has sound of 32-bit integers; convert it to 24 bits first")
        values = (values >> 8).astype(np.float32) / 2**23
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))
