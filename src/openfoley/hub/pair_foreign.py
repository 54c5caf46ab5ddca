"""The published connectors (arXiv 2409.17550, a checkpoint of the released code) to a folder for `generate-pair`.

Their file is not reachable for us, so that its layout is unknown; the names of the modules in it are known. Connectors
are found by these names behind any prefix, and so are motion modules, which the released script trains with them.
Which base weights they belong to is not written anywhere either: they are taken to be those that are given.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Shaped
from torch import Tensor

from openfoley.generators.joint.bases import is_table, motion_modules
from openfoley.generators.joint.config import FULL, JointConfig
from openfoley.generators.joint.foreign import from_svg
from openfoley.generators.joint.model import Connectors
from openfoley.hub.cards.svg import ANIMATEDIFF_AUDIOLDM
from openfoley.hub.checkpoint import CONNECTOR
from openfoley.hub.filling import fill, unfilled
from openfoley.hub.pair_bases import load_bases
from openfoley.hub.pair_connectors import ConnectorsConfig, save_connectors

logger = logging.getLogger(__name__)

State = Mapping[str, Shaped[Tensor, "..."]]
SIZE, FRAMES = 256, 32
"""Of the published training on GreatestHits: 4 s at 8 Hz."""


def convert_connectors(state: State, out: Path, weights_dir: Path | None, where: str) -> str:
    """Write the folder; returns what it was. WeightsError for another size, and for missing base models."""
    own = {match[1]: value.float() for key, value in state.items() if (match := CONNECTOR.search(key)) is not None}
    renamed, config = from_svg(own), architecture(own)
    fill(unfilled(lambda: Connectors(config)), renamed, where, assign=True)
    motion = {f"video.{key}": value for key, value in motion_modules(state).items()}
    if others := [key for key in state if not CONNECTOR.search(key) and not _is_taken(key)]:
        logger.info("%s: %d other tensors are left out, such as %s", where, len(others), others[0])
    bases = load_bases(ANIMATEDIFF_AUDIOLDM, torch.device("cpu"), weights_dir, size=SIZE)
    bases.check_sizes(config, ANIMATEDIFF_AUDIOLDM.name)
    saved = ConnectorsConfig.of(out.name, config, SIZE, FRAMES, bases.identities)
    save_connectors(out, saved, renamed, motion, exact=True)
    return f"connectors: {config.connectors.kind}" + (" and motion modules" if motion else "")


def architecture(state: State) -> JointConfig:
    """The published one, of the kind that the names tell: one vector (`attn2`) or a sequence, with or without x0."""
    is_vector = any(".attn2." in key for key in state)
    first = state.get("connector_out_video.0.0.weight")
    sees_predicted = first is None or first.shape[1] > FULL.video.channels
    connectors = replace(
        FULL.connectors, kind="cross-attention" if is_vector else "cmc-pe",
        encoder_input="x_pred" if sees_predicted else "x_cur",
    )  # fmt: skip
    return replace(FULL, connectors=connectors)


def _is_taken(key: str) -> bool:
    return "motion_modules" in key or is_table(key)
