"""Several sounds of one video that belong together: a file for each, and a mix that is exactly their sum.

One limiter watches the sum and turns all stems down together; each is rounded to the bits of its file, and the mix adds
up the rounded values: sum the files of the stems, and you have the file of the mix, bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

import torch
from torch import Tensor

from openfoley.errors import UsageError
from openfoley.media.limiter import Limiter
from openfoley.media.resample import StreamingResampler
from openfoley.media.sample_file import SampleFile
from openfoley.media.settings import BitDepth
from openfoley.media.write.atomic import replace_when_done
from openfoley.media.write.mux import NewSound, mux
from openfoley.media.write.outputs import AUDIO_SUFFIXES, DEFAULT_BIT_DEPTH, check_saving
from openfoley.media.write.sound_file import AudioWriter
from openfoley.media.write.sound_track import ceiling_dbtp
from openfoley.request import Cue, Output
from openfoley.synthesis.take import Take
from openfoley.timeline.cues import cues_of_stem, stem_names

CUE_FADE_S = 0.010  # s, inside a cue: short against an event, long against a click
INTEGER_BITS = {"16": 16, "24": 24, "32f": 24}  # sums of 24-bit values are exact in float32 up to full scale


class LinkedLimiter(Limiter):
    """Pieces [stems * channels, n] of several sounds, all turned down by the gain that their sum needs."""

    def __init__(self, sample_rate: int, stems: int, channels: int, ceiling_dbtp: float) -> None:
        super().__init__(sample_rate, stems * channels, ceiling_dbtp)
        self.stems = stems

    def _limited(self, joined: Tensor, count: int) -> Tensor:
        wanted = joined[:, self.past : self.past + count]
        gain = self._gain(joined.unflatten(0, (self.stems, -1)).sum(0), count)
        return wanted if gain is None else wanted * gain


def unnamed_stem(names: Collection[str]) -> str:
    """What the stem of all that has no stem name is called, beside stems of these names."""
    taken = {name.casefold() for name in names}
    return next(name for name in chain(["rest"], (f"rest{n}" for n in count(2))) if name not in taken)


def cues_by_stem(cues: Sequence[Cue]) -> dict[str, tuple[Cue, ...]]:
    """The cues of each stem, those without a name last. UsageError where no cue names a stem."""
    own = {name: cues_of_stem(cues, name) for name in stem_names(cues)}
    if not own:
        raise UsageError("stems need a cue sheet with a column 'stem'; pass one as cues")
    if unnamed := cues_of_stem(cues, None):
        own[unnamed_stem(own)] = unnamed
    return own


def stem_path(path: Path, name: str) -> Path:
    """film.wav -> film.door.wav; beside a video the stems are .wav."""
    suffix = path.suffix if path.suffix.lower() in AUDIO_SUFFIXES else ".wav"
    return path.with_name(f"{path.stem}.{name}{suffix}")


def check_stems(
    path: Path, names: list[str], video: Path | None, bit_depth: BitDepth | None, may_replace: Callable[[Path], bool]
) -> dict[str, Path]:
    """The files of the stems beside a mix, checked as far as can be beforehand. may_replace: an existing file."""
    paths = {name: stem_path(path, name) for name in names}
    different = {os.fspath(p).casefold() for p in (path, *paths.values())}  # to some file systems A and a are the same
    if len(different) <= len(names):
        raise UsageError(f"two stems would be written to one file: {', '.join(str(p) for p in paths.values())}")
    return {name: check_saving(p, video, bit_depth, may_replace(p)) for name, p in paths.items()}


def save_stems(
    takes: Mapping[str, Take],
    path: str | os.PathLike[str],
    output: Output,
    *,
    write_stems: bool = True,
) -> dict[str, Path]:
    """Write the mix to `path` (a sound or a video) and each take beside it; the paths of the stems by name.

    All takes are of one video, rate and length. Everything appears, or nothing does. Raises UsageError, OutputError.
    """
    first = next(iter(takes.values()))
    video, force = first.source.path, output.force
    path = check_saving(path, video, output.bit_depth, force)
    rate, depth = output.sample_rate or first.sample_rate, output.bit_depth or DEFAULT_BIT_DEPTH
    paths = check_stems(path, list(takes), video, output.bit_depth, lambda _: force) if write_stems else {}
    channels, start = first.samples.channels, first.start(output.start_timecode)
    with ExitStack() as stack:
        unfinished = stack.enter_context(replace_when_done(path, force))
        files = [stack.enter_context(replace_when_done(paths[name], force)) for name in paths]
        writers = [stack.enter_context(AudioWriter(file, rate, channels, depth, start)) for file in files]
        chunks = _summed(list(takes.values()), writers, rate, depth, path.suffix)
        if path.suffix.lower() in AUDIO_SUFFIXES:
            with AudioWriter(unfinished, rate, channels, depth, start) as mix:
                for chunk in chunks:
                    mix.write(chunk)
        else:
            assert video is not None  # checked by check_saving
            new = NewSound(rate, output.audio, depth, channels, start=start)
            mux(video, chunks, new, unfinished, first.source.timeline)
            for _ in chunks:  # the picture may have ended first
                pass
    return paths


def _summed(takes: list[Take], writers: list, sample_rate: int, bit_depth: BitDepth, suffix: str) -> Iterator[Tensor]:
    """The mix in pieces [channels, n]; on the way each stem's piece goes to its writer, if there are writers."""
    channels = takes[0].samples.channels
    limiter = LinkedLimiter(sample_rate, len(takes), channels, ceiling_dbtp(suffix, bit_depth))
    resampler = StreamingResampler(takes[0].sample_rate, sample_rate, len(takes) * channels)

    def finished(pieces: Tensor) -> Tensor:
        rounded = _rounded(pieces, INTEGER_BITS[bit_depth]).unflatten(0, (len(takes), channels))
        for writer, stem in zip(writers, rounded, strict=False):
            writer.write(stem)
        return rounded.sum(0)

    for chunks in zip(*(take.chunks() for take in takes), strict=True):
        yield finished(limiter.push(resampler.push(torch.cat(chunks))))
    yield finished(limiter.push(resampler.flush()))
    yield finished(limiter.flush())


def _rounded(samples: Tensor, bits: int) -> Tensor:
    """float32 values that files of `bits` bits hold exactly."""
    full = 2.0 ** (bits - 1)
    return ((samples.double() * full).round().clamp(-full, full - 1) / full).float()


def within_cues(take: Take, cues: Sequence[Cue]) -> Take:
    """A stem's take: silent outside its cues, with short fades inside them."""
    rate, samples, position = take.sample_rate, SampleFile(take.samples.channels), 0
    spans = [(round(cue.start * rate), round(cue.end * rate)) for cue in cues]
    for chunk in take.samples.chunks():
        samples.append(chunk * _open(spans, position, chunk.shape[-1], round(CUE_FADE_S * rate)))
        position += chunk.shape[-1]
    samples.close()
    return replace(take, samples=samples)


def _open(spans: Sequence[tuple[int, int]], first: int, count: int, fade: int) -> Tensor:
    """Weights [count] from sample `first` on: 1 inside the spans, raised cosines at their ends; neighbours join."""
    place, weight = torch.arange(first, first + count), torch.zeros(count)
    for start, end in _touching(spans):
        inside = torch.minimum(place - start, end - 1 - place)
        ramp = 0.5 - 0.5 * torch.cos(torch.pi * ((inside + 0.5) / max(fade, 1)).clamp(0, 1))
        weight = torch.maximum(weight, torch.where(inside >= 0, ramp, 0.0))
    return weight


def _touching(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that follow without a gap made one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
