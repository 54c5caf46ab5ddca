"""A take: one generated sound of one video, with what was asked, ready to be saved.

The sound lies in a float32 file while the take lives, so a long file does not sit in memory. It leaves through `save`:
shifted where that was asked for, resampled, kept at or below -1 dBTP by the true-peak limiter (nothing is normalised:
stillness stays quiet), then written as .wav or .flac or laid beside the untouched picture.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from openfoley.errors import OutputError
from openfoley.request import AUDIO_SUFFIXES, DEFAULT_BIT_DEPTH, AudioMode, BitDepth, Request, check_exact, check_saving
from openfoley.types import Audio, VideoInfo

if TYPE_CHECKING:
    from openfoley.media.timecode import Timecode

CHUNK_SAMPLES = 1 << 17  # read back about 3 s at a time


class SampleFile:
    """Float32 samples [channels, n] in a file: appended while generating, read in chunks.

    Without a path it is a temporary file that goes with its owner. With one it stays: what lies there up to `length`
    samples is kept, and writing goes on behind it.
    """

    def __init__(self, channels: int = 2, path: Path | None = None, length: int = 0) -> None:
        self.channels, self.length = channels, length
        try:
            if path is None:
                handle, name = tempfile.mkstemp(prefix="openfoley-", suffix=".f32")
                self.path, self._file = Path(name), os.fdopen(handle, "wb")
                weakref.finalize(self, _remove, self._file, self.path)
            else:
                self.path = path
                self._file = open(path, "ab")  # noqa: SIM115 (closed by close)
                self._file.truncate(length * channels * 4)
        except OSError as error:
            where = f"in {tempfile.gettempdir()!r}" if path is None else repr(str(path))
            raise OutputError(f"no temporary file {where}: {error.strerror}") from None

    def append(self, samples: Tensor) -> None:
        """Samples [channels, n]."""
        interleaved = samples.detach().to("cpu", torch.float32).T.contiguous().numpy()
        with self._explained():
            self._file.write(interleaved.tobytes())
        self.length += samples.shape[-1]

    def settle(self) -> None:
        """Everything appended is on the disk, whatever happens to this process or to the machine."""
        with self._explained():
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        with self._explained():
            self._file.close()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        from openfoley.media.atomic import DISK_FULL

        try:
            yield
        except OSError as error:
            why = "the disk is full; free some space and run again" if error.errno in DISK_FULL else error.strerror
            raise OutputError(f"cannot write the temporary file {str(self.path)!r}: {why}") from None

    def chunks(self, size: int = CHUNK_SAMPLES) -> Iterator[Tensor]:
        """Samples [channels, <= size] in order."""
        with open(self.path, "rb") as file:
            while data := file.read(size * self.channels * 4):
                yield torch.from_numpy(np.frombuffer(data, np.float32).reshape(-1, self.channels).T.copy())


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
    exact: BitDepth | None = None  # an edit of existing sound: saved at this depth and as it is, to the bit
    replaces: int | None = None  # the audio stream of the video whose place it takes
    work: Any = field(default=None, compare=False, repr=False)  # `work.Work` while the samples lie in one

    @property
    def audio(self) -> Audio:
        """The whole sound: float32 [channels, time] at `sample_rate`, before the limiter."""
        chunks = list(self.chunks())
        samples = torch.cat(chunks, dim=1) if chunks else torch.zeros(self.samples.channels, 0)
        return Audio(samples=samples, sample_rate=self.sample_rate)

    def chunks(self) -> Iterator[Tensor]:
        """The sound in pieces [channels, n], moved by the request's nudge (later if positive), of the same length."""
        shift = round(self.request.nudge * self.sample_rate / 1000)
        shift = max(-self.samples.length, min(self.samples.length, shift))
        if shift > 0:
            yield torch.zeros(self.samples.channels, shift)
        skip, left = max(0, -shift), self.samples.length - max(0, shift)
        for chunk in self.samples.chunks():
            piece = chunk[:, skip : skip + left]
            skip, left = max(0, skip - chunk.shape[-1]), left - piece.shape[-1]
            if piece.shape[-1]:
                yield piece
        if shift < 0:
            yield torch.zeros(self.samples.channels, -shift)

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
        start_timecode: str | None = None,
    ) -> Path:
        """Write a .wav or .flac, or the video with this sound (`audio`: beside its own sound, or instead of it).

        sample_rate: Hz; None keeps the model's. bit_depth: None is 24. force: overwrite an existing file.
        start_timecode: HH:MM:SS:FF of the first frame, written where the format has a place; None: the video's own.
        The file appears whole or not at all. Raises UsageError, OutputError.
        """
        from openfoley.media.atomic import replace_when_done

        bit_depth = bit_depth or self.exact
        path = check_saving(path, self.info.path, audio, sample_rate, bit_depth, force)
        rate, bits = sample_rate or self.sample_rate, bit_depth or DEFAULT_BIT_DEPTH
        if self.exact is not None:
            check_exact(path, rate == self.sample_rate, self.exact, bits)
        start = self.start(start_timecode)
        with replace_when_done(path, force, self.work.folder if self.work is not None else None) as unfinished:
            if path.suffix.lower() in AUDIO_SUFFIXES:
                self._write_sound(unfinished, rate, bits, start)
            else:
                self._write_video(unfinished, audio, rate, bits, start)
        return path

    def start(self, given: str | None = None) -> Timecode | None:
        """The timecode of the first frame: what is given, or what the video says, if it is still there."""
        from openfoley.media.timecode import start_timecode

        if given is None and not self.info.path.is_file():
            return None
        return start_timecode(self.info.path, self.info.frame_rate, given)

    def _write_sound(self, path: Path, sample_rate: int, bit_depth: BitDepth, start: Timecode | None) -> None:
        from openfoley.media.audio_files import AudioWriter
        from openfoley.media.sound_track import ceiling_dbtp

        with AudioWriter(path, sample_rate, self.samples.channels, bit_depth, start) as writer:
            for chunk in self._limited(sample_rate, ceiling_dbtp(path.suffix, bit_depth)):
                writer.write(chunk)

    def _write_video(
        self, path: Path, audio: AudioMode, sample_rate: int, bit_depth: BitDepth, start: Timecode | None
    ) -> None:
        from openfoley.media.mux import mux
        from openfoley.media.sound_track import ceiling_dbtp

        chunks = self._limited(sample_rate, ceiling_dbtp(path.suffix, bit_depth))
        channels = self.samples.channels
        mux(
            self.info.path, chunks, sample_rate, path, audio, bit_depth,
            channels=channels, without=self.replaces, start=start,
        )  # fmt: skip

    def _limited(self, sample_rate: int, ceiling_dbtp: float) -> Iterator[Tensor]:
        """The sound at `sample_rate`, [channels, n] pieces, true peak <= ceiling. Resampling first: it moves peaks."""
        from openfoley.media.limiter import Limiter
        from openfoley.media.resample import StreamingResampler

        if self.exact is not None:
            yield from self.chunks()
            return
        limiter = Limiter(sample_rate, self.samples.channels, ceiling_dbtp)
        resampler = StreamingResampler(self.sample_rate, sample_rate, self.samples.channels)
        for chunk in self.chunks():
            yield limiter.push(resampler.push(chunk))
        yield limiter.push(resampler.flush())
        yield limiter.flush()
