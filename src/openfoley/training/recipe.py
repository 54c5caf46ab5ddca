"""The whole recipe of a Gym model: render, codec, semantic, sync, features, generator, model folder.

Everything lies in one folder, and each step finds what the earlier ones left:

    data/stills                  pictures of Gym scenes for the semantic encoder
    data/train                   rendered Gym scenes for codec and sync encoder
    data/generator               and others for the generator, which uses both (salsa_v/train.py)
    data/validation
    codec/ semantic/ sync/       trained parts
    features/{seen,train,validation}  what the generator trains from (seen: of data/train, train: of data/generator)
    generator/
    salsa-v-gym/                 the model folder
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Literal, get_args

from openfoley.errors import UsageError
from openfoley.gym.seeds import WORLDS, check_world, mixed_seeds, seeds_of
from openfoley.hub.load import checked_device
from openfoley.media.read.content_hash import file_hash
from openfoley.training.loop.checkpoint import check_unused

logger = logging.getLogger(__name__)

Part = Literal["codec", "semantic", "sync", "generator"]
Preset = Literal["cpu", "cpu-long", "gpu"]
PRESETS: tuple[Preset, ...] = get_args(Preset)
ORDER: tuple[Part, ...] = ("codec", "semantic", "sync", "generator")
FEATURES_OF: tuple[Part, ...] = ("codec", "semantic", "sync")
STARTED: tuple[Part, ...] = ("sync", "generator")
"""Parts that can begin with the weights of a model."""
PLACES: dict[Part, dict[str, str]] = {
    "codec": {"data": "data/train"},
    "semantic": {"data": "data/stills", "validation": "data/validation"},
    "sync": {"data": "data/train", "validation": "data/validation", "semantic": "semantic"},
    "generator": {"features": "features"},
}
"""What in the folder each part's settings point to."""
MODEL_NAME = "salsa-v-gym"


@dataclass(frozen=True)
class Scenes:
    """How many scenes a preset renders."""

    training: int  # of 8 s, for codec and sync encoder; 6.7 MB on disk each
    seen: int  # of these that the generator trains on too; features take 0.4 s a scene on 2 cores
    generator: int  # others, for the generator alone
    stills: int  # pictures of so many more, 83 kB on disk each
    bodies: float  # share of all of these that shows solid bodies, which need the extra `gym`; the others are flat


SCENES: dict[Preset, Scenes] = {
    "cpu": Scenes(training=2400, seen=600, generator=1200, stills=16_000, bodies=0.2),
    "cpu-long": Scenes(training=6000, seen=6000, generator=3200, stills=36_000, bodies=0.33),
    "gpu": Scenes(training=6000, seen=6000, generator=6000, stills=60_000, bodies=0.33),
}
FIRST_STILL = 1_000_000
"""Their first seed within the training split: none of the other scenes."""
VALIDATION_SCENES = 64
"""Of each world."""
SILENT_EVERY = 6
"""Of so many training scenes one more than by chance moves without a sound: a false positive is noticed at once."""


def train_part(
    part: Part,
    preset: Preset,
    out: Path,
    *,
    resume: bool,
    generator: str = "salsa-v",
    start: str | None = None,
    steps: int | None = None,
) -> Path:
    """Train one part into out/<part>, from data (and, for the generator, the other parts) in the same folder.

    generator: one of `gym_losses.presets.GENERATORS`, others than "salsa-v" into out/generator-<name>. start: a model's
    name or folder; sync encoder or generator begin with its weights instead of random ones. steps: of these two instead
    of the preset's. Raises UsageError for start or steps of another part, for a device that is not there, where a
    training lies that is not to be resumed, and where the Gym's extra is missing; all before anything is rendered.
    """
    check_request(part, preset, out, start=start, steps=steps)
    folder = part_folder(part, out, generator)
    check_unused(folder, resume)
    settings, train = settings_of(part, preset, generator)
    checked_device(settings.device)
    prepare_data(preset, out)
    if steps is not None:
        settings = replace(settings, steps=steps)
    if start is not None:
        settings = replace(settings, start=_weights_of(start, part))
        if part == "sync":
            from openfoley.training.sync.train import continued

            settings = continued(settings)
    if part == "generator":
        prepare_features(preset, out, settings.device)
        if start is not None:  # it was trained on the encoders' scenes; now only on the others (seen_share)
            settings = replace(settings, seen_share=0.0)
    logger.info("training %s into %s", part, folder)
    found = {name: out / place for name, place in PLACES[part].items()}
    return train(replace(settings, **found), folder, resume=resume)


def settings_of(part: Part, preset: Preset, generator: str = "salsa-v") -> tuple[Any, Callable[..., Path]]:
    """A part's settings (a frozen dataclass) and the function that trains with them. Imported on demand."""
    if part != "generator":
        module = import_module(f"openfoley.training.{part}.train")
        return module.PRESETS[preset], getattr(module, f"train_{part}")
    from openfoley.training.gym_losses.presets import LOSSES, PRESETS, variant
    from openfoley.training.salsa_v.train import train_generator

    return variant(PRESETS[preset], generator), partial(train_generator, extra=LOSSES)


def check_request(part: Part, preset: str, out: Path, *, start: str | None, steps: int | None) -> None:
    """UsageError for what no training of this part can do, before anything is rendered."""
    if preset not in PRESETS:
        raise UsageError(f"unknown preset {preset!r}; use one of {', '.join(PRESETS)}")
    if out.exists() and not out.is_dir():
        raise UsageError(f"the output {str(out)!r} is a file; pass a folder")
    if part not in STARTED and (start is not None or steps is not None):
        raise UsageError(f"start and steps are for training {' or '.join(STARTED)}, got {part}; leave them out")
    if steps is not None and steps < 1:
        raise UsageError(f"steps must be at least 1, got {steps}")
    weights = _weights_of(start, part) if start is not None else None
    if part == "sync" and (weights is None or not _holds_appearance(weights)):
        _trained("semantic", out, "the sync encoder")
    if SCENES[preset].bodies > 0 and not _is_rendered(out):
        check_world("bodies")


def _is_rendered(out: Path) -> bool:
    """Whether all scenes are there."""
    from openfoley.data.gym_cache import FINISHED

    finished = [out / "data" / name / FINISHED for name in ("train", "generator", "validation")]
    return all(path.is_file() for path in (*finished, out / "data" / "stills" / "stills.json"))


def _weights_of(model: str, part: Part) -> Path:
    """A model's weights of a part."""
    from openfoley.hub.registry import find_model

    path = find_model(model) / f"{part}.safetensors"
    if not path.is_file():
        raise UsageError(f"{str(path)!r} is missing; start from a model folder that has it")
    return path


def _holds_appearance(weights: Path) -> bool:
    """Whether a sync encoder's weights hold the semantic encoder's tower; a broken file fails when it is loaded."""
    from safetensors import SafetensorError, safe_open

    from openfoley.training.sync.train import APPEARANCE

    try:
        with safe_open(str(weights), "pt") as file:
            return any(name.startswith(APPEARANCE) for name in file.keys())  # noqa: SIM118 (no mapping)
    except SafetensorError:
        return True


def _trained(part: Part, out: Path, needed_by: str) -> Path:
    """The weights of a part trained before."""
    path = out / part / "model.safetensors"
    if not path.is_file():
        raise UsageError(f"{needed_by} needs the {part} in {str(out / part)!r}; train {part} first")
    return path


def prepare_data(preset: Preset, out: Path) -> None:
    """Render the Gym scenes once."""
    from openfoley.data.gym_cache import GymCache
    from openfoley.data.stills import Stills

    scenes, folder = SCENES[preset], out / "data"
    mixed = partial(mixed_seeds, "train", bodies=scenes.bodies)
    GymCache.build(folder / "train", mixed(scenes.training), split="train", silent_every=SILENT_EVERY)
    Stills.build(folder / "stills", mixed(scenes.stills, FIRST_STILL), split="train")
    others = mixed(scenes.generator, first=scenes.training)
    GymCache.build(folder / "generator", others, split="train", silent_every=SILENT_EVERY)
    GymCache.build(folder / "validation", validation_seeds(scenes.bodies > 0), split="validation")


def validation_seeds(bodies: bool) -> list[int]:
    """VALIDATION_SCENES of each world in turn, so that the first ones are of both too, or of the flat one alone."""
    worlds = WORLDS if bodies else WORLDS[:1]
    of_each = [seeds_of("validation", VALIDATION_SCENES, world=world) for world in worlds]
    return [seed for seeds in zip(*of_each, strict=True) for seed in seeds]


def prepare_features(preset: Preset, out: Path, device: str) -> None:
    """Run the trained codec and encoders over the scenes once."""
    from openfoley.data.gym_cache import GymCache
    from openfoley.hub.load import load_part
    from openfoley.training.features import cache_features

    origins = {part: file_hash(_trained(part, out, "the generator")) for part in FEATURES_OF}
    codec, sync = load_part("codec", out / "codec", device), load_part("sync", out / "sync", device)
    semantic = load_part("semantic", out / "semantic", device)
    for scenes, split in (("train", "seen"), ("generator", "train"), ("validation", "validation")):
        data = GymCache.open(out / "data" / scenes)
        data = data.first(SCENES[preset].seen) if split == "seen" else data
        cache_features(data, codec, sync, semantic, out / "features" / split, origins=origins, device=device)


def assemble(out: Path, generator: str = "salsa-v") -> Path:
    """The model folder of the four trained parts: salsa-v-gym or mmaudio-gym."""
    from openfoley.hub.save import assemble_model

    parts = {part: part_folder(part, out, generator) for part in ORDER}
    name = MODEL_NAME if generator == "salsa-v" else f"{generator}-gym"
    return assemble_model(out / name, name, parts, out / "semantic" / "tokenizer.json")


def train_all(preset: Preset, out: Path, *, resume: bool, generator: str = "salsa-v") -> Iterator[tuple[Part, Path]]:
    """All parts in order, each with its weights once it is trained; `assemble` then makes the model of them. UsageError
    before hours are spent on the first part if another cannot be trained."""
    for part in ORDER:
        check_unused(part_folder(part, out, generator), resume)
    for part in ORDER:
        yield part, train_part(part, preset, out, resume=resume, generator=generator)


def report_folder(model: Path, out: Path) -> Path:
    """Of these weights: other ones, trained before in the same folder, have another report."""
    from openfoley.hub.fingerprint import fingerprint
    from openfoley.hub.load import load_model

    return out / f"report-{fingerprint(load_model(str(model.resolve())))[:8]}"


def part_folder(part: Part, out: Path, generator: str = "salsa-v") -> Path:
    """Where a part is trained."""
    return out / (part if part != "generator" or generator == "salsa-v" else f"generator-{generator}")
