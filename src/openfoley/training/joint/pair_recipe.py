"""What `openfoley train pair` is asked for (`training.joint.recipe`, `training.joint.full`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from openfoley.data.pairs.clip_folder import open_pairs
from openfoley.data.pairs.gym_pairs import WORLD, GymPairs
from openfoley.data.pairs.pair import Pairs
from openfoley.errors import UsageError
from openfoley.generators.joint.config import JointConfig, Kind
from openfoley.gym.seeds import Split, seeds_of
from openfoley.hub.pair_parts import STAGES, Stage
from openfoley.training.joint.presets import GYM, GYM_SCENES, PairTraining, Trained

GYM_DATA = "gym"
FEW = 100
"""Scenes that are rendered in this process."""


@dataclass(frozen=True)
class PairRecipe:
    """A stage and the folder of all three. data: `GYM_DATA` or a folder of `openfoley data pairs`. kind: of the
    connectors. trains: in the third stage. steps, scenes (of the Gym), accumulation (passes for one update, at full
    size): the preset's if None. weights_dir: of the published base models, at full size. hours: at most, over all
    resumptions; the learning rate's schedule ends by then. It may be another when the training is resumed."""

    stage: Stage
    out: Path
    preset: str = "gym"
    data: str = GYM_DATA
    kind: Kind = "cmc-pe"
    trains: Trained = "connectors"
    steps: int | None = None
    scenes: int | None = None
    device: str = "cpu"
    accumulation: int | None = None
    weights_dir: Path | None = None
    hours: float | None = None

    @property
    def variant(self) -> str:
        """Behind the names of the third stage's folders."""
        return "" if (self.kind, self.trains) == ("cmc-pe", "connectors") else f"-{self.kind}-{self.trains}"

    @property
    def place(self) -> Path:
        """Of the stage."""
        return self.out / f"{self.stage}{self.variant}"

    @property
    def model(self) -> Path:
        """The finished model's folder, after the third stage."""
        return self.out / f"model{self.variant}"

    @property
    def time_limit_s(self) -> float | None:
        return None if self.hours is None else 3600 * self.hours

    @property
    def bases(self) -> tuple[Path, ...]:
        """The stages that must be trained before this one."""
        return tuple(self.out / name for name in STAGES if name != "connectors") if self.stage == "connectors" else ()

    def pairs(self) -> tuple[Pairs, Pairs]:
        """Training and validation clips: rendered, or those of a folder. UsageError."""
        if self.data != GYM_DATA:
            return open_pairs(Path(self.data), "train"), open_pairs(Path(self.data), "validation")
        train = self.scenes or GYM_SCENES["train"]

        def made(split: Split, count: int) -> Pairs:
            seeds = seeds_of(split, count, world=WORLD)
            return GymPairs.build(self.out / "data" / split, seeds, workers=1 if count < FEW else None)

        return made("train", train), made("validation", min(train, GYM_SCENES["validation"]))

    def settings(self, training: Pairs) -> PairTraining:
        """The Gym's preset with this recipe's changes. UsageError for clips of another form than the model's."""
        base = GYM[self.stage]
        codec, form = base.codec, training.form
        if (form.size, form.rate) != (codec.size, codec.rate) or form.count > base.architecture.motion_frames:
            raise UsageError(
                f"the pairs have {form.count} frames of {form.size} pixels at {float(form.rate):g} Hz, the preset "
                f"takes at most {base.architecture.motion_frames} of {codec.size} at {codec.rate}; make them with "
                f"openfoley data pairs --size {codec.size} --fps {codec.rate}"
            )
        return replace(
            base, architecture=with_kind(base.architecture, self.kind), data=training.digest, trained=self.trains,
            steps=self.steps or base.steps, bases=self.bases, device=self.device, time_limit_s=self.time_limit_s,
        )  # fmt: skip


def with_kind(architecture: JointConfig, kind: Kind) -> JointConfig:
    connectors = replace(architecture.connectors, kind=kind)
    if kind == "cross-attention":  # as published: the single vector is of x_t alone
        connectors = replace(connectors, encoder_input="x_cur")
    return replace(architecture, connectors=connectors)
