"""The parts of a model, and the classes that may implement them."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from openfoley.codecs.base import Codec
from openfoley.config import from_dict, to_dict
from openfoley.encoders.base import Encoder, FrameEncoder, HasTextTower, TextEncoder, TextTower
from openfoley.errors import WeightsError
from openfoley.generators.adapters.model import Adapters
from openfoley.generators.base import Generator
from openfoley.hub.familiarity import Familiarity
from openfoley.types import TEXT, WORDS

PARTS = ("codec", "sync", "semantic", "generator")
OPTIONAL_PARTS = ("words",)  # the text encoder of what is selected, where that is not the semantic network's
KINDS = {  # the default
    "codec": "oobleck", "sync": "videoprism-map", "semantic": "siglip2", "generator": "salsa-v", "words": "t5",
}  # fmt: skip
TOKENIZER_NAME = "tokenizer.json"
TOKENIZERS = {"semantic": TOKENIZER_NAME, "words": "words_tokenizer.json"}
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
    ("sync", "selective-synchformer"): (
        "openfoley.encoders.selective_synchformer",
        "SelectiveSynchformerConfig",
        "SelectiveSynchformer",
    ),
    ("semantic", "siglip2"): ("openfoley.encoders.semantic", "SemanticConfig", "SemanticEncoder"),
    ("semantic", "clip"): ("openfoley.encoders.clip", "ClipConfig", "ClipEncoder"),
    ("semantic", "clip-text"): ("openfoley.encoders.clip", "ClipTextConfig", "ClipTextEncoder"),
    ("words", "t5"): ("openfoley.encoders.t5", "T5TextConfig", "T5TextEncoder"),
    ("generator", "salsa-v"): ("openfoley.generators.salsa_v.model", "SalsaVConfig", "SalsaVGenerator"),
    ("generator", "mmaudio"): ("openfoley.generators.mmaudio.model", "MMAudioConfig", "MMAudioGenerator"),
}


@dataclass(frozen=True)
class Model:
    """Everything the pipeline needs, in evaluation mode on one device. encoders: by the names of the feature
    sequences that they compute (`types.Conditions`)."""

    name: str
    codec: Codec
    encoders: Mapping[str, Encoder]
    generator: Generator
    config: dict[str, Any]  # config.json as read
    parts: Mapping[str, nn.Module]  # the networks, as a model folder keeps them
    familiarity: Familiarity | None = None  # of a video with the training set, if the folder has it
    selective: Model | None = None  # in its place where a text selects, if the folder has one (`hub.selection`)
    plain: Generator | None = None  # of `selective`: the base's, for windows in which no text selects
    adapters: Adapters | None = None  # that condition every window on the whole video, if it has them (`hub.adapters`)

    @classmethod
    def of_parts(cls, name: str, parts: Mapping[str, nn.Module], config: dict[str, Any]) -> Model:
        """parts: by `all_parts`. The semantic network's text tower is a separate encoder."""
        frames = {part: module for part, module in parts.items() if isinstance(module, FrameEncoder)}
        texts: dict[str, Encoder] = {TEXT: TextTower(cast(HasTextTower, parts["semantic"]))}
        if WORDS in parts:
            texts[WORDS] = cast(TextEncoder, parts[WORDS])
        codec, generator = cast(Codec, parts["codec"]), cast(Generator, parts["generator"])
        return cls(name, codec, {**frames, **texts}, generator, config, dict(parts))

    @property
    def device(self) -> torch.device:
        return next(self.parts["generator"].parameters()).device

    @property
    def text_encoder(self) -> TextEncoder:
        return cast(TextEncoder, self.encoders[TEXT])


def all_parts(present: Container[str]) -> tuple[str, ...]:
    """The parts of a model that has these: the four, and the optional ones among them."""
    return (*PARTS, *(part for part in OPTIONAL_PARTS if part in present))


def classes(part: str, kind: str) -> tuple[type, type[nn.Module]]:
    """A part's configuration dataclass and its class."""
    module, config, network = CLASSES[part, kind]
    return getattr(import_module(module), config), getattr(import_module(module), network)


def kind_of(part: str, config: object) -> str:
    """The kind of part that a configuration describes."""
    names = {name: kind for (owner, kind), (_, name, _) in CLASSES.items() if owner == part}
    return names[type(config).__name__]


def section(part: str, config: object) -> dict[str, Any]:
    """The section of config.json that describes a part."""
    return {"kind": kind_of(part, config), **to_dict(config)}


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
    return network(config, folder / TOKENIZERS[part]) if part in TOKENIZERS else network(config)
