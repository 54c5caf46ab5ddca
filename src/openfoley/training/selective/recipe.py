"""The recipe of a pair that selects by text, beside a model of the Gym's kind: sources, encoder, features, generator.

data/sources, data/sources-validation   scenes of several sources (`data.gym_sources`)
selective-encoder/                      stage 1
selective-features/{train,validation}   what stage 2 trains from
selective-generator/                    stage 2
selective-model/                        the model's folder with the pair, after either stage
"""

from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import cast

from openfoley.data.gym_sources import GymSources
from openfoley.errors import UsageError
from openfoley.generators.salsa_v.model import SalsaVGenerator
from openfoley.gym.seeds import seeds_of
from openfoley.hub.load import load_model, load_weights, read_weights
from openfoley.hub.registry import find_model
from openfoley.hub.save import add_selection
from openfoley.hub.selection import selection_tensors
from openfoley.media.read.content_hash import file_hash
from openfoley.training.gym_losses.presets import CPU
from openfoley.training.loop.checkpoint import check_unused
from openfoley.training.salsa_v.train import train_generator
from openfoley.training.selective.encoder import Own, SelectiveEncoderTraining, new_student, train_selective_encoder
from openfoley.training.selective.generator import as_selective, selected_features

FIRST_SEED = 2_000_000
"""Within the training split: none of the scenes that encoders and generator were trained on."""
TRAINING_SEEDS, VALIDATION_SEEDS = 800, 120
"""About half of them have several sources that a name tells apart; such a scene takes 29 MB on disk."""
STEPS = 4000  # of stage 2


def train_pair(
    part: str, model: str, out: Path, *, resume: bool, steps: int | None = None, scenes: int = TRAINING_SEEDS
) -> Path:
    """Train one stage (selective-encoder or selective-generator) for a model and write the model with it to
    OUT/selective-model; returns that folder. Raises UsageError before anything is rendered."""
    folder, source = out / part, find_model(model)
    check_unused(folder, resume)
    if steps is not None and steps < 1:
        raise UsageError(f"steps must be at least 1, got {steps}")
    encoder = SelectiveEncoderTraining(
        out / "data" / "sources", out / "data" / "sources-validation",
        sync=source / "sync.safetensors", semantic=source / "semantic.safetensors",
    )  # fmt: skip
    stage1 = out / "selective-encoder"
    if part == "selective-generator" and not (stage1 / "model.safetensors").is_file():
        raise UsageError(f"the selective generator needs the encoder in {str(stage1)!r}; train selective-encoder first")
    training = GymSources.build(encoder.data, seeds_of("train", scenes, FIRST_SEED), split="train")
    validation = seeds_of("validation", min(scenes, VALIDATION_SEEDS), FIRST_SEED)
    held_out = GymSources.build(encoder.validation, validation, split="validation")
    loaded = load_model(str(source.resolve()))
    student, words = new_student(loaded, encoder.selection, encoder.seed)
    if part == "selective-encoder":
        train_selective_encoder(replace(encoder, steps=steps or encoder.steps), folder, resume=resume)
    Own(student).load_state_dict(read_weights(stage1 / "model.safetensors"))
    student.eval().requires_grad_(False)
    generator = None
    if part == "selective-generator":
        depends = (stage1 / "model.safetensors", encoder.sync, encoder.semantic, source / "codec.safetensors")
        origin = " ".join(map(file_hash, depends))
        for sources, split in ((training, "train"), (held_out, "validation")):
            selected_features(loaded, student, words, sources, out / "selective-features" / split, origin)
        generator = deepcopy(cast(SalsaVGenerator, loaded.parts["generator"]))
        preset = replace(
            as_selective(CPU, generator), features=out / "selective-features", steps=steps or STEPS,
            start=source / "generator.safetensors",
        )  # fmt: skip
        load_weights(generator, train_generator(preset, folder, resume=resume))
    tensors = selection_tensors(loaded, student, generator)
    return add_selection(source, out / "selective-model", encoder.selection, tensors)
