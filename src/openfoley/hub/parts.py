"""The four parts of a model, and the classes that a model folder may name for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from openfoley.config import from_dict
from openfoley.errors import WeightsError

PARTS = ("codec", "sync", "semantic", "generator")
KINDS = {"codec": "oobleck", "sync": "videoprism-map", "semantic": "siglip2", "generator": "salsa-v"}
TOKENIZER_NAME = "tokenizer.json"
FORMAT = 1


@dataclass(frozen=True)
class Model:
    """Everything the pipeline needs, in evaluation mode on one device."""

    name: str
    codec: Any
    sync: Any
    semantic: Any
    generator: Any
    config: dict[str, Any]  # config.json as read

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {part: getattr(self, part) for part in PARTS}


def config_class(part: str) -> type:
    """The dataclass of a part's architecture."""
    if part == "codec":
        from openfoley.codecs.oobleck import OobleckConfig

        return OobleckConfig
    if part == "sync":
        from openfoley.encoders.sync import SyncConfig

        return SyncConfig
    if part == "semantic":
        from openfoley.encoders.semantic import SemanticConfig

        return SemanticConfig
    from openfoley.generators.salsa_v import SalsaVConfig

    return SalsaVConfig


def build_part(part: str, settings: dict[str, Any], folder: Path) -> nn.Module:
    """A part with random weights, as its section of config.json describes it."""
    settings = dict(settings)
    kind = settings.pop("kind", KINDS[part])
    if kind != KINDS[part]:
        raise WeightsError(f"{folder / 'config.json'}: {part}.kind is {kind!r}, this version knows {KINDS[part]!r}")
    config = from_dict(config_class(part), settings, where=part)
    if part == "codec":
        from openfoley.codecs.oobleck import OobleckCodec

        return OobleckCodec(config)
    if part == "sync":
        from openfoley.encoders.sync import SyncEncoder

        return SyncEncoder(config)
    if part == "semantic":
        from openfoley.encoders.semantic import SemanticEncoder

        return SemanticEncoder(config, folder / TOKENIZER_NAME)
    from openfoley.generators.salsa_v import SalsaVGenerator

    return SalsaVGenerator(config)
