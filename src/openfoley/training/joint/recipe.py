"""`openfoley train pair`: data, one stage, and after the third the model folder.

DIR/data        Gym close-ups, rendered once          DIR/video, audio, connectors    a stage: weights, log, checkpoint
DIR/model       the finished model, for `generate-pair --model`
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import torch

from openfoley.codecs.folded import FoldedCodec
from openfoley.data.pairs.gym_pairs import WORLD, GymPairs
from openfoley.data.pairs.pair import Pairs, batch_of
from openfoley.errors import UsageError
from openfoley.generators.joint.config import Kind
from openfoley.generators.joint.unets import check_diffusers
from openfoley.gym.seeds import Split, seeds_of
from openfoley.hub.load import checked_device, read_weights
from openfoley.hub.pair import save_pair_model
from openfoley.hub.pair_parts import STAGES, LossCurves, Stage
from openfoley.training.joint.presets import GYM, GYM_SCENES, PairTraining, Trained
from openfoley.training.joint.train import latents_of, loss_curve, train_stage_on

GYM_DATA = "gym"
WEIGHTS = "model.safetensors"
FEW = 100
"""Scenes that are rendered in this process."""


def train_stage(
    stage: Stage,
    preset: str,
    out: Path,
    *,
    data: str = GYM_DATA,
    kind: Kind = "cmc-pe",
    trains: Trained = "connectors",
    steps: int | None = None,
    scenes: int | None = None,
    device: str = "cpu",
    resume: bool = False,
) -> Path:
    """The folder of the stage, or after the third the model's. UsageError, before any work, for what is missing."""
    check_diffusers()
    checked_device(device)
    if preset != "gym":
        raise UsageError(
            f"preset {preset!r} needs latents of the published VAEs, which this version does not compute; pass gym"
        )
    if steps is not None and steps < 1:
        raise UsageError(f"steps must be at least 1, got {steps}")
    bases = tuple(out / name for name in STAGES if name != "connectors") if stage == "connectors" else ()
    if missing := [base.name for base in bases if not (base / WEIGHTS).is_file()]:
        raise UsageError(f"{str(out)!r} holds no trained {missing[0]} model; train it first: --stage {missing[0]}")
    if stage != "connectors" and trains != "connectors":
        raise UsageError(f"trains={trains!r} is for the stage connectors; leave it out")
    training, validation = data_of(data, out, scenes)
    asked = settings(stage, kind, trains, bases, training, steps, device)
    place = out / (stage if (kind, trains) == ("cmc-pe", "connectors") else f"{stage}-{kind}-{trains}")
    config, networks = train_stage_on(asked, training, validation, place, resume=resume)
    if stage != "connectors":
        return place
    codec = FoldedCodec(asked.codec)
    held = batch_of(validation, range(min(asked.validation, len(validation))))
    sources = {name: out / name / WEIGHTS for name in STAGES} | {"connectors": place / WEIGHTS}
    if trains != "connectors":
        sources |= {name: place / f"{name}.safetensors" for name in ("video", "audio")}
    curves = loss_curve(
        networks.eval(), asked.architecture, *latents_of(codec, held, torch.device(device)),
        torch.Generator().manual_seed(asked.seed),
    )  # fmt: skip
    named = replace(config, name=out.name, curves=LossCurves(*curves))
    model = out / f"model{place.name.removeprefix('connectors')}"
    return save_pair_model(model, named, {name: read_weights(path) for name, path in sources.items()})


def settings(
    stage: Stage, kind: Kind, trains: Trained, bases: tuple[Path, ...], training: Pairs, steps: int | None, device: str
) -> PairTraining:
    """The Gym's preset with what was asked. UsageError for clips of another form than the model's."""
    base = GYM[stage]
    codec, form = base.codec, training.form
    if (form.size, form.rate) != (codec.size, codec.rate) or form.count > base.architecture.motion_frames:
        raise UsageError(
            f"the pairs have {form.count} frames of {form.size} pixels at {float(form.rate):g} Hz, the preset takes at "
            f"most {base.architecture.motion_frames} of {codec.size} at {codec.rate}; see openfoley data pairs --help"
        )
    connectors = replace(base.architecture.connectors, kind=kind)
    if kind == "cross-attention":  # as published: the single vector is of x_t alone
        connectors = replace(connectors, encoder_input="x_cur")
    return replace(
        base, architecture=replace(base.architecture, connectors=connectors), data=training.digest, trained=trains,
        steps=steps or base.steps, bases=bases, device=device,
    )  # fmt: skip


def data_of(data: str, out: Path, scenes: int | None) -> tuple[Pairs, Pairs]:
    """Training and validation clips: rendered, or those of a folder."""
    if data != GYM_DATA:
        if scenes is not None:
            raise UsageError("scenes is for --data gym; leave it out")
        return cast(Pairs, GymPairs.open(Path(data) / "train")), cast(Pairs, GymPairs.open(Path(data) / "validation"))
    train = scenes or GYM_SCENES["train"]

    def made(split: Split, count: int) -> Pairs:
        seeds = seeds_of(split, count, world=WORLD)
        return cast(Pairs, GymPairs.build(out / "data" / split, seeds, workers=1 if count < FEW else None))

    return made("train", train), made("validation", min(train, GYM_SCENES["validation"]))
