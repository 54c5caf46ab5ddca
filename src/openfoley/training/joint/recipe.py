"""`openfoley train pair`: data, one stage, and after the third the model folder.

DIR/data        Gym close-ups, rendered once          DIR/video, audio, connectors    a stage: weights, log, checkpoint
DIR/model       the finished model, for `generate-pair --model`

A variant of the third stage (another kind of connectors, more weights trained) has its name behind `connectors` and
`model`; it shares the data and the first two stages.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from openfoley.codecs.folded import FoldedCodec
from openfoley.data.pairs.clip_folder import open_pairs
from openfoley.data.pairs.gym_pairs import WORLD, GymPairs
from openfoley.data.pairs.pair import Pairs, batch_of
from openfoley.errors import UsageError
from openfoley.generators.joint.config import Kind
from openfoley.generators.joint.unets import check_diffusers
from openfoley.gym.seeds import Split, seeds_of
from openfoley.hub.load import checked_device, read_weights
from openfoley.hub.pair import save_pair_model
from openfoley.hub.pair_parts import STAGES, LossCurves, PairModelConfig, Stage
from openfoley.training.joint.presets import GYM, GYM_SCENES, PairTraining, Trained
from openfoley.training.joint.train import Networks, latents_of, loss_curve, train_stage_on
from openfoley.training.loop.checkpoint import check_unused

GYM_DATA = "gym"
WEIGHTS = "model.safetensors"
FEW = 100
"""Scenes that are rendered in this process."""


@dataclass(frozen=True)
class PairRecipe:
    """A stage and the folder of all three. data: `GYM_DATA` or a folder of `openfoley data pairs`. kind: of the
    connectors. trains: in the third stage. steps, scenes (of the Gym): the preset's if None."""

    stage: Stage
    out: Path
    preset: str = "gym"
    data: str = GYM_DATA
    kind: Kind = "cmc-pe"
    trains: Trained = "connectors"
    steps: int | None = None
    scenes: int | None = None
    device: str = "cpu"

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
        connectors = replace(base.architecture.connectors, kind=self.kind)
        if self.kind == "cross-attention":  # as published: the single vector is of x_t alone
            connectors = replace(connectors, encoder_input="x_cur")
        return replace(
            base, architecture=replace(base.architecture, connectors=connectors), data=training.digest,
            trained=self.trains, steps=self.steps or base.steps, bases=self.bases, device=self.device,
        )  # fmt: skip


def train(recipe: PairRecipe, *, resume: bool = False) -> Path:
    """The folder of the stage, or after the third the model's. UsageError, before any work, for what is missing."""
    _check(recipe, resume)
    training, validation = recipe.pairs()
    preset = recipe.settings(training)
    config, networks = train_stage_on(preset, training, validation, recipe.place, resume=resume)
    if recipe.stage != "connectors":
        return recipe.place
    return _save_model(recipe, preset, config, networks.eval(), validation)


def _check(recipe: PairRecipe, resume: bool) -> None:
    check_diffusers()
    checked_device(recipe.device)
    if recipe.preset != "gym":
        raise UsageError(
            f"preset {recipe.preset!r} needs latents of the published VAEs, which this version does not compute; "
            "pass gym"
        )
    for name, count in (("steps", recipe.steps), ("scenes", recipe.scenes)):
        if count is not None and count < 1:
            raise UsageError(f"{name} must be at least 1, got {count}")
    if recipe.scenes is not None and recipe.data != GYM_DATA:
        raise UsageError("scenes is for --data gym; leave it out")
    if missing := [base.name for base in recipe.bases if not (base / WEIGHTS).is_file()]:
        raise UsageError(
            f"{str(recipe.out)!r} holds no trained {missing[0]} model; train it first: --stage {missing[0]}"
        )
    if recipe.stage != "connectors" and recipe.variant:
        raise UsageError(f"kind and trains are for the stage connectors, got {recipe.stage}; leave them out")
    check_unused(recipe.place, resume)


def _save_model(
    recipe: PairRecipe, preset: PairTraining, config: PairModelConfig, networks: Networks, validation: Pairs
) -> Path:
    """The weights of all three stages, and the loss curves of both U-Nets on the validation clips."""
    held = batch_of(validation, range(min(preset.validation, len(validation))))
    curves = loss_curve(
        networks, preset.architecture, *latents_of(FoldedCodec(preset.codec), held, torch.device(preset.device)),
        torch.Generator().manual_seed(preset.seed),
    )  # fmt: skip
    sources = {base.name: base / WEIGHTS for base in recipe.bases} | {"connectors": recipe.place / WEIGHTS}
    if recipe.trains != "connectors":
        sources |= {base.name: recipe.place / f"{base.name}.safetensors" for base in recipe.bases}
    named = replace(config, name=recipe.out.name, curves=LossCurves(*curves))
    tensors = {name: read_weights(path) for name, path in sources.items()}
    return save_pair_model(recipe.out / f"model{recipe.variant}", named, tensors)
