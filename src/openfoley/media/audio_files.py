"""Sound files: written in a stream (.wav with RF64 beyond 4 GiB, .flac), read from any container.

WAV is written here byte by byte (EBU Tech 3285, and Tech 3306 for RF64: a JUNK chunk keeps the place of the 64-bit
sizes, which are filled in on close if they are needed); FLAC by FFmpeg's encoder.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import torch
from torch import Tensor

from openfoley.errors import MediaError, UsageError
from openfoley.media.gaps import Gaps, silence
from openfoley.media.opening import check_input, open_media, reason, shown
from openfoley.media.resample import StreamingResampler
from openfoley.media.scan import probe
from openfoley.media.sound_track import BIT_DEPTHS, SoundTrack, quantised, sound_format
from openfoley.media.timecode import Timecode
from openfoley.types import Audio

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame

RIFF_LIMIT_BYTES = 0xFFFF_FFFF  # the largest size a 32-bit RIFF header can tell
DS64_BYTES = 28  # EBU Tech 3306: RIFF size, data size, sample count (64 bit each), table length
WAV_HEADER_BYTES = 12 + 8 + DS64_BYTES + 8 + 18 + 12 + 8
BEXT_BYTES = 602  # EBU Tech 3285 version 1, without a coding history
BEXT_TIME_OFFSET = 338  # behind description, originator, its reference, date and time
ORIGINATOR = "OpenFoley"
PCM_TAG, FLOAT_TAG = 1, 3  # WAVE_FORMAT_PCM, WAVE_FORMAT_IEEE_FLOAT


class AudioWriter:
    """Write float samples [channels, n] piece by piece to a .wav or .flac file. OSError when the disk is full.

    start: the timecode of the first sample. WAV keeps it as samples since midnight (bext time reference), FLAC as tags.
    """

    def __init__(
        self,
        path: str | Path,
        sample_rate: int,
        channels: int = 2,
        bit_depth: str = "24",
        start: Timecode | None = None,
    ) -> None:
        path = Path(path)
        if bit_depth not in BIT_DEPTHS:
            raise UsageError(f"bit depth must be one of {', '.join(BIT_DEPTHS)}, got {bit_depth}")
        if path.suffix.lower() == ".wav":
            self._writer = _Wav(path, sample_rate, channels, bit_depth, start)
        elif path.suffix.lower() == ".flac":
            self._writer = _Flac(path, sample_rate, channels, bit_depth, start)
        else:
            raise UsageError(f"a sound file must end in .wav or .flac, got {shown(path)}")

    def write(self, samples: Tensor) -> None:
        self._writer.write(samples.detach().cpu().float())

    def close(self) -> None:
        self._writer.close()

    def __enter__(self) -> AudioWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Wav:
    def __init__(self, path: Path, sample_rate: int, channels: int, bit_depth: str, start: Timecode | None) -> None:
        self.sample_rate, self.channels, self.bit_depth = sample_rate, channels, bit_depth
        self.bext = _bext(time_reference(start, sample_rate)) if start is not None else b""
        self.sample_bytes = {"16": 2, "24": 3, "32f": 4}[bit_depth]
        self.count = 0  # samples per channel
        self.file: BinaryIO = open(path, "wb")  # noqa: SIM115 (closed by close)
        self.file.write(self._header())

    def write(self, samples: Tensor) -> None:
        if self.bit_depth == "32f":
            data = samples.numpy().T.astype("<f4").tobytes()
        else:
            values = np.ascontiguousarray(quantised(samples, 8 * self.sample_bytes).T.astype("<i4"))
            data = values.view(np.uint8).reshape(-1, 4)[:, : self.sample_bytes].tobytes()
        self.file.write(data)
        self.count += samples.shape[-1]

    def close(self) -> None:
        if self.file.closed:
            return
        with self.file:
            if self.count * self.channels * self.sample_bytes % 2:
                self.file.write(b"\0")
            self.file.seek(0)
            self.file.write(self._header())

    def _header(self) -> bytes:
        frame_bytes = self.channels * self.sample_bytes
        data = self.count * frame_bytes
        total = WAV_HEADER_BYTES + len(self.bext) - 8 + data + data % 2
        big = total > RIFF_LIMIT_BYTES
        tag = FLOAT_TAG if self.bit_depth == "32f" else PCM_TAG
        sizes = struct.pack("<QQQI", total, data, self.count, 0) if big else bytes(DS64_BYTES)
        byte_rate = self.sample_rate * frame_bytes
        form = struct.pack(
            "<HHIIHHH", tag, self.channels, self.sample_rate, byte_rate, frame_bytes, 8 * self.sample_bytes, 0
        )
        return b"".join(
            (
                b"RF64" if big else b"RIFF",
                struct.pack("<I", 0xFFFF_FFFF if big else total),
                b"WAVE",
                b"ds64" if big else b"JUNK",
                struct.pack("<I", DS64_BYTES),
                sizes,
                self.bext,
                b"fmt ",
                struct.pack("<I", len(form)),
                form,
                b"fact",
                struct.pack("<II", 4, min(self.count, 0xFFFF_FFFF)),
                b"data",
                struct.pack("<I", 0xFFFF_FFFF if big else data),
            )
        )


def time_reference(start: Timecode, sample_rate: int) -> int:
    """Samples from midnight to a timecode (EBU Tech 3285), rounded to the nearest."""
    return round(start.seconds * sample_rate)


def _bext(samples_since_midnight: int) -> bytes:
    """A broadcast extension chunk with who wrote it and when it starts; no date, so that bytes repeat."""
    body = bytearray(BEXT_BYTES)
    body[256 : 256 + len(ORIGINATOR)] = ORIGINATOR.encode()
    struct.pack_into("<QH", body, BEXT_TIME_OFFSET, samples_since_midnight, 1)
    return b"bext" + struct.pack("<I", BEXT_BYTES) + bytes(body)


class _Flac:
    def __init__(self, path: Path, sample_rate: int, channels: int, bit_depth: str, start: Timecode | None) -> None:
        import av

        sound = sound_format(".flac", bit_depth)
        self.container = av.open(f"file:{path}", "w", format="flac")
        self.track = SoundTrack(self.container, sound, sample_rate, channels)
        if start is not None:
            reference = str(time_reference(start, sample_rate))
            self.container.metadata.update({"TIMECODE": str(start), "TIME_REFERENCE": reference})
        self.container.start_encoding()
        self.open = True

    def write(self, samples: Tensor) -> None:
        for packet in self.track.push(samples):
            self.container.mux(packet)

    def close(self) -> None:
        if not self.open:
            return
        self.open = False
        try:
            for packet in self.track.flush():
                self.container.mux(packet)
        finally:
            self.container.close()


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
