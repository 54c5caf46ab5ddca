"""The sound of any media file, whole or piece by piece, beside its picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from openfoley.errors import MediaError
from openfoley.media.read.gaps import placed, sound_frames
from openfoley.media.read.opening import check_input, open_media, reason, shown
from openfoley.media.read.scan import picture_timeline
from openfoley.media.read.sound_decoder import UNKNOWN_CODEC
from openfoley.media.resample import StreamingResampler
from openfoley.types import Audio

if TYPE_CHECKING:
    from av.container import InputContainer


def read_audio(path: str | Path, sample_rate: int | None = None, *, stream: int = 0) -> Audio:
    """The sound of any media file as float32 [channels, n]; at its own rate, or resampled to `sample_rate`. stream,
    times and errors: as `sound_pieces`."""
    rate, pieces = sound_pieces(path, stream)
    samples = torch.cat(list(pieces), dim=-1)
    if sample_rate is None or sample_rate == rate:
        return Audio(samples, rate)
    converter = StreamingResampler(rate, sample_rate, samples.shape[0])
    return Audio(torch.cat([converter.push(samples), converter.flush()], dim=-1), sample_rate)


def sound_pieces(path: str | Path, stream: int = 0) -> tuple[int, Iterator[Tensor]]:
    """(sample rate in Hz, float32 [channels, n] after [channels, n]) of any media file, at least one piece.

    In a file with a moving picture sample 0 is the instant of the first shown frame: earlier sound is cut, a later
    start is padded with silence; what lies behind a hole in the recording or a join stays at its time. `stream` counts
    the audio streams (-1: the last). MediaError for a file without sound.
    """
    path = check_input(path)
    with open_media(path) as container:
        if not container.streams.audio:
            raise MediaError(f"{shown(path)} holds no sound; pass a sound file or a video with sound")
        try:
            sound = container.streams.audio[stream]
        except IndexError as error:
            count = len(container.streams.audio)
            raise MediaError(f"{shown(path)} has {count} audio streams, number {stream} was requested") from error
        if sound.codec_context is None:
            raise MediaError(UNKNOWN_CODEC.format(number=stream, path=shown(path)))
        rate = sound.rate
    return rate, _pieces(path, stream)


def _pieces(path: Path, stream: int) -> Iterator[Tensor]:
    import av
    from av.error import FFmpegError

    timeline, is_begun = picture_timeline(path), False

    def sounds(container: InputContainer) -> Iterator[tuple[Tensor, int]]:
        nonlocal is_begun
        resampler = av.AudioResampler(format="fltp")
        for frame, missing in sound_frames(container, container.streams.audio[stream], path, timeline):
            is_begun = True
            yield torch.zeros(frame.layout.nb_channels, 0), missing
            yield from ((torch.from_numpy(form.to_ndarray()), 0) for form in resampler.resample(frame))
        for form in resampler.resample(None) if is_begun else ():
            yield torch.from_numpy(form.to_ndarray()), 0

    with open_media(path) as container:
        try:
            yield from placed(sounds(container))
        except FFmpegError as error:
            raise MediaError(f"the sound of {shown(path)} is damaged ({reason(error)}); export it again") from error
    if not is_begun:
        raise MediaError(f"the sound of {shown(path)} is empty; export it again")
