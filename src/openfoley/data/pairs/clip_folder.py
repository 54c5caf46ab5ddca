"""Pairs from files: the clips of `openfoley data pairs`, or a folder of videos with sound; and the one way to open any
set of pairs."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import torch

from openfoley.data.pairs import gym_pairs, making
from openfoley.data.pairs.gym_pairs import GymPairs
from openfoley.data.pairs.layouts import SUFFIXES
from openfoley.data.pairs.making import request_of
from openfoley.data.pairs.pair import Pair, PairForm, Pairs
from openfoley.errors import MediaError, UsageError
from openfoley.media.read.opening import shown
from openfoley.media.read.sound_file import read_audio
from openfoley.media.source import Source


@dataclass(frozen=True)
class ClipFolder:
    """Videos with sound, each one clip, decoded when it is read."""

    form: PairForm
    files: tuple[Path, ...]
    captions: tuple[tuple[str, ...], ...]

    @property
    def digest(self) -> str:
        about = [str(self.form), [(file.name, file.stat().st_size) for file in self.files], self.captions]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()

    @property
    def names(self) -> list[str]:
        return [file.stem for file in self.files]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Pair:
        file = self.files[index]
        return read_pair(file, self.form, self.captions[index])

    @classmethod
    def open(cls, folder: Path, split: str) -> ClipFolder:
        """The clips of one split of `openfoley data pairs`. UsageError where there are none."""
        record = json.loads((folder / making.FINISHED).read_text())
        form = record["about"]["form"]
        rows = [row for row in record["clips"] if row["split"] == split]
        if not rows:
            raise UsageError(f"{shown(folder)} has no clips for {split}; give more videos, or lists of the splits")
        files = tuple(folder / row["file"] for row in rows)
        captions = tuple(tuple(row["captions"]) for row in rows)
        return cls(PairForm(**form | {"rate": Fraction(form["rate"])}), files, captions)

    @classmethod
    def of_videos(cls, folder: Path, form: PairForm) -> ClipFolder:
        """The videos of a folder, by name, at this form. UsageError where there are none."""
        files = tuple(path for path in sorted(folder.iterdir()) if path.suffix.lower() in SUFFIXES)
        if not files:
            raise UsageError(f"{shown(folder)} holds neither pairs of `openfoley data pairs` nor videos with sound")
        return cls(form, files, (("",),) * len(files))


def read_pair(file: Path, form: PairForm, captions: tuple[str, ...] = ("",)) -> Pair:
    """The first clip of a video with sound. MediaError for one without sound, or that is shorter than a clip."""
    sound = read_audio(file, form.sample_rate).samples.mean(0)
    frames, found = [], 0
    for chunk in Source.file(file).chunks([request_of(form)]):
        frames.append(chunk.frames)
        found += len(chunk.frames)
        if found >= form.count:
            break
    missing = int(form.samples) - len(sound)
    if found < form.count or missing > making.SLACK_S * form.sample_rate:
        length_s = min(found / form.rate, Fraction(len(sound), form.sample_rate))
        raise MediaError(
            f"{shown(file)} has {float(length_s):.2f} s of picture and sound; {form.duration_s} s are needed"
        )
    samples = torch.nn.functional.pad(sound, (0, max(missing, 0)))[: int(form.samples)]
    return Pair(file.stem, torch.cat(frames)[: form.count], samples, captions)


@dataclass(frozen=True)
class JoinedPairs:
    """Several sets of one form as one."""

    parts: tuple[Pairs, ...]

    @property
    def form(self) -> PairForm:
        return self.parts[0].form

    @property
    def digest(self) -> str:
        return hashlib.sha256(json.dumps([part.digest for part in self.parts]).encode()).hexdigest()

    @property
    def names(self) -> list[str]:
        return [name for part in self.parts for name in part.names]

    @property
    def captions(self) -> list[tuple[str, ...]]:
        return [caption for part in self.parts for caption in part.captions]

    @cached_property
    def _ends(self) -> list[int]:
        return list(accumulate(len(part) for part in self.parts))

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Pair:
        number = bisect_right(self._ends, index)
        return self.parts[number][index - (self._ends[number - 1] if number else 0)]


def open_pairs(folder: Path, split: str = "train") -> Pairs:
    """One split of a set: of the Gym, of a user's own copies, or of several such folders in one, which are joined (as
    ALT-Merge joins three). UsageError for a folder of none of these, or whose parts differ in form."""
    if not folder.is_dir():
        raise UsageError(f"{shown(folder)} is not a folder; make pairs with `openfoley data pairs`")
    for place in (folder / split, folder):
        if (place / gym_pairs.FINISHED).is_file():
            return GymPairs.open(place)
    if (folder / making.FINISHED).is_file():
        return ClipFolder.open(folder, split)
    inside = [part for part in sorted(folder.iterdir()) if (part / making.FINISHED).is_file()]
    if not inside:
        raise UsageError(f"{shown(folder)} holds no finished pairs; make them with `openfoley data pairs`")
    parts = tuple(ClipFolder.open(part, split) for part in inside)
    if len({part.form for part in parts}) > 1:
        raise UsageError(f"the sets in {shown(folder)} differ in duration, rate or size; make them alike")
    return JoinedPairs(parts)
