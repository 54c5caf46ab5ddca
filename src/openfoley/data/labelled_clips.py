"""Folders of clips with labels, which `openfoley train selective-encoder --data DIR` reads.

DIR/labels.csv, UTF-8, names a video file with sound below DIR and what sounds in it, one pair a line:

    file,label
    dogs/a.mp4,dog barking
    dogs/a.mp4,a dog barks          further lines of a file: other names of the same thing; the first is its plainest
    horn.mp4,train horn

A third column, split, says `train` or `validation`; without it every 20th file is for validation. Every 8 s of a clip
are a piece; a shorter rest is left out, and so is a file that is shorter, has no sound or cannot be read.
"""

import csv
import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from math import ceil
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from openfoley.data.disk import create_array, write_json
from openfoley.data.gym_cache import FRAME_RATE, FRAMES, FULL_SCALE, SAMPLE_RATE, SAMPLES, SIZE
from openfoley.data.gym_sources import FINISHED, NO_MATERIAL, GymSources, Source
from openfoley.data.workers import logged
from openfoley.errors import MediaError, UsageError
from openfoley.gym.seeds import Split
from openfoley.media.channels import fitted
from openfoley.media.frames import FrameRequest
from openfoley.media.read.content_hash import file_hash
from openfoley.media.resample import resample
from openfoley.media.source import Source as Video
from openfoley.media.write.atomic import make_folder
from openfoley.types import Audio

logger = logging.getLogger(__name__)

LABELS, COLUMNS = "labels.csv", ("file", "label", "split")
SPLITS: tuple[Split, ...] = ("train", "validation")
PIECE_S = 8
HELD_OUT_EVERY = 20  # files
KEPT_VIDEOS = 8  # decoded, in memory: 30 MB each for Synchformer


@dataclass(frozen=True)
class LabelledFile:
    """labels: the plainest first. pieces: of 8 s."""

    path: Path
    labels: tuple[str, ...]
    split: Split
    pieces: int


def read_labels(folder: Path) -> dict[str, tuple[tuple[str, ...], Split | None]]:
    """labels.csv: of each file, in order, its labels and the split that it states. UsageError, which names the line."""
    path = folder / LABELS
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header, rows = reader.fieldnames or (), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{str(path)!r} cannot be read ({error}); write one: file,label in each line") from None
    if not rows:
        raise UsageError(f"{str(path)!r} has no clips; write a line file,label for each")
    if not {*COLUMNS[:2]} <= {*header} <= {*COLUMNS}:
        got = ",".join(header)
        raise UsageError(f"{str(path)!r}: the header must be file,label or file,label,split, got {got}")
    found: dict[str, tuple[tuple[str, ...], Split | None]] = {}
    for number, row in enumerate(rows, start=2):
        name, label, split = ((row.get(column) or "").strip() for column in COLUMNS)
        if not name or not label or None in row:
            raise UsageError(f"{str(path)!r}, line {number}: needs a file and a label; quote a label with a comma")
        stated: Split | None = next((one for one in SPLITS if one == split), None)
        if split and stated is None:
            raise UsageError(f"{str(path)!r}, line {number}: split must be train or validation, got {split!r}")
        labels, earlier = found.get(name, ((), None))
        if label in labels or (labels and earlier != stated):
            raise UsageError(f"{str(path)!r}, line {number}: {name!r} has this label already, or another split")
        found[name] = ((*labels, label), stated)
    return found


def open_labelled(folder: Path, index: Path) -> list[LabelledFile]:
    """The files that can be used. What is found of each is kept in `index`, for the same labels.csv. UsageError if none
    can, or if a split is empty."""
    listed, source = read_labels(folder), file_hash(folder / LABELS)
    kept = json.loads(index.read_text()) if index.is_file() else {}
    if kept.get("labels") != source:
        make_folder(index.parent)
        names = logged(list(listed), "clips", unit="files", every=200)
        kept = {"labels": source, "pieces": {name: pieces_of(folder / name) for name in names}}
        write_json(index, kept)
    left_out = [name for name in listed if not kept["pieces"][name]]
    if left_out:
        logger.warning(
            "%d of %d files are left out: shorter than %d s, without sound or unreadable; the first is %s",
            len(left_out), len(listed), PIECE_S, left_out[0],
        )  # fmt: skip
    files = []
    for name, (labels, stated) in listed.items():
        if pieces := kept["pieces"][name]:
            own: Split = "validation" if len(files) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1 else "train"
            files.append(LabelledFile(folder / name, labels, stated or own, pieces))
    for split in SPLITS:
        if len({file.labels[0] for file in files if file.split == split}) < 2:
            raise UsageError(
                f"{str(folder / LABELS)!r}: the {split} clips need at least two labels, to tell one from another; "
                "add clips, or state their split in a third column"
            )
    return files


def pieces_of(path: Path) -> int:
    """Pieces of a video with sound; 0 for a file that gives none."""
    try:
        video = Video.file(path)
    except (MediaError, UsageError):
        return 0
    return int(video.info.duration // PIECE_S) if video.sound_streams else 0


@dataclass(frozen=True)
class LabelledClips:
    """The pieces of one split as sources, decoded when they are read. request: of the pictures' rate and form."""

    files: tuple[LabelledFile, ...]
    request: FrameRequest

    @classmethod
    def of(cls, files: Sequence[LabelledFile], split: Split, request: FrameRequest) -> "LabelledClips":
        return cls(tuple(file for file in files if file.split == split), request)

    @cached_property
    def rows(self) -> list[tuple[LabelledFile, int]]:
        """A file and the number of the piece for each row."""
        return [(file, piece) for file in self.files for piece in range(file.pieces)]

    @property
    def sources(self) -> list[Source]:
        return self._sources

    @cached_property
    def _sources(self) -> list[Source]:
        return [
            Source(file.labels, NO_MATERIAL, file.labels[0], row, row, row, False, {})
            for row, (file, _) in enumerate(self.rows)
        ]

    def length(self, row: int) -> int:
        """Frames of a piece."""
        return ceil(PIECE_S * self.request.rate)

    def snippet(self, row: int, first: int, count: int) -> UInt8[Tensor, "count 3 height width"]:
        file, piece = self.rows[row]
        begin = ceil(piece * PIECE_S * self.request.rate) + first
        return self._decoded(file.path)[begin : begin + count]

    @cached_property
    def _decoded(self) -> Callable[[Path], UInt8[Tensor, "frames 3 height width"]]:
        """The frames of a video; the last few are kept."""

        def frames(path: Path) -> Tensor:
            return torch.cat([chunk.frames for chunk in Video.file(path).chunks([self.request])])

        return lru_cache(KEPT_VIDEOS)(frames)

    def heard(self, number: int, sample_rate: int, channels: int, samples: int) -> Float[Tensor, "channels samples"]:
        """The piece's sound; what is missing at the end of the file is silent."""
        file, piece = self.rows[number]
        sound = Video.file(file.path).sound()
        own = torch.cat(list(sound.chunks()), -1)
        begin = piece * PIECE_S * sound.sample_rate
        end = begin + ceil(Fraction(samples, sample_rate) * sound.sample_rate)
        part = fitted(own[:, begin:end], channels).contiguous()
        wave = resample(Audio(part, sound.sample_rate), sample_rate).samples[:, :samples]
        return torch.nn.functional.pad(wave, (0, samples - wave.shape[-1]))


def at_gym_size(clips: LabelledClips, folder: Path) -> GymSources:
    """The pieces as arrays of the Gym's form, 6.7 MB each; a finished folder of the same is opened."""
    source = [[str(file.path), *file.labels, str(piece)] for file, piece in clips.rows]
    if (folder / FINISHED).is_file() and json.loads((folder / "clips.json").read_text()) == source:
        return GymSources.open(folder)
    make_folder(folder)
    (folder / FINISHED).unlink(missing_ok=True)
    frames = create_array(folder / "frames.npy", np.uint8, (len(source), FRAMES, 3, SIZE, SIZE))
    sounds = create_array(folder / "sound.npy", np.int16, (len(source), 2, SAMPLES))
    for row in logged(range(len(source)), "clips", unit="pieces", every=100):
        frames[row] = clips.snippet(row, 0, FRAMES).numpy()
        sound = clips.heard(row, SAMPLE_RATE, 2, SAMPLES)
        sounds[row] = (sound.clamp(-1, 1) * FULL_SCALE).round().short().numpy()
    write_json(folder / "clips.json", source)
    write_json(folder / FINISHED, [asdict(one) for one in clips.sources])
    return GymSources.open(folder)


GYM_REQUEST = FrameRequest("sync", FRAME_RATE, SIZE, SIZE)
