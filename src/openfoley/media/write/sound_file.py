"""Sound files, written in a stream: .wav (RF64 beyond 4 GiB) and .flac.

WAV is written here byte by byte (EBU Tech 3285, and Tech 3306 for RF64: a JUNK chunk keeps the place of the 64-bit
sizes, which are filled in on close if they are needed); FLAC by FFmpeg's encoder.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
from torch import Tensor

from openfoley.errors import UsageError
from openfoley.media.broadcast import NO_NOTES, SoundNotes
from openfoley.media.read.opening import shown
from openfoley.media.time.timecode import Timecode
from openfoley.media.write.sound_track import BIT_DEPTHS, SoundTrack, quantised, sound_format

RIFF_LIMIT_BYTES = 0xFFFF_FFFF  # the largest size in a 32-bit RIFF header
DS64_BYTES = 28  # EBU Tech 3306: RIFF size, data size, sample count (64 bit each), table length
WAV_HEADER_BYTES = 12 + 8 + DS64_BYTES + 8 + 18 + 12 + 8
PCM_TAG, FLOAT_TAG = 1, 3  # WAVE_FORMAT_PCM, WAVE_FORMAT_IEEE_FLOAT


class AudioWriter:
    """Write float samples [channels, n] piece by piece to a .wav or .flac file. OSError when the disk is full.

    start: the timecode of the first sample. WAV keeps it as samples since midnight (bext time reference), FLAC as tags.
    notes: of the sound that these samples are an edit of; `start`, where it is given, takes the place of its time.
    """

    def __init__(
        self,
        path: str | Path,
        sample_rate: int,
        channels: int = 2,
        bit_depth: str = "24",
        start: Timecode | None = None,
        notes: SoundNotes = NO_NOTES,
    ) -> None:
        path = Path(path)
        if bit_depth not in BIT_DEPTHS:
            raise UsageError(f"bit depth must be one of {', '.join(BIT_DEPTHS)}, got {bit_depth}")
        if path.suffix.lower() == ".wav":
            chunks = notes.riff(None if start is None else time_reference(start, sample_rate))
            self._writer = _Wav(path, sample_rate, channels, bit_depth, chunks)
        elif path.suffix.lower() == ".flac":
            tags = notes.flac_tags()
            if start is not None:
                tags = {key: value for key, value in tags.items() if key.upper() not in ("TIMECODE", "TIME_REFERENCE")}
                tags |= {"TIMECODE": str(start), "TIME_REFERENCE": str(time_reference(start, sample_rate))}
            self._writer = _Flac(path, sample_rate, channels, bit_depth, tags)
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
    def __init__(self, path: Path, sample_rate: int, channels: int, bit_depth: str, chunks: bytes) -> None:
        self.sample_rate, self.channels, self.bit_depth = sample_rate, channels, bit_depth
        self.chunks = chunks  # in front of the format
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
        total = WAV_HEADER_BYTES + len(self.chunks) - 8 + data + data % 2
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
                self.chunks,
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


class _Flac:
    def __init__(self, path: Path, sample_rate: int, channels: int, bit_depth: str, tags: dict[str, str]) -> None:
        import av

        sound = sound_format(".flac", bit_depth)
        self.container = av.open(f"file:{path}", "w", format="flac")
        self.track = SoundTrack(self.container, sound, sample_rate, channels)
        self.container.metadata.update(tags)
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
