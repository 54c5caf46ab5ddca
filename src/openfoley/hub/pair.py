"""Load and save models of sound and picture together: whole ones (`hub.pair_parts`), and connectors between published
base models (`hub.pair_connectors`)."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Shaped
from torch import Tensor

from openfoley.codecs.folded import FoldedCodec
from openfoley.config import from_dict, to_dict
from openfoley.errors import UsageError, WeightsError
from openfoley.generators.joint.model import JointGenerator
from openfoley.generators.joint.unets import check_diffusers
from openfoley.hub import pair_connectors
from openfoley.hub.cards.svg import CONNECTORS_MISSING, GYM, PAIR_CARDS, TRAIN_GYM
from openfoley.hub.download import Progress
from openfoley.hub.filling import fill
from openfoley.hub.load import checked_device, read_weights
from openfoley.hub.pair_parts import FORMAT, STAGES, Limits, PairModel, PairModelConfig, Words, base_modules
from openfoley.hub.registry import CONFIG_NAME, SHIPPED_FOLDER
from openfoley.hub.save import complete_folder, save_weights

DEFAULT_PAIR_MODEL = GYM.name
Precision = Literal["float32", "bfloat16"]
PRECISIONS: dict[Precision, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}


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


def load_pair_model(
    name_or_folder: str | os.PathLike[str],
    device: str | torch.device = "cpu",
    weights_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    precision: Precision = "float32",
) -> PairModel:
    """In evaluation mode. weights_dir, progress: for the base models of connectors of full size (`hub.pair_files`).
    precision: of the networks that sample. UsageError, WeightsError."""
    folder = check_pair_model(name_or_folder)
    check_diffusers()
    if precision not in PRECISIONS:
        raise UsageError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    target, dtype = checked_device(device), PRECISIONS[precision]
    content = read_pair_config(folder)
    if content["kind"] == pair_connectors.KIND:
        bases = Path(weights_dir) if weights_dir else None
        return pair_connectors.load_connectors(folder, content, target, dtype, bases, progress)
    config = from_dict(PairModelConfig, content, where=str(folder / CONFIG_NAME))
    with torch.random.fork_rng(devices=[]):  # their start is replaced
        generator = JointGenerator(config.generator)
        video, audio, files = base_modules(config, generator)
    for name, module in files.items():
        path = folder / f"{name}.safetensors"
        fill(module, read_weights(path), f"{str(path)!r} does not match its config")
        module.to(target).eval().requires_grad_(False)
    return PairModel(
        config.name, generator.to(dtype).eval(), FoldedCodec(config.codec), Words(video, audio, config.name),
        config.frames, config.codec.rate, config.steps, config.video_guidance, config.audio_guidance, config.curves,
    )  # fmt: skip


def pair_limits(name_or_folder: str | os.PathLike[str]) -> Limits:
    """Of a model, without loading it. UsageError, WeightsError."""
    folder = check_pair_model(name_or_folder)
    content, where = read_pair_config(folder), str(folder / CONFIG_NAME)
    if content["kind"] == pair_connectors.KIND:
        mine = from_dict(pair_connectors.ConnectorsConfig, content, where=where)
        return Limits(mine.name, mine.frames, mine.rate, mine.generator.motion_frames, mine.curves, None)
    config = from_dict(PairModelConfig, content, where=where)
    return Limits(
        config.name, config.frames, config.codec.rate, config.generator.motion_frames, config.curves, config.longest
    )  # fmt: skip


def is_pair_folder(folder: Path) -> bool:
    """Whether its config says that it is a model of sound and picture together."""
    try:
        content = json.loads((folder / CONFIG_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("kind") in ("pair", pair_connectors.KIND)


def read_pair_config(folder: Path) -> dict[str, Any]:
    """Of a whole model or of connectors, whose files are there. UsageError, WeightsError."""
    path = folder / CONFIG_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} cannot be read: {error}") from None
    formats = {"pair": FORMAT, pair_connectors.KIND: pair_connectors.FORMAT}
    if not isinstance(content, dict) or content.get("kind") not in formats:
        raise UsageError(
            f"{str(folder)!r} is not a model of sound and picture together; use it with `openfoley generate`"
        )
    if content.get("format") != (expected := formats[content["kind"]]):
        raise WeightsError(f"{str(path)!r}: expected format {expected}, found {content.get('format')!r}")
    stems = ("connectors",) if content["kind"] == pair_connectors.KIND else STAGES
    if missing := [f"{stem}.safetensors" for stem in stems if not (folder / f"{stem}.safetensors").is_file()]:
        raise WeightsError(f"{str(folder)!r} has no {', '.join(missing)}; copy the whole folder, or train it again")
    return content


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
