"""The adapters of a model (`generators.adapters`) as one file: adapters.safetensors, beside the model or anywhere.

Its metadata hold the configuration and the fingerprint of the model that they were trained on; on another one they are
refused.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from torch import nn

from openfoley.config import from_dict
from openfoley.errors import WeightsError
from openfoley.generators.adapters.config import AdapterConfig
from openfoley.generators.adapters.model import AdaptedGenerator, Adapters
from openfoley.generators.base import Generator
from openfoley.hub.filling import fill, read_metadata, read_weights, unfilled
from openfoley.hub.fingerprint import SHOWN_DIGITS, base_of
from openfoley.hub.parts import Model

FORMAT = 1
KEY = "adapters"  # of the metadata
DIMS = ("width", "sync_dim", "semantic_dim", "text_dim")  # that adapters and generator share


def with_adapters(model: Model, path: Path) -> Model:
    """The model with the adapters of a file. WeightsError for a damaged file, or one of another base or width."""
    tensors, about = read_weights(path), _about(path)
    config = from_dict(AdapterConfig, about["config"], where=f"{str(path)!r}: config")
    generator: Any = model.parts["generator"]
    for name in DIMS:
        ours, theirs = getattr(generator.config, name), getattr(config, name)
        if ours != theirs and not (name == "semantic_dim" and theirs == 0):  # it reads sync features alone
            raise WeightsError(
                f"{str(path)!r} is for a generator with {name} {theirs} ({about['base_name']}), {model.name} has "
                f"{ours}; {_advice(model.name)}"
            )
    if about["base"] != (own := base_of(model)):
        raise WeightsError(
            f"{str(path)!r} belongs to another model: {about['base_name']} {about['base'][:SHOWN_DIGITS]}, this is "
            f"{model.name} {own[:SHOWN_DIGITS]}; {_advice(model.name)}"
        )
    adapters = unfilled(lambda: Adapters(config))
    fill(adapters, tensors, f"{str(path)!r} does not match its config", assign=True)
    adapters = cast(Adapters, adapters.to(model.device).eval().requires_grad_(False))
    selective = None if model.selective is None else replace(model.selective, adapters=adapters)
    return replace(model, adapters=adapters, selective=selective)


def adapted(model: Model) -> Model:
    """The model whose generator reads the whole video through its adapters."""
    adapters = model.adapters
    assert adapters is not None

    def wrapped(generator: nn.Module) -> AdaptedGenerator:
        return AdaptedGenerator(generator, adapters).eval()

    generator = wrapped(model.parts["generator"])
    plain = None if model.plain is None else cast(Generator, wrapped(cast(nn.Module, model.plain)))
    parts = {**model.parts, "generator": generator}
    return replace(model, parts=parts, generator=cast(Generator, generator), plain=plain)


def _advice(model: str) -> str:
    return f"train some: openfoley train adapters --model {model} --data gym --out DIR"


def _about(path: Path) -> dict[str, Any]:
    """The metadata of a file of adapters."""
    text = read_metadata(path).get(KEY)
    try:
        about = json.loads(text or "{}")
    except ValueError as error:
        raise WeightsError(f"{str(path)!r}: its config cannot be read: {error}") from None
    if not {"format", "config", "base", "base_name"} <= set(about):
        raise WeightsError(f"{str(path)!r} holds no adapters: its metadata lack config and base")
    if about["format"] != FORMAT:
        raise WeightsError(f"{str(path)!r} has format {about['format']!r}, this version reads {FORMAT}")
    return about
