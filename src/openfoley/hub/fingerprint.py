"""A loaded model's identity: the sha256 of its parts' configuration and weights, independent of their location."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import torch

from openfoley.config import to_dict
from openfoley.hub.memory import released
from openfoley.hub.parts import Model, all_parts


def fingerprint(model: Model, parts: Sequence[str] | None = None) -> str:
    """64 hexadecimal digits for these parts of a model (None: all, and its adapters), the same on every device."""
    digest = hashlib.sha256()
    modules = {part: model.parts[part] for part in (all_parts(model.parts) if parts is None else parts)}
    if parts is None and model.adapters is not None:
        modules["adapters"] = model.adapters
    for part, module in modules.items():
        config = to_dict(module.config) if part == "adapters" else model.config.get(part)
        digest.update(json.dumps([part, config], sort_keys=True, default=str).encode())
        for name, value in released(dict(sorted(module.state_dict().items()))):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
