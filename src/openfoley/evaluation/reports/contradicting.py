"""Prompts that contradict the picture: the scene's own caption with its materials replaced by another."""

from __future__ import annotations

from typing import Any

import numpy as np

from openfoley.gym.materials import SOLID


def contradicting(record: dict[str, Any], index: int) -> tuple[str, dict[str, str]] | None:
    """(prompt, shown material -> prompted material) of a truth record; None if its caption names no solid material.

    One material that is not in the scene replaces all solid ones in the caption; `index` selects it.
    """
    held = {thing["material"] for thing in record["objects"]}
    words = record["caption"].split(" ")
    named = {word for word in words if word in SOLID and word in held}
    others = [name for name in SOLID if name not in held]
    if not named or not others:
        return None
    asked = others[int(np.random.default_rng([index, 2]).integers(len(others)))]
    return " ".join(asked if word in named else word for word in words), {name: asked for name in named}
