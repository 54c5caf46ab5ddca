"""The recipe of a model's adapters: long clips, their features, the training, the file.

features/{train,validation}   of long clips (`features`): Gym scenes, or a folder of videos
training/                     checkpoint and log
adapters.safetensors          for `--adapters`, or for the model's folder
model/                        a copy of the model's folder with them, if the model has a folder

A variant's folders have its name behind them; it shares the features. recipes/salsa_v_gym_adapters.py makes a table.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from openfoley.data.long_clips import GymLongClips, LongClips, open_folder
from openfoley.encoders.base import TextConditioned
from openfoley.errors import UsageError
from openfoley.generators.adapters.config import VARIANTS, AdapterConfig, compact, paper
from openfoley.generators.base import WholeInput
from openfoley.gym.seeds import Split, World, seeds_of
from openfoley.hub.fingerprint import base_of
from openfoley.hub.load import load_base, read_weights
from openfoley.hub.parts import Model
from openfoley.hub.registry import ADAPTERS_NAME, find_model, published
from openfoley.hub.save import add_adapters, save_adapters
from openfoley.training.adapters.draws import SYNC, LongWindows
from openfoley.training.adapters.features import compute_features, long_features
from openfoley.training.adapters.presets import full_size, gym_size
from openfoley.training.adapters.train import AdapterTraining, train_adapters
from openfoley.training.loop.checkpoint import check_unused

GYM = "gym"
SHIPPED = "shipped"
SPLITS: tuple[Split, ...] = ("train", "validation")
WORLD: World = "long"
FIRST_SEED = 5_000_000
"""Within each split of the world of long scenes: none of those that studies and caches begin with."""
SCENES: Mapping[Split, int] = {"train": 64, "validation": 8}
DURATIONS_S: Mapping[Split, tuple[int, ...]] = {"train": (60, 90, 120, 180, 300), "validation": (60, 120)}
FULL_WIDTH = 448  # of the smallest published generator: from here on the size is the paper's


@dataclass(frozen=True)
class AdapterRecipe:
    """A model and the folder in which its adapters are trained. data: `GYM` or a folder of videos (`data.long_clips`).
    variant: one of `generators.adapters.config.VARIANTS`. scenes: of the Gym, for training. weights_dir: as for
    `load_model`. suffix: behind the names of folders and files."""

    model: str
    out: Path
    data: str = GYM
    variant: str = SHIPPED
    scenes: int = SCENES["train"]
    device: str = "cpu"
    weights_dir: Path | None = None
    suffix: str = ""

    def place(self, name: str) -> Path:
        """Of this variant."""
        stem, dot, suffix = name.partition(".")
        own = "" if self.variant == SHIPPED else f"-{self.variant}"
        return self.out / f"{stem}{own}{self.suffix}{dot}{suffix}"

    @cached_property
    def loaded(self) -> Model:
        """Without adapters that it has already."""
        return load_base(self.model, self.device, self.weights_dir)

    @property
    def is_full_size(self) -> bool:
        generator: Any = self.loaded.parts["generator"]
        return generator.config.width >= FULL_WIDTH

    @property
    def adapters(self) -> AdapterConfig:
        """The paper's at full size, ours at the Gym's; of pictures only where the generator sees some."""
        generator: Any = self.loaded.parts["generator"]
        config = (paper if self.is_full_size else compact)(generator.config)
        if self.is_full_size and self.variant not in (SHIPPED, "as-paper"):
            config = replace(config, queries=compact(generator.config).queries, heads=compact(generator.config).heads)
        if "semantic" not in self.loaded.encoders:
            config = replace(config, semantic_dim=0)
        return replace(config, **({} if self.is_full_size and self.variant == SHIPPED else VARIANTS[self.variant]))

    @property
    def clips(self) -> Mapping[Split, LongClips]:
        if self.data != GYM:
            return dict(open_folder(Path(self.data)))
        counts = {**SCENES, "train": self.scenes}
        return {
            split: GymLongClips(
                tuple(seeds_of(split, counts[split], FIRST_SEED, WORLD)), DURATIONS_S[split], split
            )
            for split in SPLITS
        }  # fmt: skip


def train(recipe: AdapterRecipe, *, resume: bool, steps: int | None = None) -> Path:
    """Train and write; returns the file of the adapters. UsageError before anything is rendered."""
    out = _checked(recipe, resume, steps)
    model, config = recipe.loaded, recipe.adapters
    clips = recipe.clips
    features = {split: long_features(model, clips[split], recipe.out / "features" / split) for split in SPLITS}
    preset = _preset(recipe, config, clips)
    whole = WholeInput(config.stretch_s, config.reach)
    windows = {split: LongWindows.of(features[split], model, whole, preset.draws) for split in SPLITS}
    preset = replace(preset, steps=steps or preset.steps, device=recipe.device)
    weights = train_adapters(
        preset, model.parts["generator"], windows["train"], windows["validation"], out, resume=resume
    )
    path = save_adapters(recipe.place(ADAPTERS_NAME), config, read_weights(weights), model)
    if published(recipe.model) is None:
        add_adapters(find_model(recipe.model), recipe.place("model"), path)
    return path


def features_of(recipe: AdapterRecipe, part: int, parts: int) -> None:
    """Compute every `parts`-th clip's features, from the `part`-th on: a share of what `train` begins with."""
    for split, clips in recipe.clips.items():
        numbers = range(part, len(clips.names), parts)
        compute_features(recipe.loaded, clips, recipe.out / "features" / split, numbers)


def _preset(recipe: AdapterRecipe, config: AdapterConfig, clips: Mapping[Split, LongClips]) -> AdapterTraining:
    names = [list(clips[split].names) for split in SPLITS]
    base, data = base_of(recipe.loaded), hashlib.sha256(repr(names).encode()).hexdigest()
    generator = recipe.loaded.generator
    if recipe.is_full_size:
        return full_size(config, base, data, generator.window_latents)
    return gym_size(config, base, data, accepts_known=generator.accepts_known)


def _checked(recipe: AdapterRecipe, resume: bool, steps: int | None) -> Path:
    """The training's folder."""
    folder = recipe.place("training")
    check_unused(folder, resume)
    if steps is not None and steps < 1:
        raise UsageError(f"steps must be at least 1, got {steps}")
    if recipe.scenes < 1:
        raise UsageError(f"scenes must be at least 1, got {recipe.scenes}")
    if recipe.variant not in VARIANTS:
        raise UsageError(f"unknown variant {recipe.variant!r}; use one of {', '.join(VARIANTS)}")
    if recipe.data != GYM and not Path(recipe.data).is_dir():
        raise UsageError(f"the data folder {recipe.data!r} does not exist; pass a folder of videos with sound, or gym")
    encoders = recipe.loaded.encoders
    if SYNC not in encoders or any(isinstance(encoder, TextConditioned) for encoder in encoders.values()):
        raise UsageError(
            f"{recipe.loaded.name} sees what a text selects; train adapters on the model that it is made from"
        )
    if recipe.data == GYM and recipe.is_full_size:
        raise UsageError(
            f"{recipe.loaded.name} learns from real videos; pass --data DIR, a folder of videos with sound"
        )
    return folder
