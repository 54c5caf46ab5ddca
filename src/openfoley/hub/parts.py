"""The four parts of a model, and the classes that a model folder may name for them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from openfoley.config import from_dict
from openfoley.errors import WeightsError

PARTS = ("codec", "sync", "semantic", "generator")
KINDS = {"codec": "oobleck", "sync": "videoprism-map", "semantic": "siglip2", "generator": "salsa-v"}  # the default
TOKENIZER_NAME = "tokenizer.json"
FORMAT = 1

CLASSES = {  # part, kind -> module, configuration, class
    ("codec", "oobleck"): ("openfoley.codecs.oobleck", "OobleckConfig", "OobleckCodec"),
    ("codec", "oobleck-spectral"): (
        "openfoley.codecs.spectral_oobleck",
        "SpectralOobleckConfig",
        "SpectralOobleckCodec",
    ),
    ("codec", "mmaudio"): ("openfoley.codecs.mmaudio", "MMAudioCodecConfig", "MMAudioCodec"),
    ("sync", "videoprism-map"): ("openfoley.encoders.sync", "SyncConfig", "SyncEncoder"),
    ("sync", "synchformer"): ("openfoley.encoders.synchformer", "SynchformerConfig", "SynchformerEncoder"),
    ("semantic", "siglip2"): ("openfoley.encoders.semantic", "SemanticConfig", "SemanticEncoder"),
    ("semantic", "clip"): ("openfoley.encoders.clip", "ClipConfig", "ClipEncoder"),
    ("generator", "salsa-v"): ("openfoley.generators.salsa_v", "SalsaVConfig", "SalsaVGenerator"),
    ("generator", "mmaudio"): ("openfoley.generators.mmaudio", "MMAudioConfig", "MMAudioGenerator"),
}


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


def classes(part: str, kind: str) -> tuple[type, type[nn.Module]]:
    """The dataclass of a part's architecture and the part's class."""
    module, config, network = CLASSES[part, kind]
    return getattr(import_module(module), config), getattr(import_module(module), network)


def kind_of(part: str, config: Any) -> str:
    """The kind of part that a configuration describes."""
    names = {name: kind for (owner, kind), (_, name, _) in CLASSES.items() if owner == part}
    return names[type(config).__name__]


def build_part(part: str, settings: dict[str, Any], folder: Path) -> nn.Module:
    """A part with random weights, as its section of config.json describes it."""
    settings = dict(settings)
    kind = settings.pop("kind", KINDS[part])
    known = [name for owner, name in CLASSES if owner == part]
    if kind not in known:
        raise WeightsError(
            f"{folder / 'config.json'}: {part}.kind is {kind!r}, this version knows {', '.join(map(repr, known))}"
        )
    config_class, network = classes(part, kind)
    config = from_dict(config_class, settings, where=part)
    return network(config, folder / TOKENIZER_NAME) if part == "semantic" else network(config)
