"""The requests of the studies, checked before heavy work. Nothing heavy is imported here.

A field with `request.option` is an option of the command, too: its check, its help and its default follow from it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import KW_ONLY, MISSING, asdict, dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, get_args

from openfoley.checks import Number, OneOf, Several, path, text
from openfoley.errors import UsageError
from openfoley.evaluation.studies.variations import DEFAULT_ROW, check_rows, row_check
from openfoley.generators.salsa_v.config import DEFAULTS
from openfoley.gym.seeds import SCENE_WORLDS, VERSIONS, Split, World, check_world
from openfoley.hub.registry import DEFAULT_MODEL, check_model
from openfoley.request import WEIGHT, Sampling, option
from openfoley.timeline.shots import CUT_RULES


def model_name(_name: str, value: Any) -> None:
    check_model(value)


POSITIVE = Number(0, math.inf)
COUNT = Number(1, math.inf, whole=True)
STEPS: Number = Sampling.__dataclass_fields__["steps"].metadata["check"]
SPLIT = OneOf(get_args(Split))
MODELS = Several(model_name)
CROWDS = ("side-by-side", "one-scene", "twins")
JUDGE: Any = option(path, "material.safetensors of a report; trained if not given", "FILE")


@dataclass(frozen=True)
class StudyRequest:
    """Fields of all studies. clips: scenes per set. world: of the Gym."""

    study: ClassVar[str]
    summary: ClassVar[str]

    out: Path = option(path, "folder for results and working files", "DIR", default=MISSING)
    clips: int = option(COUNT, "scenes", "N", default=MISSING)
    _: KW_ONLY
    world: World = option(OneOf(SCENE_WORLDS), "of the Gym; bodies need the extra gym", default="flat")

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            if "check" in one.metadata and value is not None:
                one.metadata["check"](one.name.replace("_", " "), value)
            if one.name == "judge" and value is not None and not value.is_file():
                raise UsageError(f"the judge {str(value)!r} does not exist; leave --judge out to train one")
        if self.out.exists() and not self.out.is_dir():
            raise UsageError(f"the output {str(self.out)!r} is a file; pass a folder")

    def run(self, progress: Callable[[float, float], None] | None = None) -> dict[str, Any]:
        """Compute or resume the study, by the module of its name; the record of results.json. results.md has the
        table. UsageError, before any work, where the extra of the world is missing."""
        check_world(self.world)
        return import_module(f"openfoley.evaluation.studies.{self.study}").run(self, progress)

    @property
    def identity(self) -> dict[str, Any]:
        """What a clip's results depend on; a folder holds those of one identity."""
        left_out = {"out", "clips", "judge", "rows", *(("world",) if self.world == "flat" else ())}
        return {key: value for key, value in asdict(self).items() if key not in left_out}


@dataclass(frozen=True)
class ScenesRequest(StudyRequest):
    """split: of the Gym's scenes."""

    study = "scenes"
    summary = "Precision and recall of hard-cut detection."
    clips: int = option(COUNT, "scenes", "N", default=50)
    split: Split = option(SPLIT, "scenes", default="validation")


@dataclass(frozen=True)
class ModelRequest(StudyRequest):
    """Fields of all studies of a model. model: a name or a folder."""

    model: str = option(model_name, "a model's name or folder", "NAME|DIR", default=DEFAULT_MODEL)
    steps: int = option(STEPS, "sampling steps", "N", default=DEFAULTS.steps)
    device: str = option(text, "torch device", "D", default="cpu")


@dataclass(frozen=True)
class VariedRequest(ModelRequest):
    """Fields of studies that compare requests on the same clips. rows: options of the request that differ, as
    `variations.row_options` reads them; the others are compared with the first."""

    rows: tuple[str, ...] = option(
        Several(row_check),
        "default, or options of the request that differ, such as join=swap or context=1,overlap=0.2, or adapters=FILE; "
        "each is compared with the first",
        "ROW",
        default=(DEFAULT_ROW,),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_rows(self.rows)

    @property
    def identity(self) -> dict[str, Any]:
        """Results of before there were rows lack figures."""
        return {**super().identity, "rows_format": 1}


@dataclass(frozen=True)
class LongformRequest(VariedRequest):
    """minutes: where the minute that ends there is scored; a scene is as long as the last. cuts: the rule at cuts."""

    study = "longform"
    summary = "Events along long scenes, minute against minute and against a fresh start."
    clips: int = option(COUNT, "scenes", "N", default=32)
    minutes: tuple[float, ...] = option(
        Several(POSITIVE), "the scored minutes end here; a scene is as long as the last", "M", default=(10.0,)
    )
    cuts: str = option(OneOf(CUT_RULES), "rule at cuts", default="carry")


@dataclass(frozen=True)
class JoinsRequest(VariedRequest):
    """duration: seconds of a scene. split: "validation" is for choosing settings. reference_guidance: weight of the
    context (None: the guidance)."""

    study = "joins"
    summary = "Can a classifier distinguish joins of two windows from other instants?"
    clips: int = option(Number(2, math.inf, whole=True), "scenes: one for training, one for testing", "N", default=50)
    duration: float = option(POSITIVE, "seconds of a scene", "S", default=60.0)
    split: Split = option(SPLIT, "scenes", default="evaluation")
    reference_guidance: float | None = option(WEIGHT, "weight of the context", "W", usual="the guidance")


@dataclass(frozen=True)
class ReferenceRequest(ModelRequest):
    """mode: "reference" or "extend". contexts: seconds, the first one 0. reference_guidance: as of `generate`. judge:
    weights of the material classifier, instead of training one."""

    study = "reference"
    summary = "Does the generated sound match the timbre of a reference?"
    clips: int = option(COUNT, "scenes", "N", default=120)
    mode: str = option(
        OneOf(("reference", "extend")),
        "before each window as --reference, or continued in place",
        default="reference",
    )
    contexts: tuple[float, ...] = option(
        Several(POSITIVE),
        "seconds of the reference, the first one 0",
        "S",
        default=(0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5),
    )
    reference_guidance: float | None = option(WEIGHT, "weight of the context", "W", usual="the guidance")
    judge: Path | None = JUDGE


@dataclass(frozen=True)
class CutsRequest(ModelRequest):
    """judge: as of `ReferenceRequest`."""

    study = "cuts"
    summary = "The second after hard cuts: cuts used, sound carried over, or a fresh start."
    clips: int = option(COUNT, "scenes", "N", default=150)
    judge: Path | None = JUDGE


@dataclass(frozen=True)
class StepsRequest(StudyRequest):
    """models: names or folders. without_sync: those without sync features, for an ablation trained that way.
    shortcut: those sampled with equal steps and given the step size, as in the paper; may repeat `models`. steps:
    step counts."""

    study = "steps"
    summary = "Models side by side at several step counts: shortcut, flow, ablations, MMAudio."
    clips: int = option(COUNT, "scenes", "N", default=200)
    models: tuple[str, ...] = option(MODELS, "models", "NAME|DIR", default=(DEFAULT_MODEL,))
    without_sync: tuple[str, ...] = option(MODELS, "models that receive no sync features", "DIR", default=())
    shortcut: tuple[str, ...] = option(
        MODELS, "models sampled with shortcut steps, as in the paper", "NAME|DIR", default=()
    )
    steps: tuple[int, ...] = option(Several(STEPS), "sampling steps", "N", default=(1, 2, 4, 8, 16, 32))
    device: str = option(text, "torch device", "D", default="cpu")


@dataclass(frozen=True)
class LengthsRequest(VariedRequest):
    """lengths: whole seconds."""

    study = "lengths"
    summary = "One long window against iterative extension, 10 to 60 s."
    clips: int = option(COUNT, "scenes", "N", default=24)
    lengths: tuple[int, ...] = option(Several(COUNT), "seconds", "S", default=(10, 20, 30, 45, 60))


@dataclass(frozen=True)
class TokensRequest(ModelRequest):
    """split: of the scenes. silent: scenes of silent motion beside them. outside: a folder of further clips with
    their truth (<name>.mp4, <name>.json). seed: of the first clip's sound; the others count up."""

    study = "tokens"
    summary = "Which events do the sync tokens hold, and which of them does the generated sound have?"
    clips: int = option(COUNT, "scenes", "N", default=40)
    split: Split = option(OneOf(("validation", "evaluation", "heldout")), "scenes", default="evaluation")
    silent: int = option(Number(0, math.inf, whole=True), "scenes of silent motion beside them", "N", default=0)
    outside: Path | None = option(path, "further clips with ground truth in the Gym's format", "DIR")
    seed: int = option(
        Number(0, math.inf, whole=True), "of the first clip's sound; the others count up", "S", default=0
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.outside is not None and not self.outside.is_dir():
            raise UsageError(f"{str(self.outside)!r} is not a folder; pass one of <name>.mp4 and <name>.json")

    @property
    def identity(self) -> dict[str, Any]:
        """The folder name of the outside clips is their identity."""
        outside = str(self.outside.resolve()) if self.outside else None
        kept = {key: value for key, value in super().identity.items() if key != "silent"}
        return {**kept, "outside": outside, "world": self.world, "gym": VERSIONS[self.world]}


@dataclass(frozen=True)
class SelectionRequest(ModelRequest):
    """beside: further models whose selection is measured on the same clips. sets: of the Gym's clips; twins are two
    things of one kind, named by their materials. data: a folder of `data mono-audio`, whose clips are taken instead.
    judge: as of `ReferenceRequest`."""

    study = "selection"
    summary = "Is the named thing in the picture the one that sounds?"
    clips: int = option(COUNT, "clips", "N", default=100)
    beside: tuple[str, ...] = option(MODELS, "further models whose selection is measured", "NAME|DIR", default=())
    sets: tuple[str, ...] = option(Several(OneOf(CROWDS)), "sets of clips", default=("side-by-side", "one-scene"))
    data: Path | None = option(path, "clips of `openfoley data mono-audio` instead of the Gym's", "DIR")
    judge: Path | None = JUDGE

    @property
    def identity(self) -> dict[str, Any]:
        kept = {key: value for key, value in super().identity.items() if key != "sets"}
        return {**kept, "data": str(self.data.resolve()) if self.data else None}


STUDIES = (
    ScenesRequest,
    LongformRequest,
    JoinsRequest,
    ReferenceRequest,
    CutsRequest,
    StepsRequest,
    LengthsRequest,
    TokensRequest,
    SelectionRequest,
)
