"""From what was asked to finished take files: the pipeline's verbs, called with what the project knows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from openfoley.codecs.base import Codec
from openfoley.errors import UsageError
from openfoley.media.audio_files import AudioWriter
from openfoley.media.content_hash import file_hash
from openfoley.media.source import Source, shown
from openfoley.media.timecode import timecode_at
from openfoley.pipeline import Pipeline
from openfoley.projects import mix
from openfoley.projects.history import start_of
from openfoley.projects.record import TAKES_FOLDER, CutEntry, Record, Span, TakeEntry, VideoEntry
from openfoley.projects.storage import cannot_write
from openfoley.request import Cut, Output, Request, Timeline
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.synthesis.job import Progress, first_frame_code, sample_count
from openfoley.synthesis.sample_file import SampleFile
from openfoley.synthesis.stems import unnamed_stem, within_cues
from openfoley.synthesis.take import Take
from openfoley.timeline.cues import cues_of_stem, read_cues, stem_names
from openfoley.timeline.cut_list import read_cuts
from openfoley.timeline.shots import cut_rule

CACHE_FOLDER = "cache"
WORK_FOLDER = ".work"
TAKE_NAME = "{:03d}.flac"


@dataclass(frozen=True)
class TakeOrder:
    """What `take` makes. span: None is the whole video. request: the project's, with what was asked of these takes."""

    span: Span | None
    takes: int
    request: Request
    stem: str | None


def describe_video(
    cache: Path, source: Source, given: str | os.PathLike[str], request: Request
) -> tuple[VideoEntry, tuple[CutEntry, ...], Request]:
    """A video as a project writes it down, its cuts, and the request with the lines of its cue sheet."""
    assert source.path is not None
    info, timeline = source.info, request.timeline
    first = first_frame_code(source, request.output.start_timecode)
    cues, cuts = timeline.cues, timeline.cuts
    sheet = cues if isinstance(cues, tuple) else read_cues(cues, first, info.duration)
    if rule := cut_rule(cuts):
        times = () if rule == "none" else FeatureStore(cache).cuts(source)
        found = tuple(CutEntry(time) for time in times if 0 < time < info.duration)
    else:
        listed = cuts if isinstance(cuts, tuple) else read_cuts(cuts, first, info.duration)
        found = tuple(CutEntry(cut.time, cut.join) for cut in listed)
    where = (
        os.fspath(source.path) if Path(given).is_absolute() else os.path.relpath(source.path, cache.parent.absolute())
    )
    code = request.output.start_timecode or source.start_timecode
    entry = VideoEntry(where, source.content_hash, info.duration, info.frame_rate, str(code) if code else None)
    timeline = replace(timeline, cuts=rule or "auto", cues=sheet)
    return entry, found, replace(request, timeline=timeline, output=Output())


def make_takes(
    folder: Path, record: Record, source: Source, pipeline: Pipeline, order: TakeOrder, progress: Progress | None
) -> list[TakeEntry]:
    """Generate and write the files of all takes that are asked for; the project file is left as it is."""
    reference = order.request.prompting.reference
    if reference is not None and not reference.is_file():
        raise UsageError(f"the reference {shown(reference)} does not exist")
    made: list[TakeEntry] = []
    for stem in _stems(record, order):
        for take in _sounds(folder, record, source, pipeline, order, stem, progress):
            entry = TakeEntry(
                number=_next_number(folder, record, made),
                file="",
                sha256="",
                start=order.span.start if order.span else Fraction(0),
                end=order.span.end if order.span else record.video.duration,
                request=replace(take.request, timeline=Timeline(), output=Output()),
                stem=stem,
                reference_sha256=None if reference is None else file_hash(reference),
                made_over=tuple(t.number for t in mix.layers_of(record, stem)) if order.span else (),
            )
            name = f"{TAKES_FOLDER}/{TAKE_NAME.format(entry.number)}"
            (folder / TAKES_FOLDER).mkdir(exist_ok=True)
            take.save(folder / name, start_timecode=_start(record, entry))
            made.append(replace(entry, file=name, sha256=file_hash(folder / name)))
    return made


def _stems(record: Record, order: TakeOrder) -> tuple[str | None, ...]:
    """The stems to make takes for."""
    if order.stem is not None:
        return (order.stem,)
    if order.span is not None:
        sounding = mix.stems_of(record)
        if len(sounding) > 1:
            names = ", ".join(str(name) for name in sounding if name)
            raise UsageError(f"the project sounds in several stems; say which one with --stem: {names}")
        return sounding or (None,)
    cues = record.cues
    named: tuple[str | None, ...] = stem_names(cues)
    return (*named, None) if not named or cues_of_stem(cues, None) else named


def _sounds(
    folder: Path,
    record: Record,
    source: Source,
    pipeline: Pipeline,
    order: TakeOrder,
    stem: str | None,
    progress: Progress | None,
) -> Iterator[Take]:
    """The takes of one stem; of a span only its own samples."""
    first_seed = order.request.sampling.seed
    seeds = range(first_seed, first_seed + order.takes)
    cues = cues_of_stem(record.cues, stem)
    timeline = replace(order.request.timeline, cuts=cuts_of(record), cues=cues)
    request = replace(order.request, timeline=timeline)
    run = {"store": FeatureStore(folder / CACHE_FOLDER), "progress": progress}
    if order.span is None:
        others = [name for name in (*stem_names(record.cues), *mix.stems_of(record)) if name]
        work = folder / WORK_FOLDER / (stem or unnamed_stem(others))  # after a crash the same command goes on from here
        work.parent.mkdir(exist_ok=True)
        made = pipeline.generate_takes(source, seeds, request, **run, work=work)
        for take in made:
            yield within_cues(take, cues) if stem is not None and cues else take
        if made[0].work is not None:
            made[0].work.remove()
        return
    under = mix.layers_of(record, stem)
    if not under:
        raise UsageError("there is no sound around the span yet; make a take of the whole video first, without --span")
    codec = pipeline.model.codec
    total = sample_count(pipeline.model, record.video.duration)
    edges = (order.span.start, order.span.end)
    first, last = (mix.sample_at(edge, codec.sample_rate) for edge in edges)
    with _sound_now(folder, under, codec, total) as sound:
        for seed in seeds:
            edited = pipeline.edit(source, edges, request, sound=sound, seed=seed, **run)
            yield part_of(edited, first, min(last, total))


@contextmanager
def _sound_now(folder: Path, under: Sequence[TakeEntry], codec: Codec, total: int) -> Iterator[Path]:
    """What a stem sounds like, as a temporary file: the sound that an edit is made out of."""
    try:
        with tempfile.TemporaryDirectory(prefix=".edit-", dir=folder) as temporary:
            path = Path(temporary) / "sound.wav"
            with AudioWriter(path, codec.sample_rate, codec.channels, "24") as writer:
                for piece in mix.mixed(folder, under, codec.sample_rate, codec.channels, total):
                    writer.write(piece)
            yield path
    except OSError as error:
        raise cannot_write(folder, error) from None


def _start(record: Record, entry: TakeEntry) -> str | None:
    """The timecode of a take's first sample, to the frame, where the project has one."""
    return str(timecode_at(entry.start, start_of(record))) if record.video.start_timecode else None


def cuts_of(record: Record) -> str | tuple[Cut, ...]:
    """The project's cuts as the pipeline takes them: the rule at each that does not say itself."""
    rule = record.request.timeline.cuts
    if rule == "none":
        return "none"
    fixed: Literal["carry", "reset"] | None = "carry" if rule == "carry" else "reset" if rule == "reset" else None
    return tuple(Cut(cut.time, cut.join or fixed) for cut in record.cuts)


def _next_number(folder: Path, record: Record, made: Sequence[TakeEntry]) -> int:
    """One above all takes of the project and all files in its folder: what lies there is never written over."""
    files = [int(p.stem) for p in (folder / TAKES_FOLDER).glob("*") if p.stem.isdecimal()]
    return max([0, *files, *(take.number for take in (*record.takes, *made))]) + 1


def part_of(take: Take, first: int, last: int) -> Take:
    """The samples [first, last) of a take."""
    samples, position = SampleFile(take.samples.channels), 0
    for chunk in take.samples.chunks():
        samples.append(chunk[:, max(0, first - position) : max(0, last - position)])
        position += chunk.shape[-1]
    samples.close()
    return replace(take, samples=samples)
