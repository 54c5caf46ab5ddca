"""OpenFoley: silent video in, synchronized sound out.

    import openfoley
    take = openfoley.load("salsa-v-gym").generate("video.mp4", prompt="a wooden ball", steps=8, seed=1)
    take.save("video.foley.mp4")

Importing this package defines names only; torch is imported when one of them is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openfoley.errors import MediaError, OpenFoleyError, OutputError, UsageError, WeightsError
    from openfoley.joint import PairRequest, load_pair
    from openfoley.live import stream
    from openfoley.media.frames import VideoInfo
    from openfoley.pipeline import Pipeline, Take, load
    from openfoley.projects.project import Project
    from openfoley.request import Cue, Cut
    from openfoley.timeline.plan import Window
    from openfoley.types import Audio, Conditions

__version__ = "0.1.0"

_HOME = {
    "load": "pipeline",
    "load_pair": "joint",
    "stream": "live",
    "Pipeline": "pipeline",
    "Take": "pipeline",
    "PairRequest": "joint",
    "Project": "projects.project",
    "Cue": "request",
    "Cut": "request",
    "Audio": "types",
    "Conditions": "types",
    "VideoInfo": "media.frames",
    "Window": "timeline.plan",
    "OpenFoleyError": "errors",
    "UsageError": "errors",
    "MediaError": "errors",
    "WeightsError": "errors",
    "OutputError": "errors",
}

__all__ = [
    "Audio",
    "Conditions",
    "Cue",
    "Cut",
    "MediaError",
    "OpenFoleyError",
    "OutputError",
    "PairRequest",
    "Pipeline",
    "Project",
    "Take",
    "UsageError",
    "VideoInfo",
    "WeightsError",
    "Window",
    "__version__",
    "load",
    "load_pair",
    "stream",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"openfoley.{_HOME[name]}"), name)
    raise AttributeError(f"module 'openfoley' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
