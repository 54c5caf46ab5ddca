"""A take: one generated sound of one video with its request, ready to be saved.

The sound lies in a float32 file while the take lives, so a long file does not sit in memory. It leaves through `save`:
shifted where that was requested, resampled, kept at or below -1 dBTP by the true-peak limiter (nothing is normalised:
stillness stays quiet), then written as .wav or .flac or laid beside the untouched picture.
"""

from __future__ import annotations

import html
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from openfoley.checks import path as check_path
from openfoley.media.broadcast import NO_NOTES, SoundNotes
from openfoley.media.limiter import Limiter
from openfoley.media.resample import StreamingResampler
from openfoley.media.sample_file import SampleFile
from openfoley.media.settings import BitDepth
from openfoley.media.source import Source
from openfoley.media.time.timecode import Timecode
from openfoley.media.write.atomic import replace_when_done
from openfoley.media.write.mux import NewSound, mux
from openfoley.media.write.outputs import AUDIO_SUFFIXES, DEFAULT_BIT_DEPTH, check_exact, check_saving
from openfoley.media.write.sound_file import AudioWriter
from openfoley.media.write.sound_track import ceiling_dbtp
from openfoley.request import Request
from openfoley.synthesis.report import Report, measured
from openfoley.synthesis.resume import Work
from openfoley.types import Audio


@dataclass(frozen=True, repr=False)
class Take:
    """One generated sound. `audio` reads it into memory; `save` streams it.

    request: resolved. exact: an edit of existing sound is saved at this depth and as it is, to the bit.
    replaces: the audio stream of the video whose place it takes. notes: of the sound file that was edited.
    work: where the samples lie, while they are kept.
    """

    request: Request
    model: str
    source: Source
    sample_rate: int  # Hz
    samples: SampleFile
    exact: BitDepth | None = None
    replaces: int | None = None
    notes: SoundNotes = NO_NOTES
    work: Work | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        seed, channels = self.request.sampling.seed, self.samples.channels
        return f"Take({self.model!r}, seed {seed}, {self.duration_s:.3f} s, {channels} channels, {self.sample_rate} Hz)"

    @cached_property
    def report(self) -> Report:
        """Peak, loudness and onsets of the sound, measured on first access."""
        return measured(self.chunks(), self.sample_rate, self.samples.channels)

    @property
    def audio(self) -> Audio:
        """The whole sound: float32 [channels, time] at `sample_rate`, before the limiter."""
        chunks = list(self.chunks())
        samples = torch.cat(chunks, dim=1) if chunks else torch.zeros(self.samples.channels, 0)
        return Audio(samples=samples, sample_rate=self.sample_rate)

    def chunks(self) -> Iterator[Tensor]:
        """The sound in pieces [channels, n], moved by the request's nudge (later if positive), of the same length."""
        milliseconds = self.request.output.nudge_ms(self.source.info.frame_rate)
        shift = round(milliseconds * self.sample_rate / 1000)
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

    def _repr_html_(self) -> str:
        """In a notebook: a line on what it is, and a player."""
        return f"<p>{html.escape(f'{self.model}, seed {self.request.sampling.seed}: {self.report}')}</p>" + (
            self.audio._repr_html_()
        )

    @property
    def duration_s(self) -> float:
        return self.samples.length / self.sample_rate

    def save(self, path: str | os.PathLike[str], **options: object) -> Path:
        """Write a .wav or .flac, or the video with this sound. options: those of `request.Output`, where they are not
        to be as the request has them.

        The file appears whole or not at all. Raises UsageError, OutputError.
        """
        check_path("path", path)
        output = Request.of(self.request, **options).output
        depth = output.bit_depth or self.exact
        path = check_saving(path, self.source.path, depth, output.force)
        rate, bits = output.sample_rate or self.sample_rate, depth or DEFAULT_BIT_DEPTH
        if self.exact is not None:
            check_exact(path, rate == self.sample_rate, self.exact, bits)
        start, kept_in = self.start(output.start_timecode), self.work.folder if self.work is not None else None
        with replace_when_done(path, output.force, kept_in) as unfinished:
            chunks = self._limited(rate, ceiling_dbtp(path.suffix, bits))
            if path.suffix.lower() in AUDIO_SUFFIXES:
                if output.start_timecode is None and self.notes.time_reference is not None:
                    start = None  # the edited sound begins where it did
                with AudioWriter(unfinished, rate, self.samples.channels, bits, start, self.notes) as writer:
                    for chunk in chunks:
                        writer.write(chunk)
            else:
                assert self.source.path is not None  # checked by check_saving
                new = NewSound(rate, output.audio, bits, self.samples.channels, self.replaces, start)
                mux(self.source.path, chunks, new, unfinished, self.source.timeline)
        return path

    def start(self, given: str | None = None) -> Timecode | None:
        """The timecode of the first frame: what is given, or what the video says."""
        return self.source.timecode(given)

    def _limited(self, sample_rate: int, ceiling_dbtp: float) -> Iterator[Tensor]:
        """The sound at `sample_rate`, [channels, n] pieces, true peak <= ceiling. Resampling first: it moves peaks."""
        if self.exact is not None:
            yield from self.chunks()
            return
        limiter = Limiter(sample_rate, self.samples.channels, ceiling_dbtp)
        resampler = StreamingResampler(self.sample_rate, sample_rate, self.samples.channels)
        for chunk in self.chunks():
            yield limiter.push(resampler.push(chunk))
        yield limiter.push(resampler.flush())
        yield limiter.flush()
