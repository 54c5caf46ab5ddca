"""The sound of any media file, whole or piece by piece, beside its picture."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from openfoley.errors import MediaError
from openfoley.media.read.gaps import Gaps, silence
from openfoley.media.read.opening import check_input, open_media, reason, shown
from openfoley.media.read.scan import probe
from openfoley.media.resample import StreamingResampler
from openfoley.types import Audio

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame


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
    start is padded with silence; so are holes in the recording. `stream` counts the audio streams (-1: the last).
    MediaError for a file without sound.
    """
    path = check_input(path)
    with open_media(path) as container:
        if not container.streams.audio:
            raise MediaError(f"{shown(path)} holds no sound; pass a sound file or a video with sound")
        try:
            rate = container.streams.audio[stream].rate
        except IndexError as error:
            count = len(container.streams.audio)
            raise MediaError(f"{shown(path)} has {count} audio streams, number {stream} was asked for") from error
    return rate, _pieces(path, stream, rate)


def _pieces(path: Path, stream: int, rate: int) -> Iterator[Tensor]:
    import av
    from av.error import FFmpegError

    cut, is_begun, gaps = 0, False, Gaps()  # cut: samples still to be left out

    def later(piece: Tensor) -> Tensor:
        nonlocal cut
        kept, cut = piece[:, cut:], max(0, cut - piece.shape[-1])
        return kept

    resampler = av.AudioResampler(format="fltp")
    with open_media(path) as container:
        try:
            for frame in container.decode(container.streams.audio[stream]):
                missing = gaps.before(frame)
                if not is_begun:
                    lead = _lead(frame, rate, path)
                    cut, missing, is_begun = max(0, -lead), max(0, lead), True
                yield from map(later, silence(frame.layout.nb_channels, missing))
                for form in resampler.resample(frame):
                    yield later(torch.from_numpy(form.to_ndarray()))
            for form in resampler.resample(None) if is_begun else ():
                yield later(torch.from_numpy(form.to_ndarray()))
        except FFmpegError as error:
            raise MediaError(f"the sound of {shown(path)} is damaged ({reason(error)}); export it again") from error
    if not is_begun:
        raise MediaError(f"the sound of {shown(path)} is empty; export it again")


def _lead(frame: AudioFrame, rate: int, path: Path) -> int:
    """Samples from the first shown frame to the sound's first frame (0 in files without a moving picture)."""
    try:
        start = probe(path).start
    except MediaError:
        return 0
    first = frame.pts * frame.time_base if frame.pts is not None and frame.time_base is not None else Fraction(0)
    return round((first - start) * rate)
