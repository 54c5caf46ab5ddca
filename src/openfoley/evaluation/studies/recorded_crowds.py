"""Recorded pairs as crowds: `openfoley data mono-audio`, or SelVA's VGG-MonoAudio where its sounds are beside it.

Nobody has written down when such recordings sound. The events that the detector finds in each one's own sound take
their place, so shares, F1 and margins are about agreement with detected events, which of lasting sounds (wind, music)
are few and arbitrary. Accuracy is in the features of a classifier of Gym sounds, out of its domain. All ways are scored
alike; differences between them on the same clips are what these clips can tell. `alone` is the target's half of the
picture, and the box of `grey mask` that half.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from random import Random

from openfoley.data.mono_audio import MIXED, TARGET, Item, read_items
from openfoley.errors import OpenFoleyError
from openfoley.evaluation.metrics.truth import Truth, from_dict
from openfoley.evaluation.reports.sounds import as_gym
from openfoley.evaluation.studies.crowds import LEFT, RIGHT, Crowd, Member, fixed
from openfoley.evaluation.studies.greyed import half
from openfoley.evaluation.studies.study import onsets
from openfoley.gym.files import SAMPLE_RATE
from openfoley.media.read.sound_file import read_audio
from openfoley.media.source import Source
from openfoley.types import Audio

logger = logging.getLogger(__name__)
SIDES = {"left": (LEFT, RIGHT), "right": (RIGHT, LEFT)}  # of the target, of the paired one
NOTE = "Recorded clips: events are those that the detector finds in each source's own sound; nobody annotated them."


def recorded_crowds(folder: Path) -> dict[str, tuple[int, Callable[[int], Crowd | None]]]:
    """The number of clips of each kind, and the crowd of a number; in one drawn order, so that the first few are of all
    videos. None for a clip whose files are missing or cannot be read, with a warning. Raises UsageError."""
    found = {}
    for kind, items in read_items(folder).items():
        drawn = Random(0).sample(items, len(items))
        found[kind.replace("_", "-")] = len(drawn), partial(_crowd, drawn, folder / kind)
    return found


def _crowd(items: Sequence[Item], folder: Path, number: int) -> Crowd | None:
    item = items[number]
    try:
        picture = Source.file(folder / MIXED / f"{item.file_name}.mp4")
        length = round(picture.info.duration * SAMPLE_RATE)
        sounds = [as_gym(read_audio(folder / TARGET / name), length) for name in (item.target_file, item.paired_file)]
    except OpenFoleyError as error:
        logger.warning("%s is left out: %s", item.file_name, error)
        return None
    boxes = SIDES[item.target_position]
    members = tuple(
        Member(label, detected(label, sound), sound, half(picture, box), fixed(box))
        for label, sound, box in zip((item.label, item.paired_label), sounds, boxes, strict=True)
    )
    others = [one.label for one in items if one.label not in (item.label, item.paired_label)]
    absent = others[number % len(others)] if others else None
    return Crowd(item.file_name, picture, members, absent, (0,))


def detected(name: str, sound: Audio) -> Truth:
    """The detected events of a sound as its truth."""
    found = onsets(sound)
    events = [
        {"time_s": float(t), "action": "hit", "loudness_db": float(db)}
        for t, db in zip(found.times_s, found.loudness_db, strict=True)
    ]
    return from_dict({"duration_s": sound.samples.shape[-1] / sound.sample_rate, "events": events}, name)
