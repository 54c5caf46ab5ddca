"""`openfoley train pair`: data, one stage, and after the third the model folder. Published size: `training.joint.full`.

DIR/data        Gym close-ups, rendered once          DIR/video, audio, connectors    a stage: weights, log, checkpoint
DIR/model       the finished model, for `generate-pair --model`     DIR/model-half    as it was half-way (`save_half`)

A variant of the third stage (another kind of connectors, more weights trained) has its name behind `connectors` and
`model`; it shares the data and the first two stages.
"""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

from openfoley.data.disk import write_json
from openfoley.data.pairs.pair import Pairs
from openfoley.errors import UsageError
from openfoley.generators.joint.unets import check_diffusers
from openfoley.hub.load import checked_device, read_weights
from openfoley.hub.pair import save_pair_model
from openfoley.hub.pair_parts import PairModelConfig
from openfoley.hub.registry import CONFIG_NAME
from openfoley.hub.save import complete_folder, save_weights
from openfoley.training.joint.curves import held_curves
from openfoley.training.joint.full import train_full
from openfoley.training.joint.pair_recipe import GYM_DATA, PairRecipe
from openfoley.training.joint.presets import PairTraining
from openfoley.training.joint.train import HALF_FILE, Networks, train_stage_on
from openfoley.training.loop.checkpoint import check_unused

WEIGHTS = "model.safetensors"


def train(recipe: PairRecipe, *, resume: bool = False) -> Path:
    """The folder of the stage, or after the third the model's. UsageError, before any work, for what is missing."""
    _check(recipe, resume)
    if recipe.preset == "full":
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
    if recipe.hours is not None and not 0 < recipe.hours < math.inf:
        raise UsageError(f"hours must be more than 0, got {recipe.hours:g}")
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
    return save_pair_model(recipe.model, named, tensors)


def save_half(recipe: PairRecipe) -> Path:
    """The model as it was after half of a finished third stage, beside the model."""
    half = recipe.place / HALF_FILE
    for path, missing in ((half, "weights of half of the training"), (recipe.model / CONFIG_NAME, "finished model")):
        if not path.is_file():
            raise UsageError(f"no {missing} in {str(path.parent)!r}; train with --stage connectors --trains connectors")
    content = json.loads((recipe.model / CONFIG_NAME).read_text(encoding="utf-8"))
    with complete_folder(recipe.model.with_name(f"{recipe.model.name}-half")) as unfinished:
        for base in recipe.bases:
            shutil.copyfile(recipe.model / f"{base.name}.safetensors", unfinished / f"{base.name}.safetensors")
        save_weights(read_weights(half), unfinished / "connectors.safetensors")
        write_json(unfinished / CONFIG_NAME, content, indent=1)
    return recipe.model.with_name(f"{recipe.model.name}-half")
