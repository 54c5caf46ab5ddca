"""From what was asked to finished take files: the pipeline's verbs, called with what the project knows."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openfoley.errors import UsageError
from openfoley.media.audio_files import AudioWriter
from openfoley.media.content_hash import file_hash
from openfoley.media.source import shown
from openfoley.media.timecode import timecode_at
from openfoley.projects import mix
from openfoley.projects.history import start_of
from openfoley.projects.record import (
    TAKES_FOLDER,
    CueEntry,
    CutEntry,
    Record,
    ReferenceEntry,
    Span,
    TakeEntry,
    VideoEntry,
)
from openfoley.projects.storage import cannot_write
from openfoley.request import reference_edges
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.synthesis.stems import unnamed_stem, within_cues
from openfoley.synthesis.take import SampleFile, Take
from openfoley.timeline.cues import Cue, cues_of_stem, read_cues, stem_names
from openfoley.timeline.shots import Cut

if TYPE_CHECKING:
    from openfoley.pipeline import Pipeline, Progress

CACHE_FOLDER = "cache"
WORK_FOLDER = ".work"
TAKE_NAME = "{:03d}.flac"


@dataclass(frozen=True)
class TakeOrder:
    """What was asked of `take`, defaults filled in. span: None is the whole video."""

    span: Span | None
    takes: int
    prompt: str | None
    negative_prompt: str | None
    seed: int
    steps: int
    guidance: float
    temperature: float | None
    reference: Path | None
    reference_span: tuple[float | Fraction, float | Fraction] | None
    reference_guidance: float | None
    stem: str | None


def describe_video(
    cache: Path,
    path: Path,
    given: str | os.PathLike[str],
    cuts: str | os.PathLike[str],
    cues: str | os.PathLike[str] | None,
    start_timecode: str | None,
) -> tuple[VideoEntry, tuple[CutEntry, ...], tuple[CueEntry, ...]]:
    """A video as a project writes it down, with its cuts and the lines of its cue sheet."""
    from openfoley.media.decode import probe
    from openfoley.media.timecode import nominal, zero
    from openfoley.media.timecode import start_timecode as read_start
    from openfoley.timeline.cut_list import read_cuts
    from openfoley.timeline.shots import cut_rule

    info = probe(path)
    start = read_start(path, info.frame_rate, start_timecode)
    counted = start or zero(nominal(info.frame_rate))
    sheet = read_cues(cues, counted, info.duration) if cues is not None else ()
    if rule := cut_rule(cuts):
        times = () if rule == "none" else FeatureStore(cache).cuts(path)
        found = tuple(CutEntry(time) for time in times if 0 < time < info.duration)
    else:
        found = tuple(CutEntry(cut.time, cut.join) for cut in read_cuts(cuts, counted, info.duration))
    where = os.fspath(path) if Path(given).is_absolute() else os.path.relpath(path, cache.parent.absolute())
    entry = VideoEntry(where, file_hash(path), info.duration, info.frame_rate, str(start) if start else None)
    return entry, found, tuple(CueEntry(**vars(cue)) for cue in sheet)


def make_takes(
    folder: Path, record: Record, video: Path, pipeline: Pipeline, order: TakeOrder, progress: Progress | None
) -> list[TakeEntry]:
    """Generate and write the files of all takes that are asked for; the project file is left as it is."""
    reference = None
    if order.reference is None and order.reference_span is not None:
        raise UsageError("a reference span chooses a part of a reference, which is missing")
    if order.reference is not None:
        exact = None if order.reference_span is None else reference_edges(order.reference_span)
        if not order.reference.is_file():
            raise UsageError(f"the reference {shown(order.reference)} does not exist")
        where = os.fspath(order.reference.absolute())
        reference = ReferenceEntry(where, file_hash(order.reference), exact, order.reference_guidance)
    made: list[TakeEntry] = []
    for stem in _stems(record, order):
        for take, seed in _sounds(folder, record, video, pipeline, order, stem, progress):
            entry = TakeEntry(
                number=_next_number(folder, record, made),
                file="",
                sha256="",
                start=order.span.start if order.span else Fraction(0),
                end=order.span.end if order.span else record.video.duration,
                seed=seed,
                steps=order.steps,
                guidance=order.guidance,
                temperature=order.temperature,
                prompt=order.prompt,
                negative_prompt=order.negative_prompt,
                stem=stem,
                reference=reference,
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
    cues = cues_of(record)
    named: tuple[str | None, ...] = stem_names(cues)
    return (*named, None) if not named or cues_of_stem(cues, None) else named


def _sounds(
    folder: Path,
    record: Record,
    video: Path,
    pipeline: Pipeline,
    order: TakeOrder,
    stem: str | None,
    progress: Progress | None,
) -> Iterator[tuple[Take, int]]:
    """The takes of one stem with their seeds; of a span only its own samples."""
    seeds = list(range(order.seed, order.seed + order.takes))
    cues = cues_of_stem(cues_of(record), stem)
    asked: dict[str, Any] = {
        "prompt": order.prompt,
        "negative_prompt": order.negative_prompt,
        "steps": order.steps,
        "guidance": order.guidance,
        "temperature": order.temperature,
        "reference": order.reference,
        "reference_span": order.reference_span,
        "reference_guidance": order.reference_guidance,
        "cuts": cuts_of(record),
        "cues": cues,
        "store": FeatureStore(folder / CACHE_FOLDER),
        "progress": progress,
    }
    if order.span is None:
        others = [name for name in (*stem_names(cues_of(record)), *mix.stems_of(record)) if name]
        work = folder / WORK_FOLDER / (stem or unnamed_stem(others))  # after a crash the same command goes on from here
        work.parent.mkdir(exist_ok=True)
        made = pipeline.generate_takes(video, seeds, **asked, work=work)
        for take, seed in zip(made, seeds, strict=True):
            yield (within_cues(take, cues) if stem is not None and cues else take), seed
        if made[0].work is not None:
            made[0].work.remove()
        return
    under = mix.layers_of(record, stem)
    if not under:
        raise UsageError("there is no sound around the span yet; make a take of the whole video first, without --span")
    codec = pipeline.model.codec
    total = pipeline.sample_count(record.video.duration)
    edges = (order.span.start, order.span.end)
    first, last = (mix.sample_at(edge, codec.sample_rate) for edge in edges)
    with _sound_now(folder, under, codec, total) as sound:
        for seed in seeds:
            edited = pipeline.edit(video, edges, sound=sound, seed=seed, **asked)
            yield part_of(edited, first, min(last, total)), seed


@contextmanager
def _sound_now(folder: Path, under: Sequence[TakeEntry], codec: Any, total: int) -> Iterator[Path]:
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


def cues_of(record: Record) -> tuple[Cue, ...]:
    return tuple(Cue(**vars(cue)) for cue in record.cues)


def cuts_of(record: Record) -> Any:
    """The project's cuts as the pipeline takes them: the rule at each that does not say itself."""
    rule = record.settings.cuts
    if rule == "none":
        return "none"
    fixed = rule if rule in ("carry", "reset") else None
    return [Cut(cut.time, cut.join or fixed) for cut in record.cuts]


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
