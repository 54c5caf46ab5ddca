"""`openfoley train pair`: data, one stage, and after the third the model folder. Published size: `training.joint.full`.

DIR/data        Gym close-ups, rendered once          DIR/video, audio, connectors    a stage: weights, log, checkpoint
DIR/model       the finished model, for `generate-pair --model`

A variant of the third stage (another kind of connectors, more weights trained) has its name behind `connectors` and
`model`; it shares the data and the first two stages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from openfoley.data.pairs.clip_folder import open_pairs
from openfoley.data.pairs.gym_pairs import WORLD, GymPairs
from openfoley.data.pairs.pair import Pairs
from openfoley.errors import UsageError
from openfoley.generators.joint.config import JointConfig, Kind
from openfoley.generators.joint.unets import check_diffusers
from openfoley.gym.seeds import Split, seeds_of
from openfoley.hub.load import checked_device, read_weights
from openfoley.hub.pair import save_pair_model
from openfoley.hub.pair_parts import STAGES, PairModelConfig, Stage
from openfoley.training.joint.curves import held_curves
from openfoley.training.joint.presets import GYM, GYM_SCENES, PairTraining, Trained
from openfoley.training.joint.train import Networks, train_stage_on
from openfoley.training.loop.checkpoint import check_unused

GYM_DATA = "gym"
WEIGHTS = "model.safetensors"
FEW = 100
"""Scenes that are rendered in this process."""


@dataclass(frozen=True)
class PairRecipe:
    """A stage and the folder of all three. data: `GYM_DATA` or a folder of `openfoley data pairs`. kind: of the
    connectors. trains: in the third stage. steps, scenes (of the Gym), accumulation (passes for one update, at full
    size): the preset's if None. weights_dir: of the published base models, at full size."""

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

    @property
    def variant(self) -> str:
        """Behind the names of the third stage's folders."""
        return "" if (self.kind, self.trains) == ("cmc-pe", "connectors") else f"-{self.kind}-{self.trains}"

    @property
    def place(self) -> Path:
        """Of the stage."""
        return self.out / f"{self.stage}{self.variant}"

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
            steps=self.steps or base.steps, bases=self.bases, device=self.device,
        )  # fmt: skip


def with_kind(architecture: JointConfig, kind: Kind) -> JointConfig:
    connectors = replace(architecture.connectors, kind=kind)
    if kind == "cross-attention":  # as published: the single vector is of x_t alone
        connectors = replace(connectors, encoder_input="x_cur")
    return replace(architecture, connectors=connectors)


def train(recipe: PairRecipe, *, resume: bool = False) -> Path:
    """The folder of the stage, or after the third the model's. UsageError, before any work, for what is missing."""
    _check(recipe, resume)
    if recipe.preset == "full":
        from openfoley.training.joint.full import train_full

        return train_full(recipe, resume=resume)
    training, validation = recipe.pairs()
    preset = recipe.settings(training)
    config, networks = train_stage_on(preset, training, validation, recipe.place, resume=resume)
    if recipe.stage != "connectors":
        return recipe.place
    return _save_model(recipe, preset, config, networks.eval(), validation)


def _check(recipe: PairRecipe, resume: bool) -> None:
    check_diffusers()
    checked_device(recipe.device)
    if recipe.preset not in ("gym", "full"):
        raise UsageError(f"preset must be gym or full, got {recipe.preset!r}")
    for name, count in (("steps", recipe.steps), ("scenes", recipe.scenes), ("accumulation", recipe.accumulation)):
        if count is not None and count < 1:
            raise UsageError(f"{name} must be at least 1, got {count}")
    if recipe.scenes is not None and recipe.data != GYM_DATA:
        raise UsageError("scenes is for --data gym; leave it out")
    if recipe.preset == "full":
        _check_full(recipe)
    elif recipe.accumulation is not None or recipe.weights_dir is not None:
        raise UsageError("accumulation and weights_dir are for --preset full; leave them out")
    elif missing := [base.name for base in recipe.bases if not (base / WEIGHTS).is_file()]:
        raise UsageError(
            f"{str(recipe.out)!r} holds no trained {missing[0]} model; train it first: --stage {missing[0]}"
        )
    if recipe.stage != "connectors" and recipe.variant:
        raise UsageError(f"kind and trains are for the stage connectors, got {recipe.stage}; leave them out")
    check_unused(recipe.place, resume)


def _check_full(recipe: PairRecipe) -> None:
    if recipe.stage != "connectors":
        raise UsageError(
            f"the base models of preset full are published and not trained here, got --stage {recipe.stage}; pass "
            "--stage connectors (their U-Nets may be trained with it: --trains motion or everything)"
        )
    if recipe.data == GYM_DATA:
        raise UsageError(
            "preset full learns from real clips: pass --data DIR, made with openfoley data pairs KIND SOURCE "
            "--size 256 --duration 4 --out DIR"
        )


def _save_model(
    recipe: PairRecipe, preset: PairTraining, config: PairModelConfig, networks: Networks, validation: Pairs
) -> Path:
    """The weights of all three stages, and the loss curves of both U-Nets on the validation clips."""
    curves = held_curves(networks, preset, validation)
    sources = {base.name: base / WEIGHTS for base in recipe.bases} | {"connectors": recipe.place / WEIGHTS}
    if recipe.trains != "connectors":
        sources |= {base.name: recipe.place / f"{base.name}.safetensors" for base in recipe.bases}
    named = replace(config, name=recipe.out.name, curves=curves)
    tensors = {name: read_weights(path) for name, path in sources.items()}
    return save_pair_model(recipe.out / f"model{recipe.variant}", named, tensors)
