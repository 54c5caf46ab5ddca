"""From planned jobs to takes: window after window, of one job or of several over the same pictures.

Features live only as long as a window needs them, and sound leaves for a file as it is decoded: memory does not grow
with length. Jobs with the same encoders and shots (the stems of a cue sheet) share one pass over the pictures: next is
the job whose window begins first, and what it reads is kept until the others have read it.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial

from openfoley.hub.familiarity import SeenPictures, warn_of_pictures
from openfoley.hub.knowledge import warn_of_words
from openfoley.media.read.opening import shown
from openfoley.media.sample_file import SampleFile
from openfoley.media.source import phase
from openfoley.synthesis.assembler import TakeAssembler
from openfoley.synthesis.conditions import ConditionBuilder, selecting_texts
from openfoley.synthesis.crossfade import runs_of
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.synthesis.features import FeatureRun, encoded_pictures, frame_encoders
from openfoley.synthesis.job import Job, Progress, RunOptions, request_key
from openfoley.synthesis.kept_runs import KeptRuns
from openfoley.synthesis.region_features import region_readers, regions_of
from openfoley.synthesis.resume import Work
from openfoley.synthesis.selection import warn_of_negative_picture
from openfoley.synthesis.windows import ParallelSampler, WindowSampler, run_window
from openfoley.timeline.plan import PlannedWindow

logger = logging.getLogger(__name__)
Made = tuple[list[TakeAssembler[SampleFile]], Work | None]
Feed = Callable[[], Iterator[FeatureRun]]


def run(job: Job, options: RunOptions) -> Made:
    """Run a job's plan; the assemblers have every window, `finish` is left to do."""
    (made,) = run_together([job], [options])
    return made


def run_together(jobs: Sequence[Job], options: Sequence[RunOptions]) -> list[Made]:
    """Run the plans of jobs of one source, each as `run` does; pictures are encoded once for all jobs whose encoders
    and shots are the same."""
    under_way: list[JobUnderWay] = []
    try:
        for job, one in zip(jobs, options, strict=True):
            under_way.append(JobUnderWay(job, one))
        groups: dict[object, list[JobUnderWay]] = {}
        for one in under_way:
            if one.has_windows:
                groups.setdefault(_pictures_of(one.job), []).append(one)
        for group in groups.values():
            _run_group(group)
    except BaseException:
        for one in under_way:
            one.discard_empty_work()
        raise
    return [(one.takes, one.saved) for one in under_way]


def for_each(options: RunOptions, names: Sequence[str]) -> list[RunOptions]:
    """The options of jobs that run together: a work folder for each, beside the one of all, and their mean progress."""
    done = dict.fromkeys(names, 0.0)

    def own(name: str) -> RunOptions:
        def report(done_s: float, total_s: float) -> None:
            done[name] = done_s
            if options.progress is not None:
                options.progress(sum(done.values()) / len(done), total_s)

        work = None if options.work is None else options.work.with_name(f"{options.work.name}-{name}")
        return replace(options, work=work, progress=report)

    return [own(name) for name in names]


class JobUnderWay:
    """A job, its takes, and how many of its windows are done: those of earlier calls are there at once."""

    def __init__(self, job: Job, options: RunOptions) -> None:
        model, codec = job.model, job.model.codec
        self.job, self.options, self.saved = job, options, None
        self.regions = region_readers(model, job.source, job.shots, regions_of(job.plan, job.requests), model.device)
        if options.work is not None and len(job.plan) > 1 and job.source.path is not None:
            self.saved = Work.open(options.work, request_key(job))
        runs, files = runs_of(job.plan, codec.sample_rate, codec.hop_length, *job.samples), []
        for number in range(len(job.requests)):
            files.append(self.saved.samples(number, codec.channels) if self.saved else SampleFile(codec.channels))
        self.takes = [
            TakeAssembler(codec, one.sampling.seed, runs, file, job.around)
            for one, file in zip(job.requests, files, strict=True)
        ]
        self.done = self.saved.restore(self.takes, model.device) if self.saved else 0
        if self.saved is not None and self.done:
            logger.info(
                "resuming from %s: %d of %d windows are finished", shown(self.saved.folder), self.done, len(job.plan)
            )
        _warn_of_words(job)
        warn_of_negative_picture(job.model, job.requests[0])
        self.progress = _in_seconds(options.progress, job.plan, codec.latent_rate, job.source.info.duration)
        if self.progress is not None and self.done:
            self.progress(self.done)
        self.on_window = self.saved.keeper(self.takes) if self.saved else None
        self.sampler: ParallelSampler | None = None

    @property
    def has_windows(self) -> bool:
        return self.done < len(self.job.plan)

    @property
    def next_start(self) -> int:
        """The first latent of the next window."""
        return self.job.plan[self.done].window.first_latent

    @property
    def first_shot(self) -> int:
        """The first shot whose features it needs."""
        return 0 if self.job.model.generator.reads_whole_video else self.job.plan[self.done].shot.index

    @property
    def sampled(self) -> int:
        """Windows that are still to be sampled."""
        return sum(not one.silent for one in self.job.plan[self.done :])

    @property
    def reads_all(self) -> bool:
        """Whether the features are read to the end, so that damage there is noticed and a store keeps them."""
        job, store = self.job, self.options.store
        if store is not None and store.keeps(job.model, job.source):
            return True
        return job.around is None and not any(one.silent for one in job.plan)

    def begin(self, feed: Iterator[FeatureRun], again: Callable[[], Iterator[FeatureRun]] | None = None) -> None:
        """feed: of the shots from `first_shot` on, and perhaps of earlier ones. again: opens it once more, for a
        generator that reads the whole video."""
        job, first, next_shot = self.job, self.first_shot, self.job.plan[self.done].shot.index
        own = (run for run in feed if run.shot >= first)
        second = None if again is None else lambda: (run for run in again() if run.shot >= next_shot)
        builder = ConditionBuilder(job.model, job.shots, own, job.model.device, self.regions, second, _texts(job))
        regenerated_from = None if job.around is None else job.plan[0].first_new
        self.sampler = ParallelSampler(
            [
                WindowSampler(job.model.generator, builder, one, job.reference, regenerated_from, job.model.plain)
                for one in job.requests[:: len(job.seeds)]
            ]
        )

    def step(self) -> None:
        """The next window; behind the last that is sampled all that are left, and the features are let go."""
        assert self.sampler is not None, "the job has begun"
        planned = self.job.plan[self.done]
        if planned.silent and self.sampled:
            self.sampler.builder.pass_over(planned)
        run_window(self.job.plan, self.done, self.sampler, self.takes, self.on_window, self.progress)
        self.done += 1
        if self.sampled:
            return
        while self.has_windows:
            run_window(self.job.plan, self.done, self.sampler, self.takes, self.on_window, self.progress)
            self.done += 1
        self.sampler = None

    def discard_empty_work(self) -> None:
        """Remove work from which nothing can be resumed: the disk may be full."""
        if self.saved is not None and not self.saved.has_state:
            self.saved.remove()


class SharedFeed:
    """One feed for several readers. A run is kept until every reader has it, or has left."""

    def __init__(self, feed: Iterator[FeatureRun], readers: int) -> None:
        self.feed = feed
        self.waiting = {reader: deque[FeatureRun]() for reader in range(readers)}

    def reader(self, number: int) -> Iterator[FeatureRun]:
        own = self.waiting[number]
        while True:
            if not own:
                if (run := next(self.feed, None)) is None:
                    return
                for one in self.waiting.values():
                    one.append(run)
            yield own.popleft()

    def leave(self, number: int) -> None:
        """This reader needs no more."""
        del self.waiting[number]

    def finish(self) -> None:
        """Read to the end."""
        for _ in self.feed:
            pass


def _run_group(group: Sequence[JobUnderWay]) -> None:
    """Run jobs whose encoders and shots are the same."""
    first, model = group[0], group[0].job.model
    seen = None if model.familiarity is None else SeenPictures(model.familiarity)
    source = _feed(first.job, first.options.store, min(one.first_shot for one in group))
    if reads_whole := model.generator.reads_whole_video:  # each job passes over all that is kept
        source = _watched_first(source, seen)
        feed = SharedFeed(iter(()), len(group))
        for one in group:
            one.begin(_when_read(source), source)
    else:
        feed = SharedFeed(_watched(source(), seen), len(group))
        for number, one in enumerate(group):
            one.begin(feed.reader(number))
    sampled = sum(one.sampled for one in group)
    phase.info("encoding pictures and sampling %d window%s", sampled, "s" * (sampled != 1))
    left = dict(enumerate(group))
    while left:
        number = min(left, key=lambda one: left[one].next_start)
        left[number].step()
        if not left[number].has_windows:
            feed.leave(number)
            del left[number]
    if not reads_whole and any(one.reads_all for one in group):
        feed.finish()
    if seen is not None:
        warn_of_pictures(model.name, seen, any(_selects(one.job) for one in group))


def _pictures_of(job: Job) -> object:
    """The same for jobs of one source whose features are the same."""
    kinds = tuple((name, type(one)) for name, one in frame_encoders(job.model).items())
    networks = tuple(id(module) for part, module in job.model.parts.items() if part != "generator")
    return networks, kinds, tuple(job.shots), job.model.generator.reads_whole_video


def _warn_of_words(job: Job) -> None:
    prompting, cues = job.request.prompting, job.request.timeline.cue_list
    said = [prompting.prompt, *(cue.prompt for cue in cues), *(t for one in job.requests for t in one.selections)]
    warn_of_words(job.model.name, said, _selects(job))


def _selects(job: Job) -> bool:
    return any(one.selections for one in job.requests)


def _watched(feed: Iterator[FeatureRun], seen: SeenPictures | None) -> Iterator[FeatureRun]:
    """The same runs, while the semantic features are held against the training."""
    for run in feed:
        if seen is not None and run.name == "semantic":
            seen.add(run.features)
        yield run


def _watched_first(source: Feed, seen: SeenPictures | None) -> Feed:
    """The same, the first time watched."""
    unwatched = [seen]

    def opened() -> Iterator[FeatureRun]:
        return _watched(source(), unwatched.pop() if unwatched else None)

    return opened


def _when_read(source: Feed) -> Iterator[FeatureRun]:
    """Opened when the first run is asked for: another job may have read and kept the video by then."""
    yield from source()


def _feed(job: Job, store: FeatureStore | None, first_shot: int) -> Feed:
    """Opens the features from a shot on; once more, for a generator that reads the whole video, from what was kept."""
    if not job.source.has_picture:
        return lambda: iter(())
    place = (job.model, job.source, job.shots, job.model.device, first_shot)
    compute, reads_whole = partial(encoded_pictures, *place), job.model.generator.reads_whole_video
    if store is not None and (not reads_whole or store.keeps(job.model, job.source)):
        return partial(store.runs, *place)
    return KeptRuns(compute, job.model.device) if reads_whole else compute


def _texts(job: Job) -> list[str | None]:
    """All texts that select, of the requests and of their cues."""
    promptings = [one.prompting for one in job.requests]
    cues = [one.prompting.in_cue(cue) for one in job.requests for cue in one.timeline.cue_list]
    return selecting_texts(job.model, [*promptings, *cues])


def _in_seconds(
    progress: Progress | None, plan: Sequence[PlannedWindow], latent_rate: Fraction, duration: Fraction
) -> Callable[[float], None] | None:
    """Windows done as seconds of sound done."""
    if progress is None:
        return None
    ends = [min(float(one.window.new_end / latent_rate), float(duration)) for one in plan]
    marks = [float(plan[0].first_new / latent_rate), *ends[:-1], float(duration)]

    def in_seconds(windows: float) -> None:
        whole = min(int(windows), len(plan) - 1)
        done = marks[whole] + (windows - whole) * (marks[whole + 1] - marks[whole])
        progress(marks[-1] if windows >= len(plan) else done, float(duration))

    return in_seconds
