"""A user's connectors between published base models: a folder that names its bases, and is loaded with them.

config.json               {"format": 1, "kind": "pair-connectors", "card": ..., "bases": [...], ...}
connectors.safetensors    all that is new
unets.safetensors         optional: the tensors of the U-Nets that were trained, too (`--trains motion`, `everything`)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Shaped
from torch import Tensor

from openfoley.config import from_dict, to_dict
from openfoley.errors import WeightsError
from openfoley.generators.joint.config import JointConfig
from openfoley.hub.cards.svg import ANIMATEDIFF_AUDIOLDM, PAIR_CARDS
from openfoley.hub.download import Progress
from openfoley.hub.filling import fill, read_weights
from openfoley.hub.pair_bases import BaseIdentity, check_identities, load_bases
from openfoley.hub.pair_memory import check_sampling_memory
from openfoley.hub.pair_parts import LossCurves, PairModel
from openfoley.hub.registry import CONFIG_NAME
from openfoley.hub.save import complete_folder, save_weights

logger = logging.getLogger(__name__)

State = Mapping[str, Shaped[Tensor, "..."]]
FORMAT = 1
KIND = "pair-connectors"
CONNECTORS, UNETS = "connectors.safetensors", "unets.safetensors"
STEPS, VIDEO_GUIDANCE, AUDIO_GUIDANCE = 50, 7.5, 2.5
"""As published (arXiv 2409.17550's code)."""


@dataclass(frozen=True)
class ConnectorsConfig:
    """card: of the base models. size: of the pictures, pixels of a side. frames: of a training clip. bases: those that
    they were trained on. curves: None before they are measured."""

    format: int
    kind: Literal["pair-connectors"]
    name: str
    card: str
    generator: JointConfig
    size: int
    frames: int
    steps: int
    video_guidance: float
    audio_guidance: float
    bases: tuple[BaseIdentity, ...]
    curves: LossCurves | None

    @property
    def rate(self) -> int:
        """Frames a second."""
        return round(self.generator.connectors.fps)

    @classmethod
    def of(
        cls, name: str, generator: JointConfig, size: int, frames: int, bases: tuple[BaseIdentity, ...],
        curves: LossCurves | None = None,
    ) -> ConnectorsConfig:  # fmt: skip
        return cls(
            FORMAT, KIND, name, ANIMATEDIFF_AUDIOLDM.name, generator, size, frames, STEPS, VIDEO_GUIDANCE,
            AUDIO_GUIDANCE, bases, curves,
        )  # fmt: skip


def save_connectors(
    folder: Path, config: ConnectorsConfig, connectors: State, unets: State, *, exact: bool = False
) -> Path:
    """unets: empty where they are as published. Matrices in bfloat16 unless `exact`; written atomically."""
    with complete_folder(folder) as unfinished:
        (unfinished / CONFIG_NAME).write_text(json.dumps(to_dict(config), indent=1) + "\n", encoding="utf-8")
        save_weights(connectors, unfinished / CONNECTORS, exact=exact)
        if unets:
            save_weights(unets, unfinished / UNETS, exact=exact)
    return folder


def load_connectors(
    folder: Path,
    content: dict[str, Any],
    device: torch.device,
    dtype: torch.dtype,
    weights_dir: Path | None = None,
    progress: Progress | None = None,
) -> PairModel:
    """The model of a folder and its bases; content: of config.json. dtype: of U-Nets and connectors, what encodes and
    decodes stays in float32. WeightsError for connectors of other bases."""
    where = repr(str(folder / CONFIG_NAME))
    config = from_dict(ConnectorsConfig, content, where=where)
    if (card := PAIR_CARDS.get(config.card)) is None or not card.bases:
        raise WeightsError(f"{where} is for the base models {config.card!r}, which this version does not know")
    check_sampling_memory(card.name, config.generator, config.frames, device, dtype)
    tensors = read_weights(folder / CONNECTORS)
    changed = read_weights(folder / UNETS) if (folder / UNETS).is_file() else {}
    bases = load_bases(card, device, weights_dir, progress, size=config.size)
    check_identities(bases.identities, config.bases, f"the connectors in {str(folder)!r}")
    bases.check_sizes(config.generator, config.name)
    generator = bases.generator(config.generator, dtype, changed)
    state = {key: value.to(dtype) for key, value in tensors.items()}
    fill(generator.connectors, state, f"{str(folder / CONNECTORS)!r} does not match its config", assign=True)
    return PairModel(
        config.name, generator.to(device).requires_grad_(False).eval(), bases.codec.to(device), bases.texts,
        config.frames, config.rate, config.steps, config.video_guidance,
        config.audio_guidance, config.curves,
    )  # fmt: skip
