"""Reads a scene's ground truth (`gym render`'s JSON) and separates scored events from ignored spans.

An event is *continuous* (rolling, pouring, rain ...) if, in this order: the JSON says so (`"continuous":
true|false`); its action is one of CONTINUOUS_ACTIONS; its action is not a known short one and it lasts longer than
CONTINUOUS_FROM_S. Audible events that are not continuous are scored. The others (continuous, inaudible, with
`visible_only` those off screen), and the inside of a longer discrete event (a rattle), are ignored spans: an
unmatched detection there is not a false positive.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from openfoley.errors import MediaError, UsageError
from openfoley.gym.actions import CONTINUOUS

CONTINUOUS_ACTIONS = frozenset((*CONTINUOUS, *"rolling sliding scraping pouring wind stream rub spin hum drag".split()))
"""Actions without a single onset: the Gym's, and similar ones of other data sets."""

DISCRETE_ACTIONS = frozenset(
    (
        "bounce strike hit knock collide land footstep footsteps step drip tick click rattle shake rotate swing break "
        "tap topple cascade clap"
    ).split()
)
"""Actions with a single onset, regardless of duration."""

CONTINUOUS_FROM_S = 0.15
"""Duration (s) from which an unknown action counts as continuous; the outside clips' longest rattle is 0.186 s."""

RATTLES = frozenset(("rattle", "shake"))
RATTLE_S = 0.15
"""Grains of a rattle follow its onset for at least this long (s), regardless of end_s."""

INSIDE_FROM_S = 0.06
"""In a discrete event longer than this (s) further detections are ignored (the outside clips' rattle rule)."""


@dataclass(frozen=True)
class Truth:
    """Sorted arrays of one clip. Spans are [n, 2] (start, end) in seconds."""

    name: str
    duration_s: float
    scored_s: np.ndarray
    loudness_db: np.ndarray
    visible: np.ndarray
    ignored_spans: np.ndarray
    has_audible: bool
    materials: tuple[str, ...] = ()

    def only(self, visible: bool) -> Truth:
        """The clip with only its visible (or only its off-screen) events scored; the others become ignored spans."""
        keep = self.visible == visible
        others = np.repeat(self.scored_s[~keep, None], 2, axis=1)
        return self.kept(keep, np.concatenate([self.ignored_spans, others]))

    def kept(self, keep: np.ndarray, spans: np.ndarray) -> Truth:
        """With only the scored events of a mask, and these ignored spans."""
        arrays = {name: getattr(self, name)[keep] for name in ("scored_s", "loudness_db", "visible")}
        materials = tuple(m for m, k in zip(self.materials, keep, strict=True) if k)
        return replace(self, **arrays, ignored_spans=spans, materials=materials)


def is_continuous(event: dict[str, Any]) -> bool:
    """Whether an event of the truth JSON is a continuous sound (rule in the module's docstring)."""
    if "continuous" in event:
        return bool(event["continuous"])
    action = str(event.get("action", ""))
    if action in CONTINUOUS_ACTIONS:
        return True
    return action not in DISCRETE_ACTIONS and event.get("end_s", event["time_s"]) - event["time_s"] > CONTINUOUS_FROM_S


def from_dict(record: dict[str, Any], name: str = "") -> Truth:
    """The truth JSON of one scene as arrays."""
    events = sorted(record["events"], key=lambda event: event["time_s"])
    scored = [event for event in events if event.get("audible", True) and not is_continuous(event)]
    scored_ids = {id(event) for event in scored}
    spans = []
    for event in events:
        shortest_s = RATTLE_S if event.get("action") in RATTLES else 0.0
        end_s = max(event.get("end_s", event["time_s"]), event["time_s"] + shortest_s)
        if id(event) not in scored_ids or end_s - event["time_s"] > INSIDE_FROM_S:
            spans.append((event["time_s"], end_s))
    return Truth(
        name,
        float(record["duration_s"]),
        np.array([event["time_s"] for event in scored], dtype=np.float64),
        np.array([event.get("loudness_db", np.nan) for event in scored], dtype=np.float64),
        np.array([event.get("visible", True) for event in scored], dtype=bool),
        np.array(spans, dtype=np.float64).reshape(-1, 2),
        any(event.get("audible", True) for event in events),
        tuple(str(event.get("material", "")) for event in scored),
    )


def read_truths(folder: Path) -> list[Truth]:
    """Every `<stem>.json` of a folder in name order. Raises UsageError without any, MediaError for an
    invalid file."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; pass the folder of the truth files (<name>.json)")
    truths = []
    for path in sorted(folder.glob("*.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            truths.append(from_dict(record, path.stem))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise MediaError(f"{path} is not a truth file of `openfoley gym render`: {error!r}") from error
    if not truths:
        raise UsageError(f"{folder} holds no truth files (<name>.json); make some with `openfoley gym render`")
    return truths
