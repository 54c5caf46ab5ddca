"""The sound that a file has: which stream, in which form, and its samples piece by piece without any change.

Every value of 8, 16 or 24 bit integers and of 32-bit floating point is exact in float32, so what is read here and
written again at the same depth is the same to the bit. A lossy sound is what its decoder gives: 32-bit floating point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from openfoley.errors import MediaError, UsageError
from openfoley.media.broadcast import SoundNotes, sound_notes
from openfoley.media.read.gaps import Gaps, silence
from openfoley.media.read.opening import open_media, reason, shown
from openfoley.media.read.scan import probe
from openfoley.media.settings import BitDepth

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream

TITLE = "OpenFoley"  # of the streams that we write
MOST_CHANNELS = 2
DEPTHS: dict[str, BitDepth] = {"u8": "16", "s16": "16", "s32": "24", "flt": "32f"}  # of the decoder's sample format


@dataclass(frozen=True)
class SoundSource:
    """One sound of a file. number: among its audio streams, from 0. bit_depth: what holds it exactly."""

    path: Path
    number: int
    sample_rate: int
    channels: int
    bit_depth: BitDepth
    lead: Fraction  # s from the first shown frame to the first sample; negative: sound before the picture
    notes: SoundNotes  # what a sound file says beside its samples

    def chunks(self) -> Iterator[Tensor]:
        """float32 [channels, n]; the first sample belongs to the first shown frame (cut or padded with silence), and
        what lies behind a hole in the recording stays at its time."""
        from av.error import FFmpegError

        skip = round(self.lead * self.sample_rate)
        if skip > 0:
            yield torch.zeros(self.channels, skip)
        skip = max(0, -skip)
        with open_media(self.path) as container:
            try:
                gaps = Gaps()
                for frame in container.decode(container.streams.audio[self.number]):
                    heard = _samples(frame, self.channels, self.path)
                    for samples in chain(silence(self.channels, gaps.before(frame)), [heard]):
                        piece, skip = samples[:, skip:], max(0, skip - samples.shape[-1])
                        if piece.shape[-1]:
                            yield piece
            except FFmpegError as error:
                why = reason(error)
                raise MediaError(f"the sound of {shown(self.path)} is damaged ({why}); export it again") from error


def sound_source(path: str | Path, number: int | None = None) -> SoundSource:
    """The sound of a file: stream `number`; without one OpenFoley's own, or the only one.

    UsageError for a number that is not there, for several without one of ours, for more than two channels and for
    depths beyond 24 bits; MediaError for a file without sound.
    """
    path = Path(path)
    with open_media(path) as container:
        streams = container.streams.audio
        if not streams:
            raise MediaError(f"{shown(path)} holds no sound; pass a file with sound, or the sound as another file")
        if number is None:
            number = _usual(list(streams), path)
        if not 0 <= number < len(streams):
            raise UsageError(f"{shown(path)} has {len(streams)} sounds, numbered from 0; number {number} is not there")
        stream = streams[number]
        try:
            frame = next(container.decode(stream))
        except StopIteration:
            raise MediaError(f"the sound of {shown(path)} is empty; export it again") from None
        kind = frame.format.packed.name
        channels = frame.layout.nb_channels
        first = frame.pts * frame.time_base if frame.pts is not None and frame.time_base is not None else Fraction(0)
        rate = frame.sample_rate
        notes = sound_notes(path, container.format.name, container.metadata)
    if channels > MOST_CHANNELS:
        raise UsageError(f"sound {number} of {shown(path)} has {channels} channels; edit a mono or stereo mix of it")
    if kind not in DEPTHS:
        raise UsageError(
            f"sound {number} of {shown(path)} is stored as {kind}, which would lose digits; "
            "convert it to 24 bits or 32-bit floating point first"
        )
    try:
        first -= probe(path).start
    except MediaError:  # no picture: the file's first sample is the first
        first = Fraction(0)
    return SoundSource(path, number, rate, channels, DEPTHS[kind], first, notes)


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
