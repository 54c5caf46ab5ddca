"""The sound that a file has: which stream, in which form, and its samples piece by piece without any change.

Every value of 8, 16 or 24 bit integers and of 32-bit floating point is exact in float32, so what is read here and
written again at the same depth is the same to the bit. A lossy sound is what its decoder gives: 32-bit floating point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from openfoley.errors import MediaError, UsageError
from openfoley.media.broadcast import SoundNotes, sound_notes
from openfoley.media.read.gaps import placed, sound_frames
from openfoley.media.read.opening import bytes_of, open_media, reason, shown
from openfoley.media.read.scan import Timeline, picture_timeline
from openfoley.media.sample_file import SampleFile
from openfoley.media.settings import BitDepth

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream

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


def sound_source(path: str | Path, number: int | None = None, timeline: Timeline | None = None) -> SoundSource:
    """The sound of a file: stream `number`; without one OpenFoley's own, or the only one. timeline: of the file's
    picture, where it was scanned already.

    UsageError for a number that is not there, for several without one of ours, for more than two channels and for
    depths beyond 24 bits; MediaError for a file without sound.
    """
    from av.error import FFmpegError

    path = Path(path)
    timeline = picture_timeline(path) if timeline is None else timeline
    with open_media(path, raw_errors=True) as container:
        streams = container.streams.audio
        if not streams:
            raise MediaError(f"{shown(path)} holds no sound; pass a file with sound, or the sound as another file")
        if number is None:
            number = _usual(list(streams), path)
        if not 0 <= number < len(streams):
            raise UsageError(f"{shown(path)} has {len(streams)} sounds, numbered from 0; number {number} is not there")
        try:
            frames = sound_frames(container, streams[number], timeline)
            first = next(frames, None)
            if first is None:
                raise MediaError(f"the sound of {shown(path)} is empty; export it again")
            depth, channels = _depth(first[0], number, path), first[0].layout.nb_channels
            samples = SampleFile(channels)
            for piece in placed(
                (_samples(frame, channels, path), missing) for frame, missing in chain([first], frames)
            ):
                samples.append(piece)
        except FFmpegError as error:
            raise MediaError(f"the sound of {shown(path)} is damaged ({reason(error)}); export it again") from error
        samples.close()
        notes = sound_notes(bytes_of(container), container.format.name, container.metadata)
    return SoundSource(path, number, first[0].sample_rate, depth, notes, samples)


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
