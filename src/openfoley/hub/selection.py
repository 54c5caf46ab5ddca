"""The optional part of a model folder that selects by text: section `selection` of config.json, selection.safetensors.

    selection.*   the block on the sync encoder's tokens (`encoders.selective_sync`), whose shape the section gives
    sync.*        tensors of the pooling behind it, and of a trunk that was trained too (sync.trunk.*), that differ from
                  the sync encoder's own
    generator.*   tensors of the generator that differ from its own

Both models share all other weights. Without a text that selects the folder's model is used as it is, also for single
windows of a request that selects elsewhere (a cue): `Model.plain`, `SelectiveSync.select`. The metadata hold
the fingerprint of the model that it was trained on; beside another one it is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from openfoley.encoders.selective_sync import TRUNK, SelectiveSync
from openfoley.encoders.semantic import SemanticEncoder
from openfoley.encoders.semantic_words import SemanticWords
from openfoley.encoders.sync import SyncEncoder
from openfoley.encoders.text_selection import TextSelectionConfig
from openfoley.errors import WeightsError
from openfoley.generators.base import Generator
from openfoley.hub.filling import fill, read_metadata, unfilled
from openfoley.hub.fingerprint import SHOWN_DIGITS, base_of
from openfoley.hub.parts import Model
from openfoley.types import WORDS

BLOCK, POOLING, GENERATOR = "selection.", "sync.", "generator."  # of the file's keys
KEY = "selection"  # of the metadata
ADVICE = "train one: openfoley train selective-encoder, or remove the file and the section of config.json"
Tensors = Mapping[str, Shaped[Tensor, "..."]]


def selective_model(model: Model, config: TextSelectionConfig, tensors: Tensors, where: str) -> Model:
    """The model in which a text selects; WeightsError, which begins with `where`, for tensors that do not fit."""
    trunk, meaning = model.parts["sync"], model.parts["semantic"]
    if not isinstance(trunk, SyncEncoder) or not isinstance(meaning, SemanticEncoder):
        raise WeightsError(f"{where}: its sync or semantic encoder is none that a text can select from")
    if odd := [key for key in tensors if not key.startswith((BLOCK, POOLING, GENERATOR))]:
        raise WeightsError(f"{where}: it holds {odd[0]!r}, which is not part of it")
    if any(key.startswith(POOLING + TRUNK) for key in tensors):
        trunk = deepcopy(trunk)
    with torch.random.fork_rng(devices=[]):
        sync = SelectiveSync(trunk, config)
    block = {f"{BLOCK}{key}" for key in sync.selection.state_dict()}
    if lacking := sorted(block - set(tensors)):
        raise WeightsError(f"{where}: it lacks {lacking[0]!r}")
    own = {key: value for key, value in tensors.items() if key.startswith(BLOCK)} | _without(POOLING, tensors)
    fill(sync, {**sync.state_dict(), **own}, where)
    generator = model.parts["generator"]
    kind, shape = type(generator), generator.config
    changed = unfilled(lambda: kind(shape))
    fill(changed, {**generator.state_dict(), **_without(GENERATOR, tensors)}, where, assign=True)
    parts = {**model.parts, "sync": sync, "generator": changed}
    encoders = {**model.encoders, "sync": sync, WORDS: SemanticWords(meaning)}
    return replace(
        model, parts=parts, encoders=encoders, generator=cast(Generator, changed), selective=None, plain=model.generator
    )


def selection_tensors(model: Model, sync: nn.Module, generator: nn.Module | None = None) -> dict[str, Tensor]:
    """What a folder of the model stores for a trained `SelectiveSync` and generator; of no generator, its own."""
    base = model.parts["sync"].state_dict()
    tensors: dict[str, Tensor] = {}
    for key, value in sync.state_dict().items():
        if key.startswith(BLOCK):
            tensors[key] = value
        elif not torch.equal(value, base[key.removeprefix(TRUNK)]):
            tensors[f"{POOLING}{key}"] = value
    own = model.parts["generator"].state_dict()
    for key, value in {} if generator is None else generator.state_dict().items():
        if not torch.equal(value, own[key]):
            tensors[f"{GENERATOR}{key}"] = value
    return tensors


def metadata_of(base: Model) -> dict[str, str]:
    """Of the file of a selection that was trained on this model."""
    return {KEY: json.dumps({"base": base_of(base), "base_name": base.name})}


def check_base(model: Model, path: Path) -> None:
    """WeightsError for a file that was trained on another model than that which it lies beside."""
    try:
        about = json.loads(read_metadata(path).get(KEY, "{}"))
        base, name = str(about["base"]), str(about["base_name"])
    except (ValueError, KeyError, TypeError):
        raise WeightsError(f"{str(path)!r}: its metadata lack the model that it was trained on; {ADVICE}") from None
    if base != (own := base_of(model)):
        raise WeightsError(
            f"{str(path)!r} belongs to another model: {name} {base[:SHOWN_DIGITS]}, this is {model.name} "
            f"{own[:SHOWN_DIGITS]}; {ADVICE}"
        )


def _without(prefix: str, tensors: Tensors) -> dict[str, Tensor]:
    """Those with the prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
