"""Is the named thing the one that sounds? Pictures of two sources; each is asked for in turn, by its plainest name.

Ways to get the sound of one source, each scored on the same clips with the same noise:

    true stem        the source's own sound, through the model's codec: the ceiling
    alone            the picture of the source alone, its name as the prompt
    select           `select`; the same of every model of `beside`
    select, apart    `select_all` of both names, each guided away from the other
    prompt           the name as the prompt, nothing selected
    mask             prompt; `select_mask` of the source's true box, in the encoder
    grey mask        prompt; the sync encoder's frames are mid-grey outside of the source's true box
    whole            the names of all as the prompt, nothing selected

Scores: the share of the events that belong to the named source (of those near an event of one source, and of all), F1
and its ratio to that of `alone`, the power of the other source's instants below that of the named one's, same-scene
selection accuracy (the sound is nearest to the stem of the named source, in the material classifier's features), and
suppression: how much quieter the other's instants are than in `whole` (for the true stem, than in the true mix).
A name of something that is not there is asked for, too: its events a minute.

Sets: two scenes of the Gym's flat world side by side, two sources in one scene, and twins in one scene, which their
materials alone tell apart; or, with `data`, recorded clips (`recorded_crowds`).

Costs some 30 s of processor time for a clip, and 2 minutes for the classifier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from openfoley.errors import UsageError
from openfoley.evaluation.metrics.embedding import features, frechet
from openfoley.evaluation.metrics.f1 import visible_sums
from openfoley.evaluation.metrics.selection import belonging, nearest, powers
from openfoley.evaluation.reports.judge import trained_judge
from openfoley.evaluation.reports.sounds import as_gym, through_codec
from openfoley.evaluation.studies.crowds import Crowd, one_scene, side_by_side, twins
from openfoley.evaluation.studies.greyed import greyed, write_mask
from openfoley.evaluation.studies.recorded_crowds import NOTE, recorded_crowds
from openfoley.evaluation.studies.requests import SelectionRequest
from openfoley.evaluation.studies.selection_figures import figures_of, tables
from openfoley.evaluation.studies.study import Progress, Row, Study, onsets
from openfoley.gym.files import SAMPLE_RATE
from openfoley.hub.fingerprint import fingerprint
from openfoley.hub.registry import check_selects
from openfoley.judges.material import MaterialClassifier
from openfoley.media.source import Source
from openfoley.pipeline import Pipeline, load
from openfoley.request import Request
from openfoley.synthesis.feature_store import FeatureStore
from openfoley.synthesis.selection import model_for
from openfoley.types import Audio

CROWDS = {"side-by-side": side_by_side, "one-scene": one_scene, "twins": twins}
FIRST_SEEDS = {"side-by-side": 9_000_000, "one-scene": 9_300_000, "twins": 9_600_000}  # within the evaluation split
CANDIDATES = 4  # to choose a clip from; not all have two sources that are seen
EQUAL_CLIPS = 3  # of each set: `select_all` against single runs
TRUE, ALONE, SELECT, APART, PROMPT, MASK, GREY, WHOLE = (
    "true stem", "alone", "select", "select, apart", "prompt", "mask", "grey mask", "whole",
)  # fmt: skip


def run(request: SelectionRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Raises UsageError, before any work, for models in which no text selects, for two of the same name, and for the
    world of bodies, whose places in the picture the grey mask does not know."""
    models = (request.model, *request.beside)
    names = [Path(model).name for model in models]
    if len(set(names)) < len(names):
        raise UsageError(f"models need distinct names, got {'; '.join(names)}")
    if request.world != "flat":
        raise UsageError("selection is measured on scenes of the flat world alone; leave --world out")
    for model in models:
        check_selects(model, Request.of(select="anything"))
    crowds = _crowds(request)
    pipelines = {name: load(model, request.device) for name, model in zip(names, models, strict=True)}
    study = Study(request, pipelines, {"selections": selections(pipelines)})
    judge = trained_judge(study.workspace, request.judge)
    sets: dict[str, list[Row]] = {}
    for name, (candidates, crowd) in crowds.items():
        row = _row(study, judge, crowd)
        sets[name] = study.rows(min(request.clips, candidates), row, progress, candidates=candidates, of=name)
    figures = {name: figures_of(rows) for name, rows in sets.items() if rows}
    return study.finish(figures, tables(figures) + ([] if request.data is None else ["", NOTE]))


def selections(pipelines: Mapping[str, Pipeline]) -> dict[str, str]:
    """The fingerprint of what each model runs where a text selects."""
    asked = Request.of(select="anything")
    return {name: fingerprint(model_for(pipeline.model, asked))[:16] for name, pipeline in pipelines.items()}


def _crowds(request: SelectionRequest) -> dict[str, tuple[int, Callable[[int], Crowd | None]]]:
    """Of each set, how many numbers there are, and the crowd of each; None where a number has none."""
    if request.data is not None:
        return recorded_crowds(request.data)
    many = CANDIDATES * request.clips
    return {name: (many, partial(CROWDS[name], first_seed=FIRST_SEEDS[name])) for name in request.sets}


def _row(
    study: Study[SelectionRequest], judge: MaterialClassifier, crowd_of: Callable[[int], Crowd | None]
) -> Callable[[int], Row | None]:
    def row(number: int) -> Row | None:
        crowd = crowd_of(number)
        if crowd is None:
            return None
        with TemporaryDirectory(dir=study.folder) as folder:  # a trunk's features take 4 MB a clip
            asked = Request.of(steps=study.request.steps, cuts="none", seed=number)
            ways = Ways(study.pipelines, crowd, asked, Path(folder))
            row: Row = {"name": crowd.name, "wanted": {}, "absent": ways.absent()}
            for wanted in crowd.wanted:
                row["wanted"][crowd.members[wanted].name] = scores(judge, crowd, wanted, ways.sounds(wanted))
            if number < EQUAL_CLIPS:
                row["equal"] = ways.are_equal()
        return row

    return row


class Ways:
    """The ways to get the sound of one source of a crowd. asked: steps and seed of all of them. folder: for features
    and masks."""

    def __init__(self, pipelines: Mapping[str, Pipeline], crowd: Crowd, asked: Request, folder: Path) -> None:
        self.crowd, self.asked, self.folder, self.store = crowd, asked, folder, FeatureStore(folder / "features")
        self.pipelines = dict(pipelines)
        self.pipeline = next(iter(pipelines.values()))
        self.length = round(crowd.picture.info.duration * SAMPLE_RATE)

    def sounds(self, wanted: int) -> dict[str, Audio]:
        """44.1 kHz, stereo, by the names of the ways."""
        member, picture = self.crowd.members[wanted], self.crowd.picture
        return {
            TRUE: through_codec(self.pipeline.model.codec, member.sound, self.pipeline.device),
            ALONE: self._made(member.alone, prompt=member.name),
            **self._selected(member.name),
            APART: self._apart[member.name],
            PROMPT: self._made(picture, prompt=member.name),
            MASK: self._made(picture, prompt=member.name, select_mask=self._mask(wanted)),
            GREY: self._made(greyed(picture, member.boxes), prompt=member.name),
            WHOLE: self._whole,
        }

    def absent(self) -> dict[str, list[float]]:
        """[events, minutes] of each way for the name of something that is not there."""
        name, picture = self.crowd.absent, self.crowd.picture
        if name is None:
            return {}
        nowhere = greyed(picture, lambda times: np.zeros((len(times), 4)))
        sounds = {
            **self._selected(name),
            PROMPT: self._made(picture, prompt=name),
            GREY: self._made(nowhere, prompt=name),
        }
        return {way: [len(onsets(sound)), float(picture.info.duration) / 60] for way, sound in sounds.items()}

    def are_equal(self) -> list[bool]:
        """Whether each stem of `select_all`, not apart, has the samples of its single run."""
        names = [*(one.name for one in self.crowd.members), *filter(None, [self.crowd.absent])]
        together = self._all(names, apart=False)
        return [
            torch.equal(together[name].samples, self._made(self.crowd.picture, select=name).samples) for name in names
        ]

    def _mask(self, wanted: int) -> Path:
        return write_mask(self.folder / f"{wanted}.mp4", self.crowd.picture, self.crowd.members[wanted].boxes)

    @cached_property
    def _apart(self) -> dict[str, Audio]:
        return self._all([one.name for one in self.crowd.members], apart=True)

    @cached_property
    def _whole(self) -> Audio:
        return self._made(self.crowd.picture, prompt=" and ".join(one.name for one in self.crowd.members))

    def _all(self, names: Sequence[str], apart: bool) -> dict[str, Audio]:
        seeds = (self.asked.sampling.seed,)
        takes = self.pipeline.select_all(self.crowd.picture, names, seeds, self.asked, apart=apart, store=self.store)
        return {name: as_gym(take.audio, self.length) for name, (take,) in takes.items()}

    def _selected(self, name: str) -> dict[str, Audio]:
        (_, first), *others = self.pipelines.items()
        named = {SELECT: first, **{f"{SELECT}, {other}": one for other, one in others}}
        return {way: self._made(self.crowd.picture, one, select=name) for way, one in named.items()}

    def _made(self, picture: Source, pipeline: Pipeline | None = None, **options: object) -> Audio:
        """Features are kept of the whole picture alone, which is used again."""
        store = self.store if picture is self.crowd.picture else None
        take = (pipeline or self.pipeline).generate(picture, self.asked, store=store, **options)
        return as_gym(take.audio, self.length)


def scores(
    judge: MaterialClassifier, crowd: Crowd, wanted: int, sounds: Mapping[str, Audio]
) -> dict[str, dict[str, Any]]:
    """Of each way's sound: sums for shares and F1, powers of the instants, and whether the named stem is nearest."""
    truths = [one.truth for one in crowd.members]
    own, others = truths[wanted], [one for k, one in enumerate(truths) if k != wanted]
    stems = [features(judge, one.sound.samples, one.sound.sample_rate) for one in crowd.members]
    mix = Audio(torch.stack([one.sound.samples for one in crowd.members]).sum(0), SAMPLE_RATE)
    found = {}
    for way, sound in sounds.items():
        times = onsets(sound).times_s
        heard = features(judge, sound.samples, sound.sample_rate)
        loud, quiet = powers(sound.samples, sound.sample_rate, own, others)
        found[way] = {
            "belonging": belonging(times, own, others),
            "f1": visible_sums(times, own),
            "powers": [loud, quiet],
            "before": powers((mix if way == TRUE else sounds[WHOLE]).samples, SAMPLE_RATE, own, others)[1],
            "nearest": nearest([frechet(heard, stem) for stem in stems], wanted),
        }
    return found
