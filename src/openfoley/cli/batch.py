"""`openfoley generate A.mp4 B.mp4 FOLDER --out-dir OUT`: many files with one model in memory.

Finished outputs are skipped, a file that fails does not stop the others, and a summary lists each result.
"""

from __future__ import annotations

import os
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from openfoley.cli.asked import checked_request
from openfoley.cli.messages import complain, explained, note, print_json, wants_traceback
from openfoley.errors import OutputError, UsageError
from openfoley.media.read.opening import shown
from openfoley.media.write.outputs import VIDEO_SUFFIXES, take_paths

INPUT_SUFFIXES = frozenset({*VIDEO_SUFFIXES, *".mpg .mpeg .vob .wmv .flv .dv .y4m .gif .ogv".split()})
OUTPUT_SUFFIXES = (".mkv", ".mov", ".wav")  # of outputs that cannot have the input's
MADE_MARK = ".foley"  # in the names of what `generate` writes: not taken as input from folders
STATES = ("written", "skipped", "failed")  # in every summary; "interrupted" and "not started" where there are any
Result = dict[str, str | None]  # of one video: its path, its output, the state, and why it failed


def videos_in(given: Sequence[str]) -> list[Path]:
    """The files as given, and those with a video's suffix from folders, in order, each once. UsageError for none."""
    found: dict[Path, Path] = {}
    for path in map(Path, given):
        for one in _inside(path) if path.is_dir() else [path]:
            found.setdefault(one.absolute(), one)
    if not found:
        raise UsageError(f"there is no video in {', '.join(given) or 'the command'}; pass video files or folders")
    return list(found.values())


def _inside(folder: Path) -> list[Path]:
    try:
        files = sorted(p for p in folder.iterdir() if p.suffix.lower() in INPUT_SUFFIXES and p.is_file())
    except OSError as error:
        raise UsageError(f"the folder {shown(folder)} cannot be read ({error.strerror})") from None
    return [p for p in files if MADE_MARK not in p.suffixes[:-1] and not p.name.startswith(".")]


def output_names(videos: Sequence[Path], folder: Path | None) -> dict[Path, Path]:
    """Video -> its output without the suffix: beside it, or in `folder`.

    They depend on names alone, so that the same command finds what it has written. In `folder` videos of one name go
    into folders named after their own; videos that differ in the suffix alone have it in the name.
    """
    places = {v: v.parent if folder is None else folder.joinpath(*_folders_apart(v, videos)) for v in videos}
    stems = Counter((places[v], v.stem.casefold()) for v in videos)
    unique = {v: stems[places[v], v.stem.casefold()] == 1 for v in videos}
    return {v: places[v] / f"{v.stem if unique[v] else v.name}{MADE_MARK}" for v in videos}


def _folders_apart(video: Path, videos: Sequence[Path]) -> tuple[str, ...]:
    """The last folders of the path that distinguish a video from those of the same name in other folders."""
    own = video.absolute().parent.parts
    others = [v.absolute().parent.parts for v in videos if v.name.casefold() == video.name.casefold()]
    others = [parts for parts in others if parts != own]
    depths = range(1, len(own))
    return own[-next((n for n in depths if all(own[-n:] != o[-n:] for o in others)), len(own) - 1) :] if others else ()


def run_batch(options: Namespace, generate: Callable[[Namespace], int], model_failed: Callable[[], bool]) -> int:
    """Run `generate` for every file; 0 if all outputs are written or already exist, else 1. model_failed: whether the
    model could not be loaded, which ends the batch."""
    if options.duration is not None or options.plan:
        raise UsageError("--duration and --plan are for one video at a time")
    videos = videos_in(options.video)
    if options.out is not None:
        raise UsageError("--out names one file; pass --out-dir FOLDER for several videos")
    checked_request(options)
    folder = None if options.out_dir is None else Path(options.out_dir)
    names = output_names(videos, folder)
    _make_folders(names)
    apart = [f"{v} to {n}.*" for v, n in names.items() if n != (folder or v.parent) / f"{v.stem}{MADE_MARK}"]
    if apart:
        note(f"videos of the same name: {', '.join(apart)}")
    results: list[Result] = [{"video": str(v), "path": None, "state": "not started", "reason": None} for v in names]
    try:
        for number, (result, (video, name)) in enumerate(zip(results, names.items(), strict=True), start=1):
            result["state"] = "interrupted"
            try:
                existing = None if options.force else _existing(video, name, options.takes)
                if existing is not None:
                    result |= {"state": "skipped", "path": str(existing)}
                    continue
                note(f"{number} of {len(names)}: {video}")
                own = {"video": str(video), "out_name": str(name), "json": False}
                generate(Namespace(**{**vars(options), **own}))
                result |= {"state": "written", "path": str(_existing(video, name, options.takes))}
            except Exception as error:
                result |= {"state": "failed", "reason": explained(error)}
                if model_failed() or wants_traceback():
                    raise
                complain(explained(error))
    finally:
        _summarise(results, options.json)
    return int(any(one["state"] == "failed" for one in results))


def _make_folders(names: Mapping[Path, Path]) -> None:
    """The outputs' folders."""
    for video, name in names.items():
        try:
            if name.parent != video.parent:
                name.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            where = shown(name.parent)
            raise OutputError(f"cannot make the folder {where}: {error.strerror}; choose another --out-dir") from None


def _existing(video: Path, name: Path, takes: int) -> Path | None:
    """The output, or that of the first take, where all takes are written."""
    for suffix in dict.fromkeys((video.suffix, *OUTPUT_SUFFIXES)):
        paths = take_paths(Path(f"{name}{suffix}"), takes)
        if all(os.path.exists(path) for path in paths):  # False for a name that is too long
            return paths[0]
    return None


def _summarise(results: Sequence[Result], as_json: bool) -> None:
    """How many of each state, and which failed."""
    found = Counter(str(one["state"]) for one in results)
    counts = {state: found[state] for state in dict.fromkeys((*STATES, *found))}
    failed = [str(one["video"]) for one in results if one["state"] == "failed"]
    more = (
        f"; failed: {', '.join(failed)}" if failed else " (--force regenerates skipped ones)" * bool(found["skipped"])
    )
    note(", ".join(f"{count} {state}" for state, count in counts.items()) + more)
    if as_json:
        print_json({**{state.replace(" ", "_"): count for state, count in counts.items()}, "videos": results})
