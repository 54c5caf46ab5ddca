"""A project folder and its commands: new, take, choose, lock, unlock, set, picture, undo, redo, show, render.

    film.foley/project.json            all settings, takes and decisions, readable
    film.foley/project.previous.json   the version before the last change
    film.foley/takes/001.flac ...      the sound of every take, 24 bits
    film.foley/cache/                  features of the video; may be deleted, is recomputed

A command that changes something writes the project file once, at its end: after a failure the project is unchanged.
Only `take` writes it after each finished take, so that a later failure does not lose it. Rendering reads only takes,
so it gives the same bytes every time.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from openfoley.checks import path
from openfoley.errors import UsageError, WeightsError
from openfoley.hub.fingerprint import fingerprint
from openfoley.hub.load import load_model
from openfoley.hub.registry import DEFAULT_MODEL, check_model
from openfoley.media.read.opening import shown
from openfoley.media.source import Source, phase
from openfoley.media.write.atomic import cannot_write
from openfoley.media.write.outputs import AUDIO_SUFFIXES, checked_video
from openfoley.media.write.rehearsal import Rehearsal
from openfoley.pipeline import Pipeline, load
from openfoley.projects import history
from openfoley.projects.making import (
    TakeOrder,
    changed_settings,
    describe_video,
    kept,
    make_takes,
    sampling_checked,
    stems_for,
)
from openfoley.projects.masks import at_files, check_masks, mask_problems
from openfoley.projects.picture import picture_of, picture_problem, unseen, with_picture
from openfoley.projects.record import FILE_NAME, TAKES_FOLDER, ModelEntry, Record, Span, TakeEntry, new_record
from openfoley.projects.rendering import render
from openfoley.projects.selections import check_selection_weights
from openfoley.projects.showing import plain
from openfoley.projects.storage import only_process, read_project, write_project
from openfoley.request import Request, Seconds, check_takes
from openfoley.synthesis.job import Progress
from openfoley.synthesis.region_features import with_region_times

logger = logging.getLogger(__name__)


class Project:
    """A project folder. Nothing is held open between calls; each method reads the file and replaces it atomically."""

    def __init__(self, folder: str | os.PathLike[str], device: str = "cpu") -> None:
        path("folder", folder)
        self.folder, self.device = Path(folder), device
        read_project(self.folder)

    @property
    def record(self) -> Record:
        """The project file's contents. UsageError for a mistake in a hand-edited file."""
        return read_project(self.folder)

    @classmethod
    def new(
        cls,
        folder: str | os.PathLike[str],
        video: str | os.PathLike[str],
        request: Request | None = None,
        *,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        adapters: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        **options: object,
    ) -> Project:
        """Make a project for a video; its cuts are detected and stored in the file, where they can be edited.

        adapters: a file of `openfoley train adapters`, if they are not in the model's folder; its path is stored.
        options: of `request.Request`; the defaults of its takes.
        """
        for name, value in {"folder": folder, "video": video, "model": model}.items():
            path(name, value)
        check_model(model)
        if adapters is not None:
            path("adapters", adapters)
        of_file = None if adapters is None else os.path.abspath(adapters)
        asked = sampling_checked(os.fspath(model), Request.of(request, **options), of_file)
        file, folder = checked_video(video), Path(folder)
        if (folder / FILE_NAME).exists():
            raise UsageError(f"{shown(folder)} is already a project; choose another folder, or delete it first")
        phase.info("reading %s", file.name)
        source, name = Source.file(file, with_hash=True), os.fspath(model)
        entry, begun = describe_video(folder, source, video, name, asked)
        phase.info("loading %s", name)
        model_entry = ModelEntry(name, fingerprint(load_model(name, device, adapters=of_file)), of_file)
        record = new_record(entry, model_entry, begun.request, begun.cuts, begun.masks)
        try:
            (folder / TAKES_FOLDER).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise cannot_write(folder, error) from None
        with only_process(folder):
            write_project(folder, record)
        return cls(folder, device)

    def take(
        self,
        pipeline: Pipeline | None = None,
        *,
        span: tuple[Seconds | str, Seconds | str] | None = None,
        takes: int = 1,
        stem: str | None = None,
        choose: bool = False,
        progress: Progress | None = None,
        **options: object,
    ) -> list[TakeEntry]:
        """Generate takes of the whole video, or of a span conditioned on the sound on both sides; returns them.

        span: two times in s or timecode.
        options: of `request.Request`; the project's where not given; seed: a new one for every take.
        A take joins the mix if its stem has no sound there yet, else when it is chosen (choose=True: the first take of
        each stem). Each take is saved as soon as it is finished. With a cue sheet that names stems, a take of the whole
        video is one take per stem, unless `stem` names one.
        """
        check_takes(takes)
        if of_project := [name for name in ("cuts", "cues") if options.get(name) is not None]:
            raise UsageError(f"{of_project[0]} are those of the project; change them with `openfoley project set`")
        with only_process(self.folder):
            record = self.record
            asked = history.span_of(record, span) if span is not None else record.span
            history.check_span(record, asked)
            history.check_unlocked(record, asked, "make a take")
            source = picture_of(self.folder, record)
            if options.get("seed") is None:
                options["seed"] = self._next_seed(record)
            base = at_files(self.folder, record, record.request)
            request = Request.of(base, **{k: v for k, v in options.items() if v is not None})
            check_masks(self.folder, record, request, options.get("select_mask"))
            request = with_region_times(source, request, history.start_of(record))
            part = None if span is None else asked
            order = TakeOrder(part, takes, request, stems_for(record, part, stem))
            pipeline = self._checked(pipeline, record, self.device)
            for stem in order.stems:
                check_selection_weights(record, pipeline.model, order.request_of(stem))
            made: list[TakeEntry] = []
            try:
                with closing(make_takes(self.folder, record, source, pipeline, order, progress)) as entries:
                    for entry in entries:
                        more = [*made, entry]
                        chosen = [take.number for take in more if self._sounds_at_once(record, more, take, choose)]
                        write_project(self.folder, history.add_takes(record, more, chosen), keep_previous=not made)
                        made = more
            except OSError as error:
                raise cannot_write(self.folder, error) from None
            finally:
                if len(made) < takes * len(order.stems) and (words := kept(self.folder, record, order, made)):
                    logger.warning(words)
            return made

    def choose(self, take: int) -> Record:
        """Put a take into the mix: it replaces the one of the same span, else is added on top."""
        return self._change(lambda record: history.choose(record, take))

    def lock(self, span: tuple[Seconds | str, Seconds | str] | None = None, *, take: int | None = None) -> Record:
        """Protect a span, a take's span or (neither) everything from changes."""
        return self._change(lambda record: history.lock(record, self._span(record, span, take)))

    def unlock(self, span: tuple[Seconds | str, Seconds | str] | None = None, *, take: int | None = None) -> Record:
        """Unlock a span, a take's span or (neither) everything."""
        return self._change(lambda record: history.unlock(record, self._span(record, span, take)))

    def set(self, **options: object) -> Record:
        """Change the settings of future takes; `undo` reverts it. Existing takes are unchanged.

        options: of `request.Prompting` and `request.Sampling`, cuts (a rule, a file or Cuts), cues (a sheet or Cues),
        context, window, join and overlap; None resets to the default. A rule for the cuts detects them again.
        """

        def changed(record: Record) -> Record:
            source = lambda: picture_of(self.folder, record)  # noqa: E731 (only if cuts are detected)
            return history.set_to(record, changed_settings(self.folder, record, options, source))

        return self._change(changed)

    def picture(self, path: str | os.PathLike[str], *, changed: bool = False) -> Record:
        """Set the path of the project's video; not part of the history. changed: also accept other contents of the same
        duration and frame rate. UsageError for any other video."""
        return self._change(lambda record: with_picture(self.folder, record, path, changed))

    def undo(self, steps: int = 1) -> Record:
        """Undo `steps` changes. Takes are kept."""
        return self._change(lambda record: history.undo(record, steps))

    def redo(self, steps: int = 1) -> Record:
        """Redo `steps` changes."""
        return self._change(lambda record: history.redo(record, steps))

    def show(self) -> dict[str, Any]:
        """The project as plain values with timecodes, as `openfoley project show --json` prints it."""
        record = self.record
        return plain(record, self.folder, picture_problem(self.folder, record), mask_problems(self.folder, record))

    def render(self, out: str | os.PathLike[str], *, stems: bool = False, **options: object) -> list[Path]:
        """Write the mix as sound or into the video; with `stems`, each stem beside it. Returns the paths.

        The mix is the sum of the stems, bit for bit. Sound can be rendered without the video's file. options: of
        `request.Output`.
        """
        output = Request.of(**options).output
        with only_process(self.folder):
            record = self.record
            if not record.state.layers:
                raise UsageError("the project has no sound yet; make a take with `openfoley project take`")
            if Path(out).suffix.lower() in AUDIO_SUFFIXES:
                source = unseen(record)
            else:
                source = picture_of(self.folder, record, Rehearsal(Path(out), output.audio))
            return render(self.folder, record, source, Path(out), output, stems)

    def _change(self, verb: Callable[[Record], Record]) -> Record:
        with only_process(self.folder):
            record = self.record
            changed = verb(record)
            if changed != record:
                write_project(self.folder, changed)
            return changed

    @staticmethod
    def _span(record: Record, span: tuple[Seconds | str, Seconds | str] | None, take: int | None) -> Span:
        if span is not None and take is not None:
            raise UsageError("give a span or a take, not both")
        if take is not None:
            return record.take(take).span
        return record.span if span is None else history.span_of(record, span)

    @staticmethod
    def _next_seed(record: Record) -> int:
        """A seed that no take of the project has used."""
        return max([record.request.sampling.seed, *(take.seed + 1 for take in record.takes)])

    @staticmethod
    def _sounds_at_once(record: Record, made: Sequence[TakeEntry], take: TakeEntry, choose: bool) -> bool:
        """The first new take of each stem, if `choose` is set or the stem has no sound in its span."""
        first = next(one for one in made if one.stem == take.stem)
        return take is first and (choose or not record.sounding_in(take.span, take.stem))

    @staticmethod
    def _checked(pipeline: Pipeline | None, record: Record, device: str) -> Pipeline:
        """The project's model. WeightsError if its weights have changed."""
        pipeline = load(record.model.name, device, adapters=record.model.adapters) if pipeline is None else pipeline
        if fingerprint(pipeline.model) != record.model.sha256:
            raise WeightsError(
                f"the model {record.model.name!r} has other weights or adapters than when the project was made; "
                "put the old ones back, or make a new project"
            )
        return pipeline
