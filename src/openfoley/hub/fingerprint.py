"""Identities, independent of any location: a loaded model's, the sha256 of its parts' configuration and weights, and
that of a network's tensors alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from openfoley.config import to_dict
from openfoley.hub.memory import released
from openfoley.hub.parts import PARTS, Model, all_parts
from openfoley.hub.registry import SELECTION

SHOWN_DIGITS = 12  # of a fingerprint, in messages
SELECTED = ("sync", "generator")  # parts in which a selection differs


def fingerprint(model: Model, parts: Sequence[str] | None = None) -> str:
    """64 hexadecimal digits for these parts of a model (None: all, and its adapters), the same on every device."""
    digest = hashlib.sha256()
    modules = {part: model.parts[part] for part in (all_parts(model.parts) if parts is None else parts)}
    if parts is None and model.adapters is not None:
        modules["adapters"] = model.adapters
    for part, module in modules.items():
        config = to_dict(module.config) if part == "adapters" else model.config.get(part)
        digest.update(json.dumps([part, config], sort_keys=True, default=str).encode())
        _add(digest, module.state_dict())
    return digest.hexdigest()


def base_of(model: Model) -> str:
    """What adapters and a selection belong to: the four parts of a model, wherever it lies."""
    return fingerprint(model, PARTS)


def selection_fingerprint(model: Model) -> str | None:
    """Of what selects by text beside the model's own parts (`hub.selection`); None where nothing does."""
    if model.selective is None:
        return None
    shape = json.dumps(model.config.get(SELECTION), sort_keys=True)
    return hashlib.sha256(f"{shape} {fingerprint(model.selective, SELECTED)}".encode()).hexdigest()


def tensors_fingerprint(state: Mapping[str, Shaped[Tensor, "..."]]) -> str:
    """64 hexadecimal digits for these names and values."""
    digest = hashlib.sha256()
    _add(digest, state)
    return digest.hexdigest()


def _add(digest: Any, state: Mapping[str, Shaped[Tensor, "..."]]) -> None:
    for name, value in released(dict(sorted(state.items()))):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
