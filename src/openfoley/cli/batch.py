"""`openfoley generate A.mp4 B.mp4 FOLDER --out-dir OUT`: many files with one model in memory.

Finished outputs are skipped, a file that fails does not stop the others, and a summary lists each result.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

from openfoley.cli.messages import complain, note, print_json
from openfoley.errors import OpenFoleyError, OutputError, UsageError
from openfoley.media.write.outputs import default_output

INPUT_SUFFIXES = frozenset(
    ".mp4 .m4v .mov .mkv .webm .avi .ts .mts .m2ts .mpg .mpeg .vob .mxf .3gp .wmv .flv .dv .y4m .gif .ogv".split()
)
MADE_MARK = ".foley"  # in the names of what `generate` writes: not taken as input from folders


def videos_in(given: Sequence[str]) -> list[Path]:
    """The files as given, and those with a video's suffix from folders, in order. UsageError for none."""
    found: list[Path] = []
    for path in map(Path, given):
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in INPUT_SUFFIXES and p.is_file())
        found += [p for p in inside if MADE_MARK not in p.suffixes[:-1] and not p.name.startswith(".")]
    if not found:
        raise UsageError(f"there is no video in {', '.join(given)}; pass video files or folders of them")
    return found


def run_batch(options: Namespace, one: Callable[[Namespace], int]) -> int:
    """Run `one` for every file; 0 if all outputs are written or already exist, else 1."""
    if options.duration is not None or options.plan:
        raise UsageError("--duration and --plan are for one video at a time")
    videos = list(dict.fromkeys(videos_in(options.video)))
    if options.out is not None:
        raise UsageError("--out names one file; pass --out-dir FOLDER for several videos")
    folder = None if options.out_dir is None else Path(options.out_dir)
    outs = {video: _output(video, folder) for video in videos}
    if len(set(outs.values())) < len(videos):
        twice = next(path for path in outs.values() if list(outs.values()).count(path) > 1)
        raise UsageError(f"two videos would be written to {twice}; rename one or run them separately")
    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"cannot make the folder {folder}: {error.strerror}; choose another --out-dir") from None
    results = []
    for number, (video, out) in enumerate(outs.items(), start=1):
        result = {"video": str(video), "path": str(out), "state": "skipped", "reason": None}
        if not out.exists() or options.force or options.takes > 1:
            note(f"{number} of {len(outs)}: {video}")
            try:
                one(Namespace(**{**vars(options), "video": str(video), "out": str(out), "json": False}))
                result["state"] = "written"
            except OpenFoleyError as error:
                complain(str(error))
                result |= {"state": "failed", "reason": str(error)}
        results.append(result)
    counts = {state: sum(one["state"] == state for one in results) for state in ("written", "skipped", "failed")}
    note(", ".join(f"{count} {state}" for state, count in counts.items()) + _names(results))
    if options.json:
        print_json({**counts, "videos": results})
    return int(counts["failed"] > 0)


def _output(video: Path, folder: Path | None) -> Path:
    out = default_output(video) if video.is_file() else video.with_name(f"{video.stem}.foley.mkv")
    return out if folder is None else folder / out.name


def _names(results: Sequence[dict[str, str | None]]) -> str:
    failed = [str(one["video"]) for one in results if one["state"] == "failed"]
    return (
        f"; failed: {', '.join(failed)}"
        if failed
        else " (--force regenerates skipped ones)" * any(one["state"] == "skipped" for one in results)
    )
