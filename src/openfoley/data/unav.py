"""Single-source windows of UnAV-100 videos (arXiv 2303.12930) that are in VGGSound's test split too.

SelVA's benchmark is made of such videos, filtered by hand; the list is not public. Here a rule takes the place of the
hand: within 8 s only one label is annotated, it covers more than three quarters of them, and it is VGGSound's label.

    UNAV_DIR/**/unav100_annotations.json   {"database": {id: {"duration", "annotations": [{"segment", "label"}]}}}
    UNAV_DIR/**/<id>.mp4                   excerpts, on whose clock the segments are
    vggsound.csv                           id, start (s), label, split
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openfoley.errors import UsageError
from openfoley.media.read.opening import shown

ANNOTATIONS = "unav100_annotations.json"
SUFFIXES = (".mp4", ".mkv", ".webm")
WINDOW_S = 8.0
LEAST_COVERED = 0.75  # of a window, by its label
ROUNDING_S = 1e-3  # of the annotations
SPLIT = "test"
TWO_SPELLINGS = {"playing base guitar": "playing bass guitar"}  # UnAV's, VGGSound's

CATEGORIES: dict[str, tuple[str, ...]] = {
    "voice": (
        "baby babbling", "baby crying", "baby laughter", "beat boxing", "child singing", "female singing",
        "kid speaking", "male singing", "man speaking", "people battle cry", "people cheering", "people crowd",
        "people laughing", "people shouting", "people sobbing", "people whispering", "people whistling",
        "singing choir", "woman speaking",
    ),
    "body": (
        "people burping", "people clapping", "people coughing", "people eating", "people nose blowing",
        "people running", "people slapping", "people slurping", "people sneezing", "tap dancing",
    ),
    "sport": (
        "basketball bounce", "playing badminton", "playing table tennis", "playing tennis", "playing volleyball",
        "rope skipping", "skateboarding", "striking bowling",
    ),
    "music": (
        "orchestra", "playing accordion", "playing acoustic guitar", "playing banjo", "playing base guitar",
        "playing cello", "playing clarinet", "playing cornet", "playing drum kit", "playing electronic organ",
        "playing erhu", "playing flute", "playing harmonica", "playing harp", "playing piano", "playing saxophone",
        "playing snare drum", "playing synthesizer", "playing tabla", "playing trombone", "playing trumpet",
        "playing ukulele", "playing violin", "playing zither",
    ),
    "animal": (
        "bird chirping", "bull bellowing", "cat meowing", "dog barking", "dog howling", "frog croaking",
        "horse clip-clop", "lions roaring", "sheep bleating",
    ),
    "vehicle": (
        "airplane flyby", "ambulance siren", "auto racing", "car passing by", "driving buses", "driving motorcycle",
        "engine knocking", "fire truck siren", "helicopter", "police car siren", "sailing", "skidding",
        "train horning", "train wheels squealing", "vehicle honking",
    ),
    "tool": (
        "chainsawing trees", "church bell ringing", "fireworks banging", "hair dryer drying", "hammering nails",
        "lawn mowing", "machine gun shooting", "telephone bell ringing", "typing on computer keyboard",
        "vacuum cleaner cleaning floors",
    ),
    "nature": ("raining", "sea waves", "thunder", "water burbling", "wind noise"),
}  # fmt: skip
"""UnAV's 100 labels in 8 super-categories. The benchmark has 8, too; which labels are in which is not public."""


@dataclass(frozen=True)
class Window:
    """8 s of a video with one sounding thing. second: where VGGSound's clip begins in the original video; start_s: in
    the excerpt. video: None where its file is missing."""

    id: str
    second: int
    label: str
    category: str
    start_s: float
    video: Path | None

    @property
    def name(self) -> str:
        return f"{self.id}_{self.second:06d}"


def single_source_windows(unav: Path, vggsound: Path) -> list[Window]:
    """By id. UsageError for files that are not those of the two data sets, and where no video fits."""
    if not unav.is_dir():
        raise UsageError(f"{shown(unav)} is not a folder; pass the one of UnAV-100's videos and {ANNOTATIONS}")
    clips, database = dict(_test_clips(vggsound)), _database(unav)
    category = {label: name for name, labels in CATEGORIES.items() for label in labels}
    videos = {path.stem: path for path in sorted(unav.rglob("*")) if path.suffix.lower() in SUFFIXES}
    windows = []
    for id in sorted(set(database) & set(clips)):
        second, said = clips[id]
        found = _window(database[id], said)
        if found is not None and found[0] in category:
            label, start_s = found
            windows.append(Window(id, second, label, category[label], start_s, videos.get(id)))
    if not windows:
        raise UsageError(
            f"no video of {shown(unav)} has {WINDOW_S:g} s of one label that VGGSound's {SPLIT} split gives it too; "
            "pass UnAV-100's own annotations and vggsound.csv"
        )
    return windows


def _window(video: dict[str, Any], said: str) -> tuple[str, float] | None:
    """The label and start of the 8 s that its annotations cover most, if nothing else is annotated there; rather those
    that begin with an annotation than those that end with one, rather earlier ones."""
    segments = _segments(video)
    own = [one for one in segments if _same(one[0], said)]
    last = float(video["duration"]) - WINDOW_S
    firsts = [(label, start) for label, start, _ in own] + [(label, end - WINDOW_S) for label, _, end in own]
    found, most = None, LEAST_COVERED * WINDOW_S
    for label, first in firsts if last >= 0 else ():
        first = round(max(0.0, min(first, last)), 3)
        inside = [(name, max(a, first), min(b, first + WINDOW_S)) for name, a, b in segments]
        inside = [one for one in inside if one[2] > one[1]]
        covered = _length([(a, b) for _, a, b in inside])
        if {name for name, _, _ in inside} == {label} and covered > most + ROUNDING_S:
            found, most = (label, first), covered
    return found


def _segments(video: dict[str, Any]) -> list[tuple[str, float, float]]:
    """Label, start and end (s); with other contents KeyError, TypeError or ValueError."""
    last = float(video["duration"])
    segments = [(str(one["label"]), *map(float, one["segment"])) for one in video["annotations"]]
    return [(label, start, min(end, last)) for label, start, end in segments]


def _same(label: str, said: str) -> bool:
    """VGGSound's "child speech, kid speaking" is UnAV's "kid speaking"."""
    return TWO_SPELLINGS.get(label, label) in (said, *(part.strip() for part in said.split(",")))


def _length(spans: Sequence[tuple[float, float]]) -> float:
    """Of the union."""
    total, until = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def _test_clips(path: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    """(id, (second, label)) of VGGSound's test split."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if len(row) != 4 or not row[1].strip().isdigit():
                    raise UsageError(
                        f"{shown(path)}, line {number}: expected id, second, label, split, got {row!r:.80}"
                    )
                if row[3].strip() == SPLIT:
                    yield row[0], (int(row[1]), row[2].strip())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{shown(path)} cannot be read ({error}); pass VGGSound's vggsound.csv") from None


def _database(unav: Path) -> dict[str, dict[str, Any]]:
    path = next(iter(sorted(unav.rglob(ANNOTATIONS))), None)
    if path is None:
        raise UsageError(f"{shown(unav)} holds no {ANNOTATIONS}; put UnAV-100's annotations beside its videos")
    try:
        database = json.loads(path.read_text(encoding="utf-8"))["database"]
        for video in database.values():
            _segments(video)
        return database
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{shown(path)} is not UnAV-100's annotations: {error!r}; download it again") from None
