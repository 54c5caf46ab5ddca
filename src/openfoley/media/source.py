"""What a sound is made for: a video file, a still image, frames in memory, or nothing to see; opened once.

Everything that is known of it (size, rate, duration, timecode, cuts, frames, identity) comes from here, so that nothing
else opens the file: `Source.file` reads the packets of a video once, a pass over its frames opens it a second time.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from math import ceil
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, uint8

from openfoley.errors import UsageError
from openfoley.media.frames import FrameChunk, FrameRequest, VideoInfo
from openfoley.media.read.content_hash import file_hash
from openfoley.media.read.decode import picked_frames
from openfoley.media.read.frame_picker import FramePicker
from openfoley.media.read.opening import shown
from openfoley.media.read.scan import SoundStream, Timeline, scan
from openfoley.media.read.scenes import cut_frames, scenes_request
from openfoley.media.read.sound_source import SoundReader, SoundSource, sound_source
from openfoley.media.read.still import is_still
from openfoley.media.settings import LONGEST_SILENT_S
from openfoley.media.time.timecode import Timecode, nominal, parse_timecode
from openfoley.media.write.atomic import TemporaryFolder, cannot_write
from openfoley.media.write.rehearsal import Rehearsal
from openfoley.media.write.still_video import write_still_video

phase = logging.getLogger("openfoley.phase")
"""The current phase, as INFO records; how far it is, as DEBUG records with `done_s` and `total_s`."""

KEPT_BYTES = 192 * 2**20  # 3.7 minutes of the Gym-size encoders' pictures
FRAMES_PER_CHUNK = 64
UNSEEN_RATE = Fraction(25)  # Hz, for timecode where nothing moves


class Frames(Protocol):
    """Where the frames come from."""

    def __call__(self, requests: Sequence[FrameRequest]) -> Iterator[FrameChunk]:
        """The frames shown at k / rate of every request, in time order."""
        ...


class Source:
    """A video, still image, tensor or nothing. path: the file, for messages, hashes, muxing and names beside it.

    timeline: when each frame of a video file is shown; None for everything else.
    """

    def __init__(
        self, info: VideoInfo, frames: Frames, timeline: Timeline | None = None, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self.info, self.timeline, self.kept_bytes = info, timeline, kept_bytes
        self._frames = frames
        self._cuts: tuple[Fraction, ...] | None = None
        self._kept: tuple[list[FrameRequest], deque[FrameChunk]] | None = None
        self._sound: tuple[object, SoundSource] | None = None
        self._folder: TemporaryFolder | None = None  # of the file, where it is only made for this

    @classmethod
    def file(
        cls,
        path: str | Path,
        *,
        strict: bool = False,
        kept_bytes: int = KEPT_BYTES,
        rehearsal: Rehearsal | None = None,
        with_hash: bool = False,
        with_sound: bool = False,
        audio_stream: int | None = None,
    ) -> Source:
        """A video file. Damage is read around with a warning, or refused (`strict`). UsageError, MediaError.

        rehearsal: of the mux that is to follow. with_hash, with_sound: `content_hash` and `sound(audio_stream)` are
        computed now, from the same opening.
        """
        reader = SoundReader(audio_stream, rehearsal) if with_sound else None
        timeline = scan(path, strict, reader or rehearsal, with_hash)

        def frames(requests: Sequence[FrameRequest]) -> Iterator[FrameChunk]:
            return picked_frames(timeline, requests, chunk=FRAMES_PER_CHUNK)

        source = cls(timeline.info, frames, timeline, kept_bytes)
        if reader is not None and reader.is_whole:
            source._sound = (_sound_key(timeline.path, audio_stream), reader.sound(timeline, strict))
        return source

    @classmethod
    def still(cls, path: str | Path, duration: float | Fraction, *, rehearsal: Rehearsal | None = None) -> Source:
        """A still image, shown for `duration` s: a video of it in a temporary file that goes with the source.
        rehearsal: as for `file`. UsageError for a file that is no still image, MediaError."""
        path = Path(path)
        if not is_still(path):
            raise UsageError(
                "duration is for a still image or for text alone; the sound of a video is as long as it is"
            )
        seconds = _seconds(duration)
        try:
            folder = TemporaryFolder(Path(tempfile.gettempdir()), mode=0o700)
        except OSError as error:
            raise cannot_write(Path(tempfile.gettempdir()), error) from None
        moving = folder.path / f"{path.stem}.mp4"
        write_still_video(path, seconds, moving)
        source = cls.file(moving, rehearsal=rehearsal)
        source.info = replace(source.info, frame_rate=UNSEEN_RATE)
        source._cuts = ()
        source._folder = folder
        return source

    @classmethod
    def tensor(cls, frames: Tensor, rate: float | Fraction) -> Source:
        """uint8 RGB [n, 3, height, width] at `rate` (Hz). UsageError for another shape, type or rate."""
        if frames.ndim != 4 or frames.shape[1] != 3 or frames.dtype != uint8 or 0 in frames.shape:
            raise UsageError(f"frames must be uint8 [n, 3, height, width], got {frames.dtype} {list(frames.shape)}")
        if not rate > 0:
            raise UsageError(f"rate must be above 0 frames per second, got {rate}")
        rate = Fraction(rate)
        count, _, height, width = frames.shape
        info = VideoInfo(None, count / rate, Fraction(0), width, height, 0, rate, 0)

        def picked(requests: Sequence[FrameRequest]) -> Iterator[FrameChunk]:
            pickers = [(FramePicker(request, rate, info.duration), deque[FrameChunk]()) for request in requests]
            for index, frame in enumerate(frames):
                for picker, waiting in pickers:
                    waiting.extend(picker.push(frame, index))
                    is_full = sum(len(chunk.frames) for chunk in waiting) >= FRAMES_PER_CHUNK
                    if waiting and (is_full or index + 1 == count):
                        yield from _joined(waiting)

        source = cls(info, picked)
        source.__dict__["content_hash"] = hashlib.sha256(frames.contiguous().cpu().numpy().tobytes()).hexdigest()
        return source

    @classmethod
    def nothing(cls, duration: float | Fraction | None) -> Source:
        """No picture at all for `duration` s: sound from text alone."""
        if duration is None:
            raise UsageError("without a video, pass a duration")
        info = VideoInfo(None, _seconds(duration), Fraction(0), 0, 0, 0, UNSEEN_RATE, 0)
        return cls(info, lambda requests: iter(()))

    def __repr__(self) -> str:
        what = f"{self.info.width}x{self.info.height}" if self.has_picture else "nothing"
        return f"Source({what if self.path is None else shown(self.path)}, {float(self.info.duration):.3f} s)"

    @property
    def path(self) -> Path | None:
        return self.info.path

    @property
    def has_picture(self) -> bool:
        return self.info.height > 0

    @property
    def start_timecode(self) -> Timecode | None:
        """What the file says of its first shown frame, on its own counting."""
        return self.timeline.timecode if self.timeline is not None else None

    @property
    def counted_rate(self) -> Fraction:
        """Hz that timecode is counted at: the file's own, which may be half of the picture's, else the picture's."""
        own = self.start_timecode
        return own.counting.rate if own is not None else nominal(self.info.frame_rate)

    def timecode(self, given: str | None) -> Timecode | None:
        """The timecode of the first shown frame: the one given, else the file's. UsageError for a wrong one."""
        if given is None:
            return self.start_timecode
        try:
            return parse_timecode(given, self.counted_rate)
        except UsageError as error:
            raise UsageError(f"start_timecode: {error}") from None

    @property
    def sound_streams(self) -> Sequence[SoundStream]:
        return self.timeline.sound_streams if self.timeline is not None else ()

    def sound(self, number: int | None = None, path: Path | None = None) -> SoundSource:
        """Stream `number` of its own sound, or of the file `path`, as `sound_source` gives it; kept for the next call
        while the file stays the same. UsageError, MediaError."""
        file = self.path if path is None else path
        if file is None:
            raise UsageError("pass the sound to change: this source has no file with one; use sound=FILE")
        key = _sound_key(file, number)
        if self._sound is None or self._sound[0] != key:
            strict = self.timeline is not None and self.timeline.strict
            self._sound = (key, sound_source(file, number, self.timeline if path is None else None, strict))
        return self._sound[1]

    @cached_property
    def content_hash(self) -> str:
        """sha256 of the file's (or the frames') bytes, hexadecimal; of nothing where there is nothing."""
        if self.timeline is not None and self.timeline.content_hash is not None:
            return self.timeline.content_hash
        return file_hash(self.path) if self.path is not None else hashlib.sha256().hexdigest()

    def cuts(self, keep: Sequence[FrameRequest] = ()) -> tuple[Fraction, ...]:
        """The starts of all shots but the first, in s; detected once.

        keep: requests whose frames are kept from this pass (where they fit) for the next call of `chunks`.
        """
        if self._cuts is None and self.has_picture:
            phase.info("looking for cuts in %s", "the pictures" if self.path is None else self.path.name)
            request = scenes_request(self.info.frame_rate)
            pictures = self._announced(self._beside(request, keep), request.rate)
            self._cuts = tuple(k / request.rate for k in cut_frames(pictures))
        return self._cuts or ()

    def chunks(self, requests: Sequence[FrameRequest]) -> Iterator[FrameChunk]:
        """The frames shown at k / rate of every request, k = 0 ... ceil(duration * rate) - 1, as uint8 [n, 3, H, W], in
        time order: those kept by `cuts` (given once), else from a pass of its own. Errors as `decode.picked_frames`."""
        kept = self._kept
        if kept is None or kept[0] != list(requests):  # others may come first, of a box to follow
            yield from self._frames(requests)
            return
        self._kept = None
        while kept[1]:
            yield kept[1].popleft()

    def _announced(self, pictures: Iterator[Tensor], rate: Fraction) -> Iterator[Tensor]:
        """The same, with a record of the phase behind each chunk: how many seconds are done."""
        done, total_s = Fraction(0), float(self.info.duration)
        for frames in pictures:
            yield frames
            done += len(frames) / rate
            done_s = min(float(done), total_s)
            phase.debug("%.0f of %.0f s", done_s, total_s, extra={"done_s": done_s, "total_s": total_s})
        phase.debug("all of %.0f s", total_s, extra={"done_s": total_s, "total_s": total_s})

    def _beside(self, other: FrameRequest, keep: Sequence[FrameRequest]) -> Iterator[Tensor]:
        """The frames of `other` from a pass in which those of `keep` are kept if they fit."""
        size = sum(ceil(self.info.duration * r.rate) * 3 * r.height * r.width for r in keep)
        kept = list(keep) if size <= self.kept_bytes else []
        chunks: deque[FrameChunk] = deque()
        for chunk in self._frames([*kept, other]):
            if chunk.name == other.name:
                yield chunk.frames
            else:
                chunks.append(chunk)
        self._kept = (kept, chunks) if kept else None


def _sound_key(file: Path, number: int | None) -> object:
    state = file.stat()
    return file, number, state.st_size, state.st_mtime_ns


def _joined(waiting: deque[FrameChunk]) -> Iterator[FrameChunk]:
    """Consecutive chunks as few of at most FRAMES_PER_CHUNK frames; `waiting` is empty afterwards."""
    first = waiting[0]
    frames = torch.cat([chunk.frames for chunk in waiting])
    waiting.clear()
    for offset in range(0, len(frames), FRAMES_PER_CHUNK):
        yield FrameChunk(first.name, first.first_index + offset, frames[offset : offset + FRAMES_PER_CHUNK])


def _seconds(duration: float | Fraction) -> Fraction:
    if not 0 < duration <= LONGEST_SILENT_S:
        raise UsageError(
            f"without a video, duration must be above 0 and at most {LONGEST_SILENT_S:g} s, got {float(duration):g}"
        )
    return Fraction(str(duration))
