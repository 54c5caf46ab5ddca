"""Where the videos, captions and splits of published sets of pairs are, in a user's own copy of them.

    greatest-hits  <id>_denoised_thumb.mp4 or <id>_denoised.mp4, <id>_denoised.wav (else the video's own sound),
                   <id>_times.txt: time, material, action, reaction a line
    landscape      [train|test/]<class>/<name>.mp4, as MM-Diffusion gives them
    avsync15       [videos/]<class>/<name>.mp4
    vggsound       vggsound.csv (id, second, label, split) and <id>_<second>....mp4
    folder         captions.csv, file,caption[,split]: any videos

Lists train.txt and test.txt, one file or id a line, decide the split where they are, and what neither names is left
out; else a folder named train or test; else a tenth of the videos, by a hash of the name, is for evaluation. A
captions.csv takes the place of the captions.
Not public are the paper's captions of Greatest Hits, which a model wrote (here they are made of the annotations), its
list of Landscape, and which 2 s of a video ALT-Merge takes (`per_video=1`: the first).
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from openfoley.errors import UsageError
from openfoley.media.read.opening import shown

PairSplit = Literal["train", "evaluation"]
SPLIT_WORDS: dict[str, PairSplit] = {
    "train": "train", "test": "evaluation", "evaluation": "evaluation", "validation": "evaluation", "val": "evaluation",
}  # fmt: skip
SUFFIXES = (".mp4", ".mkv", ".webm", ".mov", ".avi")
CAPTIONS = "captions.csv"
EVALUATION_SHARE = 0.1
PLAIN_HIT = "a drumstick hits something"
ACTS = {"hit": "hits", "scratch": "scratches"}
VGGSOUND = "vggsound.csv"
NAMED = (r"(.+)_(\d+)$", r"(.+)_(\d+)_\d+$")
"""Of a video of VGGSound: id and start, or id, start and end; an id may hold digits behind an underscore, too."""


@dataclass(frozen=True)
class Listed:
    """A video. name: unique, its path below the folder without suffix. sound: its file, None: the video's own.
    events: time (s) and words of what is annotated; captions of clips are made of those in them."""

    name: str
    video: Path
    sound: Path | None
    captions: tuple[str, ...]
    split: PairSplit
    events: tuple[tuple[float, str], ...] = ()

    def captions_of(self, first_s: float, last_s: float) -> tuple[str, ...]:
        """Of a clip between two times."""
        words = list(dict.fromkeys(said for time_s, said in self.events if first_s <= time_s < last_s))
        return (f"a drumstick {' and '.join(words)}",) if words else self.captions


def listed(kind: str, folder: Path) -> list[Listed]:
    """The videos of a copy, by name. UsageError for a folder that is none, and for a list that cannot be read."""
    if kind not in LAYOUTS:
        raise UsageError(f"the kind of pairs must be one of {', '.join(LAYOUTS)}, got {kind!r}")
    if not folder.is_dir():
        raise UsageError(f"{shown(folder)} is not a folder; pass the one of your copy of {kind}")
    captions = read_captions(folder / CAPTIONS) if (folder / CAPTIONS).is_file() else {}
    found = sorted(LAYOUTS[kind](folder, captions), key=lambda one: one.name)
    if not found:
        raise UsageError(f"{shown(folder)} holds no videos of {kind}; docs/pairs.md shows how they lie")
    return [_captioned(one, captions) for one in found]


def read_captions(path: Path) -> dict[str, tuple[tuple[str, ...], PairSplit | None]]:
    """By file, without suffix: its captions, the plainest first, and the split that is stated. UsageError, which names
    the line."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            header, rows = reader.fieldnames or (), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{shown(path)} cannot be read ({error}); write one: file,caption in each line") from None
    if not {"file", "caption"} <= {*header} <= {"file", "caption", "split"}:
        raise UsageError(
            f"{shown(path)}: the header must be file,caption or file,caption,split, got {','.join(header)}"
        )
    found: dict[str, tuple[tuple[str, ...], PairSplit | None]] = {}
    for number, row in enumerate(rows, start=2):
        name, caption, split = ((row.get(column) or "").strip() for column in ("file", "caption", "split"))
        if not name or not caption or None in row:
            raise UsageError(f"{shown(path)}, line {number}: needs a file and a caption; quote a caption with a comma")
        if split and split not in SPLIT_WORDS:
            raise UsageError(f"{shown(path)}, line {number}: split must be train or evaluation, got {split!r}")
        earlier, stated = found.get(_bare(name), ((), None))
        if earlier and stated != SPLIT_WORDS.get(split):
            raise UsageError(f"{shown(path)}, line {number}: {name!r} has another split above")
        found[_bare(name)] = ((*earlier, caption), SPLIT_WORDS.get(split))
    return found


Captions = dict[str, tuple[tuple[str, ...], PairSplit | None]]


def _greatest_hits(folder: Path, _: Captions) -> Iterator[Listed]:
    videos: dict[str, Path] = {}
    for ending in ("_denoised.mp4", "_denoised_thumb.mp4"):  # the smaller copy of the same pictures is enough
        videos |= {path.name.removesuffix(ending): path for path in sorted(folder.rglob(f"*{ending}"))}
    files = {path.name: path for pattern in ("*_denoised.wav", "*_times.txt") for path in sorted(folder.rglob(pattern))}
    lists = _lists(folder, lambda line: re.sub(r"_(denoised|mic)(_thumb)?$", "", Path(_bare(line)).name))
    for id, video in videos.items():
        times = files.get(f"{id}_times.txt")
        events = tuple(_hits(times)) if times is not None else ()
        sound = files.get(f"{id}_denoised.wav")
        split = _split(id, id, lists)
        if split is not None:
            yield Listed(id, video, sound, (PLAIN_HIT,), split, events)


def _hits(path: Path) -> Iterator[tuple[float, str]]:
    """Time and "hits wood" of the annotated contacts; what is not annotated says None."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{shown(path)} cannot be read ({error})") from None
    for number, words in enumerate(map(str.split, lines), start=1):
        try:
            time_s, material, action = float(words[0]), words[1], words[2]
        except (ValueError, IndexError):
            if not words:
                continue
            raise UsageError(f"{shown(path)}, line {number}: expected time, material, action, reaction") from None
        if action in ACTS and material != "None":
            yield time_s, f"{ACTS[action]} {material.replace('-', ' ')}"


def _classes(folder: Path, _: Captions) -> Iterator[Listed]:
    """<class>/<name>: the class is the caption, in words of class_mapping.json where there is one."""
    said = _mapping(folder / "class_mapping.json")
    lists = _lists(folder, lambda line: "/".join(Path(_bare(line)).parts[-2:]))
    for path in _videos(folder):
        where = path.relative_to(folder)
        if len(where.parts) < 2:
            raise UsageError(f"{shown(path)} is in no folder of a class; put it in DIR/<class>/")
        name = _bare(str(where))
        label = said.get(where.parts[-2], re.sub(r"_+", " ", where.parts[-2]))
        split = _split("/".join(Path(name).parts[-2:]), name, lists)
        if split is not None:
            yield Listed(name, path, None, (label,), split)


def _vggsound(folder: Path, _: Captions) -> Iterator[Listed]:
    path = next(iter(sorted(folder.rglob(VGGSOUND))), None)
    if path is None:
        raise UsageError(f"{shown(folder)} holds no {VGGSOUND}; put VGGSound's own list beside its videos")
    clips = _vggsound_list(path)
    for video in _videos(folder):
        named = [re.match(pattern, video.stem) for pattern in NAMED]
        starts = [(match[1], int(match[2])) for match in named if match]
        starts += [(id, number // 1000) for id, number in starts]  # some name milliseconds
        label = next((clips[start] for start in starts if start in clips), None)
        if label is not None:
            yield Listed(_bare(str(video.relative_to(folder))), video, None, (label[0],), label[1])


def _vggsound_list(path: Path) -> dict[tuple[str, int], tuple[str, PairSplit]]:
    found: dict[tuple[str, int], tuple[str, PairSplit]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for number, row in enumerate(csv.reader(file), start=1):
                if len(row) != 4 or not row[1].strip().isdigit() or row[3].strip() not in SPLIT_WORDS:
                    raise UsageError(
                        f"{shown(path)}, line {number}: expected id, second, label, split, got {row!r:.80}"
                    )
                found[row[0], int(row[1])] = (row[2].strip(), SPLIT_WORDS[row[3].strip()])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{shown(path)} cannot be read ({error}); pass VGGSound's {VGGSOUND}") from None
    return found


def _folder(folder: Path, captions: Captions) -> Iterator[Listed]:
    if not captions:
        raise UsageError(f"{shown(folder)} has no {CAPTIONS} with clips; write one: file,caption in each line")
    videos = {_bare(str(path.relative_to(folder))): path for path in _videos(folder)}
    for name in captions:
        if name not in videos:
            raise UsageError(f"{shown(folder / CAPTIONS)} names {name!r}, which is not there")
        yield Listed(name, videos[name], None, (), _by_folder(name))


LAYOUTS: dict[str, Callable[[Path, Captions], Iterator[Listed]]] = {
    "greatest-hits": _greatest_hits, "landscape": _classes, "avsync15": _classes, "vggsound": _vggsound,
    "folder": _folder,
}  # fmt: skip


def _captioned(one: Listed, captions: Captions) -> Listed:
    """With its own captions and split, where the user gives them."""
    said, split = captions.get(one.name, ((), None))
    return replace(one, captions=said or one.captions, events=() if said else one.events, split=split or one.split)


def _lists(folder: Path, key: Callable[[str], str]) -> dict[str, PairSplit]:
    """Names that train.txt and test.txt give."""
    found: dict[str, PairSplit] = {}
    for word in ("train", "test"):
        path = next(iter(sorted(folder.rglob(f"{word}.txt"))), None)
        if path is not None:
            try:
                lines = path.read_text(encoding="utf-8-sig").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                raise UsageError(f"{shown(path)} cannot be read ({error}); it has a file a line") from None
            found |= {key(line.strip()): SPLIT_WORDS[word] for line in lines if line.strip()}
    return found


def _split(key: str, name: str, lists: dict[str, PairSplit]) -> PairSplit | None:
    """None for a video that lists leave out; a list of one split alone leaves the other to the rest."""
    if len({*lists.values()}) == 1:
        (only,) = {*lists.values()}
        return lists.get(key, "train" if only == "evaluation" else "evaluation")
    return lists.get(key) if lists else _by_folder(name)


def _by_folder(name: str) -> PairSplit:
    folders: list[PairSplit] = [SPLIT_WORDS[part] for part in Path(name).parts[:-1] if part in SPLIT_WORDS]
    if folders:
        return folders[-1]
    return "evaluation" if share_of(name) < EVALUATION_SHARE else "train"


def share_of(name: str) -> float:
    """A number of 0..1 that only the name decides."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:12], 16) / 16**12


def _mapping(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        return {str(key): str(value) for key, value in said.items()}
    except (OSError, ValueError, AttributeError) as error:
        raise UsageError(f"{shown(path)} is not a mapping of classes to words ({error})") from None


def _videos(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file()]


def _bare(name: str) -> str:
    """Without suffix; folders with forward slashes."""
    return Path(name).with_suffix("").as_posix() if Path(name).suffix.lower() in SUFFIXES else Path(name).as_posix()
