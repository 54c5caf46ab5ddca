"""What a checkpoint belongs to: the settings of its training, and what it learns from."""

import hashlib
from dataclasses import fields
from pathlib import Path
from typing import Any

from openfoley.config import to_dict
from openfoley.data.feature_cache import MARK
from openfoley.media.read.content_hash import file_hash

FREE = frozenset({"device", "time_limit_s", "more_data", "loaders"})
"""Settings that may be others when a training is resumed."""
CONTENTS = ("truth.json", "sources.json", "labels.csv", "stills.json", "model.safetensors", f"*{MARK}", f"*/*{MARK}")
"""Files that stand for the folder they lie in: of scenes, of stills, of a part, of features and of several of them."""


def identity_of(preset: Any) -> dict[str, Any]:
    """The settings of a training (a dataclass) as JSON values. A path is known by what is there, not by its name: data
    may be moved, but not exchanged."""
    values = {field.name: getattr(preset, field.name) for field in fields(preset) if field.name not in FREE}
    return {name: content_of(v) if isinstance(v, Path) else to_dict(v) for name, v in values.items()}


def content_of(path: Path) -> str:
    """SHA-256 of a file, or of the files that stand for a folder."""
    if path.is_file():
        return file_hash(path)
    found = hashlib.sha256()
    for file in sorted(file for pattern in CONTENTS for file in path.glob(pattern)):
        found.update(str(file.relative_to(path)).encode() + file.read_bytes())
    return found.hexdigest()
