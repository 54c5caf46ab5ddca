"""Load and save models of sound and picture together (`hub.pair_parts`)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Shaped
from torch import Tensor

from openfoley.codecs.folded import FoldedCodec
from openfoley.config import from_dict, to_dict
from openfoley.errors import UsageError, WeightsError
from openfoley.generators.joint.model import JointGenerator
from openfoley.generators.joint.unets import check_diffusers
from openfoley.hub.cards.svg import CONNECTORS_MISSING, GYM, PAIR_CARDS, TRAIN_GYM
from openfoley.hub.filling import fill
from openfoley.hub.load import checked_device, read_weights
from openfoley.hub.pair_parts import FORMAT, STAGES, PairModel, PairModelConfig, Words, base_modules
from openfoley.hub.registry import CONFIG_NAME, SHIPPED_FOLDER
from openfoley.hub.save import complete_folder, save_weights

DEFAULT_PAIR_MODEL = GYM.name


def check_pair_model(name_or_folder: str | os.PathLike[str]) -> Path:
    """The folder of a model, whose files are there. UsageError, WeightsError."""
    text = os.fspath(name_or_folder)
    if text == GYM.name:
        folder = SHIPPED_FOLDER / text
        if not (folder / CONFIG_NAME).is_file():
            raise WeightsError(f"{text} is not trained yet: this version has no weights for it; {TRAIN_GYM}")
        return folder
    if text in PAIR_CARDS:
        raise WeightsError(f"{text}: {CONNECTORS_MISSING}")
    folder = Path(text)
    if not (folder / CONFIG_NAME).is_file():
        raise UsageError(
            f"unknown model {text!r}; pass one of {', '.join(PAIR_CARDS)} or a folder that `openfoley train pair` wrote"
        )
    return folder


def load_pair_model(name_or_folder: str | os.PathLike[str], device: str | torch.device = "cpu") -> PairModel:
    """In float32 and evaluation mode. UsageError, WeightsError."""
    folder = check_pair_model(name_or_folder)
    check_diffusers()
    target = checked_device(device)
    config = read_pair_config(folder)
    with torch.random.fork_rng(devices=[]):  # their start is replaced
        generator = JointGenerator(config.generator)
        video, audio, files = base_modules(config, generator)
    for name, module in files.items():
        path = folder / f"{name}.safetensors"
        fill(module, read_weights(path), f"{str(path)!r} does not match its config")
        module.to(target).eval().requires_grad_(False)
    return PairModel(
        config.name, generator.eval(), FoldedCodec(config.codec), Words(video, audio, config.name), config.frames,
        config.codec.rate, config.steps, config.video_guidance, config.audio_guidance, config.curves,
    )  # fmt: skip


def read_pair_config(folder: Path) -> PairModelConfig:
    path = folder / CONFIG_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} cannot be read: {error}") from None
    if not isinstance(content, dict) or content.get("kind") != "pair":
        raise UsageError(
            f"{str(folder)!r} is not a model of sound and picture together; use it with `openfoley generate`"
        )
    if content.get("format") != FORMAT:
        raise WeightsError(f"{str(path)!r}: expected format {FORMAT}, found {content.get('format')!r}")
    return from_dict(PairModelConfig, content, where=str(path))


def save_pair_model(
    folder: Path, config: PairModelConfig, tensors: Mapping[str, Mapping[str, Shaped[Tensor, "..."]]]
) -> Path:
    """tensors: of the three files. Matrices in bfloat16; written atomically."""
    assert set(tensors) == set(STAGES)
    with complete_folder(folder) as unfinished:
        (unfinished / CONFIG_NAME).write_text(json.dumps(to_dict(config), indent=1) + "\n", encoding="utf-8")
        for name, values in tensors.items():
            save_weights(values, unfinished / f"{name}.safetensors")
    return folder
