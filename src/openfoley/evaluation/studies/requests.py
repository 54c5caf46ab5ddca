"""The requests of the studies, checked before heavy work. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

from openfoley.errors import UsageError
from openfoley.generators.salsa_v.config import DEFAULTS
from openfoley.gym.seeds import Split
from openfoley.hub.registry import DEFAULT_MODEL, check_model
from openfoley.request import Request


@dataclass(frozen=True)
class StudyRequest:
    """Fields of all studies. clips: scenes per set."""

    study: ClassVar[str]
    summary: ClassVar[str]

    out: Path
    clips: int

    def __post_init__(self) -> None:
        if self.clips < 1:
            raise UsageError(f"clips must be at least 1, got {self.clips}")
        if self.out.exists() and not self.out.is_dir():
            raise UsageError(f"the output {str(self.out)!r} is a file; pass a folder")

    def run(self, progress: Callable[[float, float], None] | None = None) -> dict[str, Any]:
        """Compute or resume the study, by the module of its name; the record of results.json. results.md has the
        table."""
        return import_module(f"openfoley.evaluation.studies.{self.study}").run(self, progress)

    @property
    def identity(self) -> dict[str, Any]:
        """What a clip's results depend on; a folder holds those of one identity."""
        return {key: value for key, value in asdict(self).items() if key not in ("out", "clips", "judge")}


@dataclass(frozen=True)
class ScenesRequest(StudyRequest):
    """split: of the Gym's scenes."""

    study = "scenes"
    summary = "Precision and recall of hard-cut detection."
    clips: int = 50
    split: Split = "validation"


@dataclass(frozen=True)
class ModelRequest(StudyRequest):
    """Fields of all studies of a model. model: a name or a folder."""

    model: str = DEFAULT_MODEL
    steps: int = DEFAULTS.steps
    device: str = "cpu"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_model(self.model)
        Request.of(steps=self.steps)


@dataclass(frozen=True)
class LongformRequest(ModelRequest):
    """minutes: length of a scene; its last minute is scored. cuts: the rule at cuts."""

    study = "longform"
    summary = "Events of the last minute of long scenes against a fresh start."
    clips: int = 32
    minutes: float = 10
    cuts: str = "carry"


@dataclass(frozen=True)
class JoinsRequest(ModelRequest):
    """duration: seconds of a scene. split: "validation" is for choosing settings. reference_guidance: weight of the
    context (None: the guidance)."""

    study = "joins"
    summary = "Can a classifier distinguish joins of two windows from other instants?"
    clips: int = 50
    duration: float = 60.0
    split: Split = "evaluation"
    reference_guidance: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        Request.of(reference_guidance=self.reference_guidance)
        if self.clips < 2:
            raise UsageError(f"clips must be at least 2 (one for training, one for testing), got {self.clips}")


@dataclass(frozen=True)
class ReferenceRequest(ModelRequest):
    """mode: "reference" or "extend". contexts: seconds, the first one 0. reference_guidance: as of `generate`. judge:
    weights of the material classifier, instead of training one."""

    study = "reference"
    summary = "Does the generated sound match the timbre of a reference?"
    clips: int = 120
    mode: str = "reference"
    contexts: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 2.5)
    reference_guidance: float | None = None
    judge: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        Request.of(reference_guidance=self.reference_guidance)


@dataclass(frozen=True)
class CutsRequest(ModelRequest):
    """judge: as of `ReferenceRequest`."""

    study = "cuts"
    summary = "The second after hard cuts: cuts used, sound carried over, or a fresh start."
    clips: int = 150
    judge: Path | None = None


@dataclass(frozen=True)
class StepsRequest(StudyRequest):
    """models: names or folders. without_sync: those without sync features, for an ablation trained that way.
    shortcut: those sampled with equal steps and given the step size, as in the paper; may repeat `models`. steps:
    step counts."""

    study = "steps"
    summary = "Models side by side at several step counts: shortcut, flow, ablations, MMAudio."
    clips: int = 200
    models: tuple[str, ...] = (DEFAULT_MODEL,)
    without_sync: tuple[str, ...] = ()
    shortcut: tuple[str, ...] = ()
    steps: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    device: str = "cpu"

    def __post_init__(self) -> None:
        super().__post_init__()
        for model in (*self.models, *self.without_sync, *self.shortcut):
            check_model(model)
        for count in self.steps:
            Request.of(steps=count)


@dataclass(frozen=True)
class LengthsRequest(ModelRequest):
    """lengths: whole seconds."""

    study = "lengths"
    summary = "One long window against iterative extension, 10 to 60 s."
    clips: int = 24
    lengths: tuple[int, ...] = (10, 20, 30, 45, 60)


STUDIES = (
    ScenesRequest,
    LongformRequest,
    JoinsRequest,
    ReferenceRequest,
    CutsRequest,
    StepsRequest,
    LengthsRequest,
)
