"""A loaded model's identity: the sha256 of its parts' configuration and weights, independent of their location."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import torch

from openfoley.hub.memory import released
from openfoley.hub.parts import Model, all_parts


def fingerprint(model: Model, parts: Sequence[str] | None = None) -> str:
    """64 hexadecimal digits for these parts of a model (None: all), the same on every device."""
    digest = hashlib.sha256()
    for part in all_parts(model.parts) if parts is None else parts:
        digest.update(json.dumps([part, model.config.get(part)], sort_keys=True, default=str).encode())
        for name, value in released(dict(sorted(model.parts[part].state_dict().items()))):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
