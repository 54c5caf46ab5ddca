"""From an order to take files: calls the pipeline with the project's settings."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from openfoley.codecs.base import Codec
from openfoley.errors import UsageError
from openfoley.hub.registry import check_selects, check_whole_video, sampling_of
from openfoley.media.read.content_hash import file_hash
from openfoley.media.read.opening import shown
from openfoley.media.sample_file import SampleFile
from openfoley.media.source import Source
from openfoley.media.time.timecode import Timecode, nominal, time_in, timecode_at
from openfoley.media.write.atomic import TemporaryFolder, cannot_write
from openfoley.media.write.sound_file import AudioWriter
from openfoley.pipeline import Pipeline
from openfoley.projects import mix
from openfoley.projects.history import start_of
from openfoley.projects.masks import at_files, files_of, masks_of, stored
from openfoley.projects.picture import path_in, unseen
from openfoley.projects.record import TAKES_FOLDER, Record, Settings, Span, TakeEntry, VideoEntry
from openfoley.projects.selections import selection_of
from openfoley.request import Cut, Output, Prompting, Request, Sampling, Timeline, options_of
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.synthesis.job import Progress, first_frame_code, sample_count
from openfoley.synthesis.region_features import with_region_times
from openfoley.synthesis.resume import STATE_NAME
from openfoley.synthesis.stems import unnamed_stem
from openfoley.synthesis.take import Take
from openfoley.timeline.cues import check_stem_name, cues_of_stem, given_cues, read_cues, stem_names
from openfoley.timeline.cut_list import read_cuts
from openfoley.timeline.shots import cut_rule

logger = logging.getLogger(__name__)

CACHE_FOLDER = "cache"
WORK_FOLDER = ".work"
REGION_SETTINGS = {"select_box", "select_mask", "cues"}
TIMELINE_SETTINGS = ["cuts", "cues", "context", "window", "join", "overlap"]
TAKE_NAME = "{:03d}.flac"


@dataclass(frozen=True)
class TakeOrder:
    """What `take` generates. span: None is the whole video. request: the project's, with the options of these takes.
    stems: those that get takes; None is the unnamed stem."""

    span: Span | None
    takes: int
    request: Request
    stems: tuple[str | None, ...]

    @property
    def seeds(self) -> range:
        first = self.request.sampling.seed
        return range(first, first + self.takes)

    def request_of(self, stem: str | None) -> Request:
        """With the cues of this stem alone."""
        timeline = self.request.timeline
        return replace(self.request, timeline=replace(timeline, cues=cues_of_stem(timeline.cue_list, stem)))


def describe_video(
    folder: Path, source: Source, given: str | os.PathLike[str], model: str, request: Request
) -> tuple[VideoEntry, Settings]:
    """A video's entry in the project, and its settings with the cuts and the rows of the cue sheet, which its model
    must be able to meet."""
    info = source.info
    first = first_frame_code(source, request.output.start_timecode)
    code = source.timecode(request.output.start_timecode)
    code = None if code is None else code.at(nominal(info.frame_rate))  # as a project counts: `start_of`
    where, cache = path_in(folder, given), FeatureStore(folder / CACHE_FOLDER)
    entry = VideoEntry(where, source.content_hash, info.duration, info.frame_rate, str(code) if code else None)
    timeline, found = _read(model, request.timeline, first, info.duration, lambda: cache.cuts(source))
    asked = with_region_times(source, replace(request, timeline=timeline, output=Output()), first)
    asked, masks = stored(folder, asked, {}, ())
    return entry, Settings(asked, found, masks)


def changed_settings(
    folder: Path, record: Record, options: Mapping[str, object], source: Callable[[], Source]
) -> Settings:
    """The project's settings with these options; None resets to the default. A rule for the cuts detects them in the
    source. UsageError for an option that is not a project setting or not supported by its model."""
    fields_by_name = {one.name: one for _, one in options_of(record.request)}
    known = [one.name for section in (Prompting, Sampling) for one in fields(section)] + TIMELINE_SETTINGS
    for name in options:
        if name not in known:
            raise UsageError(f"{name!r} is not a project setting; settings: {', '.join(known)}")
    given = {name: fields_by_name[name].default if value is None else value for name, value in options.items()}
    base = at_files(folder, record, record.request)
    request = sampling_checked(record.model.name, Request.of(base, **given), record.model.adapters)
    first, duration = start_of(record), record.video.duration
    asked = request.timeline if "cuts" in given else replace(request.timeline, cuts="none")
    cache = FeatureStore(folder / CACHE_FOLDER)
    timeline, cuts = _read(record.model.name, asked, first, duration, lambda: cache.cuts(source()))
    if "cuts" not in given:
        timeline, cuts = replace(timeline, cuts=record.request.timeline.cuts), record.cuts
    request = replace(request, timeline=timeline)
    own = (request.prompting.select_mask,) if "select_mask" in given else ()
    of_cues = tuple(cue.select_mask for cue in timeline.cue_list) if "cues" in given else ()
    new = {mask for mask in (*own, *of_cues) if mask is not None}
    if request.regions and REGION_SETTINGS & given.keys():
        request = with_region_times(source() if new else unseen(record), request, first)
    request, masks = stored(folder, request, files_of(folder, record), new)
    return Settings(request, cuts, masks)


def sampling_checked(model: str, request: Request, adapters: str | None = None) -> Request:
    """The request with the model's defaults filled in. UsageError for an option that the model does not support."""
    defaults, supported = sampling_of(model)
    if wrong := request.sampling.unsupported(supported):
        raise UsageError(f"{wrong} is not an option of {model}; it has {', '.join(sorted(supported))}")
    check_selects(model, request)
    check_whole_video(model, request, adapters)
    return replace(request, sampling=request.sampling.resolved(defaults))


def _read(
    model: str, timeline: Timeline, first: Timecode, duration: Fraction, find_cuts: Callable[[], Sequence[Fraction]]
) -> tuple[Timeline, tuple[Cut, ...]]:
    """The timeline with the rows of its cue sheet and its rule at cuts, and the cuts. UsageError for cues that select,
    where the model does not."""
    cues, cuts = timeline.cues, timeline.cuts
    sheet = given_cues(cues, first, duration) if isinstance(cues, tuple) else read_cues(cues, first, duration)
    check_selects(model, Request(timeline=Timeline(cues=sheet)))
    if rule := cut_rule(cuts):
        times = () if rule == "none" else find_cuts()
        found = tuple(Cut(time) for time in times if 0 < time < duration)
    else:
        found = cuts if isinstance(cuts, tuple) else tuple(read_cuts(cuts, first, duration))
        found = tuple(replace(cut, time=time_in(cut.time, first, "cuts")) for cut in found)
    return replace(timeline, cuts=rule or "auto", cues=sheet), found


def make_takes(
    folder: Path, record: Record, source: Source, pipeline: Pipeline, order: TakeOrder, progress: Progress | None
) -> Generator[TakeEntry, None, None]:
    """Generate the takes; each is yielded when its file is written. Does not write the project file."""
    reference = order.request.prompting.reference
    if reference is not None and not reference.is_file():
        raise UsageError(f"the reference {shown(reference)} does not exist")
    number = _next_number(folder, record)
    for stem in order.stems:
        with closing(_sounds(folder, record, source, pipeline, order, stem, progress)) as sounds:
            for take in sounds:
                yield _written(folder, record, order, stem, number, take, pipeline)
                number += 1


def _written(
    folder: Path, record: Record, order: TakeOrder, stem: str | None, number: int, take: Take, pipeline: Pipeline
) -> TakeEntry:
    """Write a take's file."""
    reference = order.request.prompting.reference
    made = replace(take.request, timeline=Timeline(), output=Output())
    made, masks = stored(folder, made, files_of(folder, record), masks_of(made))
    name = f"{TAKES_FOLDER}/{TAKE_NAME.format(number)}"
    entry = TakeEntry(
        number=number,
        file=name,
        sha256="",
        start=order.span.start if order.span else Fraction(0),
        end=order.span.end if order.span else record.video.duration,
        request=made,
        stem=stem,
        reference_sha256=None if reference is None else file_hash(reference),
        mask_sha256=masks[0].sha256 if masks else None,
        selection_sha256=selection_of(pipeline.model, take.request),
        made_over=tuple(t.number for t in record.layers(stem)) if order.span else (),
    )
    (folder / TAKES_FOLDER).mkdir(exist_ok=True)
    take = replace(take, source=unseen(record))  # whose file may count its timecode otherwise
    take.save(folder / name, start_timecode=_start(record, entry))
    return replace(entry, sha256=file_hash(folder / name))


def stems_for(record: Record, span: Span | None, name: str | None) -> tuple[str | None, ...]:
    """The stems to generate: the named one, or (None) all of the cue sheet, or the only one with sound around a span.
    UsageError for an unknown name if the cue sheet names stems."""
    if name is not None:
        return (_stem_named(record, span, name),)
    if span is not None:
        if len(record.stems) > 1:
            names = _names(record, record.stems)
            raise UsageError(f"the project has several stems there; choose one with --stem: {names}")
        return record.stems or (None,)
    return _stems_of_cues(record)


def _stem_named(record: Record, span: Span | None, name: str) -> str | None:
    """The stem of a name; None is the unnamed stem."""
    check_stem_name(name, "the stem")
    by_cue, sounding = _stems_of_cues(record), record.stems
    known = tuple(dict.fromkeys([*by_cue, *(take.stem for take in record.takes)]))
    found = next((stem for stem in known if name == shown_stem(record, stem)), name)
    if span is not None and sounding and found not in sounding:
        raise UsageError(f"stem {name!r} has no sound around the span; stems that have: {_names(record, sounding)}")
    if found not in known:
        if any(by_cue):
            raise UsageError(f"the project has no stem {name!r}; its stems: {_names(record, known)}")
        if any(known):
            logger.info("%r is a new stem beside %s", name, _names(record, known))
    return found


def _stems_of_cues(record: Record) -> tuple[str | None, ...]:
    """The stems of the cue sheet; None for cues without a stem name, or if there are no cues."""
    named: tuple[str | None, ...] = stem_names(record.cues)
    return (*named, None) if not named or cues_of_stem(record.cues, None) else named


def shown_stem(record: Record, stem: str | None) -> str:
    """A stem's name in messages, work folders and file names."""
    named = (*stem_names(record.cues), *(take.stem for take in record.takes))
    return stem or unnamed_stem([name for name in named if name])


def _names(record: Record, stems: Sequence[str | None]) -> str:
    return ", ".join(shown_stem(record, stem) for stem in stems)


def kept(folder: Path, record: Record, order: TakeOrder, made: Sequence[TakeEntry]) -> str | None:
    """What an interrupted `take` has kept, and the options that make the rest; None if nothing was kept."""
    words = []
    if made:
        numbers = ", ".join(str(take.number) for take in made)
        words.append(f"take{'s' * (len(made) > 1)} {numbers} {'are' if len(made) > 1 else 'is'} kept in the project")
    left = []
    for stem in order.stems:
        seeds = [seed for seed in order.seeds if (stem, seed) not in [(take.stem, take.seed) for take in made]]
        if seeds:
            named = f"--stem {shown_stem(record, stem)} " if len(order.stems) > 1 or stem is not None else ""
            left.append(f"{named}--seed {seeds[0]}" + (f" --takes {len(seeds)}" if len(seeds) > 1 else ""))
        if (_work_of(folder, record, stem) / STATE_NAME).exists():
            words.append(f"the finished windows of the next take are kept in {shown(folder / WORK_FOLDER)}")
    if words and left:
        words.append(f"to make the rest, run it again with {', then '.join(left)}")
    return "; ".join(words) or None


def _work_of(folder: Path, record: Record, stem: str | None) -> Path:
    """The work folder of a stem's takes, until they are written."""
    return folder / WORK_FOLDER / shown_stem(record, stem)


def _sounds(
    folder: Path,
    record: Record,
    source: Source,
    pipeline: Pipeline,
    order: TakeOrder,
    stem: str | None,
    progress: Progress | None,
) -> Generator[Take, None, None]:
    """The takes of one stem; for a span, only its samples."""
    seeds = order.seeds
    request = order.request_of(stem)
    request = replace(request, timeline=replace(request.timeline, cuts=cuts_of(record)))
    cues = request.timeline.cue_list
    run = {"store": FeatureStore(folder / CACHE_FOLDER), "progress": progress}
    if order.span is None:
        work = _work_of(folder, record, stem)  # after a crash the same command resumes from here
        work.parent.mkdir(exist_ok=True)
        if stem is not None and cues:
            made = pipeline.generate_stem(source, seeds, request, cues, **run, work=work)
        else:
            made = pipeline.generate_takes(source, seeds, request, **run, work=work)
        kept_work = made[0].work
        try:
            yield from made
            if kept_work is not None:
                kept_work.remove()
        finally:
            if kept_work is not None:
                kept_work.close()
        return
    under = record.layers(stem)
    if not under:
        raise UsageError("there is no sound around the span; make a take of the whole video first, without --span")
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
    """The stem's current mix as a temporary file: the input of an edit."""
    try:
        with TemporaryFolder(folder) as temporary:
            path = temporary / "sound.wav"
            with AudioWriter(path, codec.sample_rate, codec.channels, "24") as writer:
                for piece in mix.mixed(folder, under, codec.sample_rate, codec.channels, total):
                    writer.write(piece)
            yield path
    except OSError as error:
        raise cannot_write(folder, error) from None


def _start(record: Record, entry: TakeEntry) -> str | None:
    """The timecode of a take's first sample, to the frame, if the project has timecode."""
    return str(timecode_at(entry.start, start_of(record))) if record.video.start_timecode else None


def cuts_of(record: Record) -> str | tuple[Cut, ...]:
    """The project's cuts for the pipeline, each with its own rule or the project's."""
    rule = record.request.timeline.cuts
    if rule == "none":
        return "none"
    fixed: Literal["carry", "reset"] | None = "carry" if rule == "carry" else "reset" if rule == "reset" else None
    return tuple(Cut(cut.time, cut.join or fixed) for cut in record.cuts)


def _next_number(folder: Path, record: Record) -> int:
    """One above all takes of the project and all files in its folder: no file is overwritten."""
    files = [int(p.stem) for p in (folder / TAKES_FOLDER).glob("*") if p.stem.isdecimal()]
    return max([0, *files, *(take.number for take in record.takes)]) + 1


def part_of(take: Take, first: int, last: int) -> Take:
    """The samples [first, last) of a take."""
    samples, position = SampleFile(take.samples.channels), 0
    for chunk in take.samples.chunks():
        samples.append(chunk[:, max(0, first - position) : max(0, last - position)])
        position += chunk.shape[-1]
    samples.close()
    return replace(take, samples=samples)
