"""Clips of minutes with their sound, for training adapters that condition a window on the whole video.

Gym scenes, or a folder of videos with sound, DIR: every video below it of at least SHORTEST_S, or with DIR/labels.csv
(`data.labelled_clips`) those that it names, whose labels are their captions.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Protocol

import torch

from openfoley.data.gym_cache import FRAME_RATE, SAMPLE_RATE, SIZE
from openfoley.data.labelled_clips import LABELS, read_labels
from openfoley.errors import MediaError, UsageError
from openfoley.gym.scene import sample_scene
from openfoley.gym.seeds import VERSIONS, Split, world_of
from openfoley.media.read.content_hash import file_hash
from openfoley.media.source import Source
from openfoley.types import Audio

logger = logging.getLogger(__name__)
SHORTEST_S, LONGEST_S = 20, 1800  # of a file; what lies behind is not read: its sound is in memory
SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mts", ".m2ts", ".ts", ".mxf", ".mpg", ".mpeg")
HELD_OUT_EVERY = 10  # files, for validation; of fewer the last one


@dataclass(frozen=True)
class LongClip:
    """cuts: the starts (s) of all shots but the first. texts: captions, if there are any."""

    source: Source
    sound: Audio
    cuts: tuple[Fraction, ...]
    texts: tuple[str, ...]


class LongClips(Protocol):
    """Clips that are read one at a time."""

    @property
    def names(self) -> Sequence[str]:
        """What each clip is: equal names are equal clips."""
        ...

    def read(self, number: int) -> LongClip: ...


@dataclass(frozen=True)
class GymLongClips:
    """Scenes of these seeds, as long as `durations` (s) in turn, as the Gym's encoders take them."""

    seeds: tuple[int, ...]
    durations: tuple[int, ...]
    split: Split

    @property
    def names(self) -> Sequence[str]:
        return [
            f"{world_of(seed)} {VERSIONS[world_of(seed)]} {self.split} {seed} {self._duration(number)}"
            for number, seed in enumerate(self.seeds)
        ]

    def read(self, number: int) -> LongClip:
        """A scene with its picture rendered: 5 minutes are 0.2 GB."""
        from openfoley.gym.picture import render_picture
        from openfoley.gym.sound import render_sound

        scene = sample_scene(
            self.seeds[number], float(self._duration(number)), split=self.split, silent=False, aspect=1.0
        )
        frames = render_picture(scene, rate=FRAME_RATE, height=SIZE, width=SIZE)
        sound = render_sound(scene, sample_rate=SAMPLE_RATE, with_stems=False).mix
        cuts = tuple(ceil(Fraction(shot.start_s) * FRAME_RATE) / FRAME_RATE for shot in scene.shots[1:])
        return LongClip(Source.tensor(frames, FRAME_RATE), Audio(sound, SAMPLE_RATE), cuts, scene.captions)

    def _duration(self, number: int) -> int:
        return self.durations[number % len(self.durations)]


@dataclass(frozen=True)
class VideoClips:
    """Video files with sound, and the captions of each."""

    paths: tuple[Path, ...]
    texts: tuple[tuple[str, ...], ...]

    @property
    def names(self) -> Sequence[str]:
        return [f"{file_hash(path)} {texts}" for path, texts in zip(self.paths, self.texts, strict=True)]

    def read(self, number: int) -> LongClip:
        source = Source.file(self.paths[number])
        sound, kept, length = source.sound(), list[torch.Tensor](), 0
        for piece in sound.chunks():
            kept.append(piece)
            length += piece.shape[-1]
            if length > LONGEST_S * sound.sample_rate:
                logger.warning("%s: what lies behind %d min is not used", self.paths[number].name, LONGEST_S // 60)
                break
        return LongClip(source, Audio(torch.cat(kept, -1), sound.sample_rate), source.cuts(), self.texts[number])


def open_folder(folder: Path) -> dict[Split, VideoClips]:
    """The videos of a folder that can be used, for training and validation. UsageError where a split would be empty."""
    if not folder.is_dir():
        raise UsageError(f"the data folder {str(folder)!r} does not exist; pass a folder of videos with sound, or gym")
    if (folder / LABELS).is_file():
        listed = {folder / name: labels for name, (labels, _) in read_labels(folder).items()}
    else:
        listed = {path: () for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES}
    usable = {path: texts for path, texts in listed.items() if _is_usable(path)}
    if len(usable) < len(listed):
        logger.warning(
            "%d of %d files are left out: shorter than %d s, without sound or unreadable",
            len(listed) - len(usable), len(listed), SHORTEST_S,
        )  # fmt: skip
    if len(usable) < 2:
        raise UsageError(
            f"{str(folder)!r} has {len(usable)} videos of at least {SHORTEST_S} s with sound; two are needed, one of "
            "them for validation"
        )
    every = min(HELD_OUT_EVERY, len(usable))
    held = [number % every == every - 1 for number in range(len(usable))]

    def of(is_held: bool) -> VideoClips:
        chosen = [(path, texts) for (path, texts), one in zip(usable.items(), held, strict=True) if one is is_held]
        return VideoClips(tuple(path for path, _ in chosen), tuple(texts for _, texts in chosen))

    return {"train": of(False), "validation": of(True)}


def _is_usable(path: Path) -> bool:
    try:
        video = Source.file(path)
    except (MediaError, UsageError):
        return False
    return bool(video.sound_streams) and video.info.duration >= SHORTEST_S
