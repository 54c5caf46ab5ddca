"""Pairs of videos side by side, one of which is to be heard: SelVA's VGG-MonoAudio's layout, from one's own copies.

    DIR/inter_class, DIR/intra_class     pairs of other, and of the same super-category
      mixed/<item>.mp4                   8 s, 25 Hz, no sound: two panels of 640 x 360, each a whole frame
      target_audio/<video>.wav           the sound of each video's 8 s
      metadata.csv                       `Item`s; utf-8 with a byte order mark, as published

An item's name is <target>_<paired>_<side of the target>, of ids with VGGSound's second. The published benchmark (1,071
items of 67 videos) was chosen by hand and its list is not public: this is another benchmark made by the same idea.
Each video of a pair is the target once, on a side that is drawn.
"""

from __future__ import annotations

import csv
import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from functools import lru_cache
from itertools import combinations
from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from openfoley.data.unav import WINDOW_S, Window, single_source_windows
from openfoley.errors import MediaError, UsageError
from openfoley.media.frames import FrameRequest
from openfoley.media.read.opening import shown
from openfoley.media.read.sound_file import read_audio
from openfoley.media.source import Source
from openfoley.media.write.atomic import TemporaryFolder, cannot_write
from openfoley.media.write.encode import write_video
from openfoley.media.write.sound_file import AudioWriter

KINDS = ("inter_class", "intra_class")
RATE = Fraction(25)  # Hz, of SelVA's pictures
HEIGHT, WIDTH = 360, 640  # pixels of a panel
PAIRS = 280  # of each kind: the published inter-class items are 560
MIXED, TARGET, METADATA = "mixed", "target_audio", "metadata.csv"
SIDES = ("left", "right")
FEWEST = 2  # labels
KEPT_PANELS = 4  # videos in memory, 138 MB each


@dataclass(frozen=True)
class Item:
    """A row of metadata.csv."""

    file_name: str
    label: str
    paired_label: str
    target_file: str
    paired_file: str
    target_category: str
    target_position: str
    target_start_sec: float
    paired_start_sec: float


@dataclass(frozen=True)
class Made:
    """items: of each kind. videos: of which they are made. lost: ids of the others, missing or unreadable."""

    items: dict[str, int]
    videos: int
    lost: dict[str, tuple[str, ...]]


def make_mono_audio(
    unav: Path, vggsound: Path, out: Path, *, pairs: int = PAIRS, seed: int = 0,
    progress: Callable[[float, float], None] | None = None,
) -> Made:  # fmt: skip
    """Write the layout; the folder appears whole or not at all. pairs: at most, of each kind.

    Videos that are missing or cannot be read are left out and named in the result. UsageError, before any work, for an
    existing `out` and where fewer than two videos of different labels are left."""
    if pairs < 1:
        raise UsageError(f"pairs must be at least 1, got {pairs}")
    if out.exists():
        raise UsageError(f"the output {shown(out)} exists; give a folder that does not")
    windows = single_source_windows(unav, vggsound)
    missing = tuple(one.id for one in windows if one.video is None)
    here = [one for one in windows if one.video is not None]
    _check_enough(here, len(windows), missing)
    place = next(folder for folder in out.absolute().parents if folder.is_dir())
    try:
        with TemporaryFolder(place) as unfinished:
            sounds = unfinished / "sounds"
            sounds.mkdir()
            readable = [one for one in here if _writes_sound(one, sounds)]
            unreadable = tuple(one.id for one in here if one not in readable)
            _check_enough(readable, len(windows), missing + unreadable)
            items = _write_pairs(readable, unfinished, pairs, seed, progress)
            shutil.rmtree(sounds)
            out.parent.mkdir(parents=True, exist_ok=True)
            os.replace(unfinished, out)
    except OSError as error:
        raise cannot_write(out, error) from error
    return Made(items, len(readable), {"missing": missing, "unreadable": unreadable})


def read_items(folder: Path) -> dict[str, list[Item]]:
    """The items of each kind that is there. UsageError for a folder without metadata.csv or with other columns."""
    found = {kind: folder / kind / METADATA for kind in KINDS if (folder / kind / METADATA).is_file()}
    if not found:
        raise UsageError(f"{shown(folder)} holds no {KINDS[0]}/{METADATA}; make it with `openfoley data mono-audio`")
    items = {kind: list(_read_items(path)) for kind, path in found.items()}
    if not any(items.values()):
        raise UsageError(f"{shown(folder)} holds no pairs; make it anew with `openfoley data mono-audio`")
    return items


def drawn_pairs(windows: Sequence[Window], pairs: int, seed: int) -> dict[str, list[tuple[Window, Window]]]:
    """Of each kind, at most `pairs` of all pairs of different labels, in order of the windows."""
    rng = random.Random(seed)
    kinds: dict[str, list[tuple[Window, Window]]] = {kind: [] for kind in KINDS}
    for one, other in combinations(windows, 2):
        if one.label != other.label:
            kinds[KINDS[one.category == other.category]].append((one, other))
    return {kind: sorted(rng.sample(of, min(pairs, len(of))), key=_ids) for kind, of in kinds.items()}


def _write_pairs(
    windows: Sequence[Window], folder: Path, pairs: int, seed: int, progress: Callable[[float, float], None] | None
) -> dict[str, int]:
    kinds, sides, done = drawn_pairs(windows, pairs, seed), random.Random(seed + 1), 0
    panels = lru_cache(maxsize=KEPT_PANELS)(_panel)
    total = 2 * sum(map(len, kinds.values()))
    for kind, of in kinds.items():
        for name in (MIXED, TARGET):
            (folder / kind / name).mkdir(parents=True)
        items = []
        for pair in of:
            for target, paired in (pair, pair[::-1]):
                side = sides.choice(SIDES)
                item = _item(target, paired, side)
                shown_pair = (target, paired) if side == "left" else (paired, target)
                mixed = torch.cat([panels(one) for one in shown_pair], -1)
                write_video(folder / kind / MIXED / f"{item.file_name}.mp4", mixed, RATE)
                sound = folder / kind / TARGET / item.target_file
                if not sound.exists():
                    shutil.copyfile(folder / "sounds" / item.target_file, sound)
                items.append(item)
                done += 1
                if progress is not None:
                    progress(done, total)
        _write_items(folder / kind / METADATA, items)
    return {kind: 2 * len(of) for kind, of in kinds.items()}


def _item(target: Window, paired: Window, side: str) -> Item:
    return Item(
        f"{target.name}_{paired.name}_{side}", target.label, paired.label, f"{target.name}.wav", f"{paired.name}.wav",
        target.category, side, target.start_s, paired.start_s,
    )  # fmt: skip


def _panel(window: Window) -> UInt8[Tensor, "frames 3 height width"]:
    """The frames shown in the window's 8 s."""
    assert window.video is not None
    first, count = round(window.start_s * RATE), round(WINDOW_S * RATE)
    frames: list[Tensor] = []
    for chunk in Source.file(window.video).chunks([FrameRequest("panel", RATE, HEIGHT, WIDTH)]):
        frames.append(chunk.frames[max(0, first - chunk.first_index) :])
        if chunk.first_index + len(chunk.frames) >= first + count:
            break
    found = torch.cat(frames)[:count]
    if len(found) < count:
        raise MediaError(f"{shown(window.video)} ends before {window.start_s + WINDOW_S:.1f} s")
    return found


def _writes_sound(window: Window, folder: Path) -> bool:
    """Write the sound of the 8 s, if the file has it and its pictures."""
    assert window.video is not None
    try:
        _panel(window)
        audio = read_audio(window.video)
    except MediaError:
        return False
    first, last = (round(t * audio.sample_rate) for t in (window.start_s, window.start_s + WINDOW_S))
    if audio.samples.shape[-1] <= first:
        return False
    samples = torch.nn.functional.pad(audio.samples, (0, max(0, last - audio.samples.shape[-1])))[:, first:last]
    with AudioWriter(folder / f"{window.name}.wav", audio.sample_rate, len(samples), "16") as writer:
        writer.write(samples)
    return True


def _check_enough(windows: Sequence[Window], of: int, lost: Sequence[str]) -> None:
    if len({one.label for one in windows}) >= FEWEST:
        return
    labels = "; ".join(sorted({one.label for one in windows})) or "none"
    missing = f", {len(lost)} of {of} videos are missing or unreadable ({lost[0]} first)" if lost else ""
    raise UsageError(f"pairs need two videos of different labels, got those of {labels}{missing}; add videos of others")


def _ids(pair: tuple[Window, Window]) -> tuple[str, str]:
    return pair[0].id, pair[1].id


def _write_items(path: Path, items: Sequence[Item]) -> None:
    with open(path, "w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, [one.name for one in fields(Item)])
        writer.writeheader()
        writer.writerows([asdict(one) for one in items])


def _read_items(path: Path) -> Iterator[Item]:
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                if row["target_position"] not in SIDES:
                    raise ValueError(f"target_position {row['target_position']!r} is neither left nor right")
                yield Item(
                    row["file_name"], row["label"], row["paired_label"], row["target_file"], row["paired_file"],
                    row["target_category"], row["target_position"],
                    float(row["target_start_sec"]), float(row["paired_start_sec"]),
                )  # fmt: skip
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, ValueError, TypeError) as error:
        raise UsageError(f"{shown(path)} is not a list of items ({error!r}); make it anew") from None
