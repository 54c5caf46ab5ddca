"""A take: one generated sound of one video, with what was asked, ready to be saved.

The sound lies in a temporary float32 file while the take lives, so a long file does not sit in memory. It leaves
through `save`: resampled, kept at or below -1 dBTP by the true-peak limiter (nothing is normalised: stillness stays
quiet), then written as .wav or .flac or laid beside the untouched picture.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from openfoley.errors import OutputError
from openfoley.request import AUDIO_SUFFIXES, DEFAULT_BIT_DEPTH, AudioMode, BitDepth, Request, check_saving
from openfoley.types import Audio, VideoInfo

CHANNELS = 2
CHUNK_SAMPLES = 1 << 17  # read back about 3 s at a time


class SampleFile:
    """Float32 stereo samples in a temporary file: appended while generating, read in chunks, gone with its owner."""

    def __init__(self) -> None:
        try:
            handle, name = tempfile.mkstemp(prefix="openfoley-", suffix=".f32")
        except OSError as error:
            raise OutputError(f"no temporary file in {tempfile.gettempdir()!r}: {error.strerror}") from None
        self.path = Path(name)
        self.length = 0  # samples
        self._file = os.fdopen(handle, "wb")
        weakref.finalize(self, _remove, self._file, self.path)

    def append(self, samples: Tensor) -> None:
        """Samples [2, n]."""
        interleaved = samples.detach().to("cpu", torch.float32).T.contiguous().numpy()
        try:
            self._file.write(interleaved.tobytes())
        except OSError as error:
            raise OutputError(f"cannot write the temporary file {str(self.path)!r}: {error.strerror}") from None
        self.length += samples.shape[-1]

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise OutputError(f"cannot write the temporary file {str(self.path)!r}: {error.strerror}") from None

    def chunks(self, size: int = CHUNK_SAMPLES) -> Iterator[Tensor]:
        """Samples [2, <= size] in order."""
        with open(self.path, "rb") as file:
            while data := file.read(size * CHANNELS * 4):
                yield torch.from_numpy(np.frombuffer(data, np.float32).reshape(-1, CHANNELS).T.copy())


def _remove(file, path: Path) -> None:
    try:
        file.close()
    except OSError:  # a full disk: what is buffered is not wanted any more
        pass
    path.unlink(missing_ok=True)


@dataclass(frozen=True)
class Take:
    """One generated sound. `audio` reads it into memory; `save` streams it."""

    request: Request
    info: VideoInfo
    sample_rate: int  # Hz
    samples: SampleFile

    @property
    def audio(self) -> Audio:
        """The whole sound: float32 [2, time] at `sample_rate`, before the limiter."""
        chunks = list(self.samples.chunks())
        samples = torch.cat(chunks, dim=1) if chunks else torch.zeros(CHANNELS, 0)
        return Audio(samples=samples, sample_rate=self.sample_rate)

    @property
    def duration_s(self) -> float:
        return self.samples.length / self.sample_rate

    def save(
        self,
        path: str | os.PathLike[str],
        audio: AudioMode = "add",
        sample_rate: int | None = None,
        bit_depth: BitDepth | None = None,
        force: bool = False,
    ) -> Path:
        """Write a .wav or .flac, or the video with this sound (`audio`: beside its own sound, or instead of it).

        sample_rate: Hz; None keeps the model's. bit_depth: None is 24. force: overwrite an existing file.
        The file appears whole or not at all. Raises UsageError, OutputError.
        """
        from openfoley.media.atomic import replace_when_done

        path = check_saving(path, self.info.path, audio, sample_rate, bit_depth, force)
        rate, bits = sample_rate or self.sample_rate, bit_depth or DEFAULT_BIT_DEPTH
        with replace_when_done(path, force) as unfinished:
            if path.suffix.lower() in AUDIO_SUFFIXES:
                self._write_sound(unfinished, rate, bits)
            else:
                self._write_video(unfinished, audio, rate, bits)
        return path

    def _write_sound(self, path: Path, sample_rate: int, bit_depth: BitDepth) -> None:
        from openfoley.media.audio_files import AudioWriter
        from openfoley.media.sound_track import ceiling_dbtp

        with AudioWriter(path, sample_rate, CHANNELS, bit_depth) as writer:
            for chunk in self._limited(sample_rate, ceiling_dbtp(path.suffix, bit_depth)):
                writer.write(chunk)

    def _write_video(self, path: Path, audio: AudioMode, sample_rate: int, bit_depth: BitDepth) -> None:
        from openfoley.media.mux import mux
        from openfoley.media.sound_track import ceiling_dbtp

        chunks = self._limited(sample_rate, ceiling_dbtp(path.suffix, bit_depth))
        mux(self.info.path, chunks, sample_rate, path, audio, bit_depth)

    def _limited(self, sample_rate: int, ceiling_dbtp: float) -> Iterator[Tensor]:
        """The sound at `sample_rate`, [2, n] chunks, true peak <= ceiling. Resampling comes first: it moves peaks."""
        from openfoley.media.limiter import Limiter
        from openfoley.media.resample import StreamingResampler

        limiter = Limiter(sample_rate, CHANNELS, ceiling_dbtp)
        resampler = StreamingResampler(self.sample_rate, sample_rate, CHANNELS)
        for chunk in self.samples.chunks():
            yield limiter.push(resampler.push(chunk))
        yield limiter.push(resampler.flush())
        yield limiter.flush()
