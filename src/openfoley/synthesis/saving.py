"""Which outputs of a generation are written already, when the same command runs again after it was killed.

From the moment the first output appears, a note in the work folder says what lay at the outputs' places before: a file
that was not there, or that is another one than before, is done.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from openfoley.synthesis.resume import Work, discard_unused

NOTE_NAME = "saving.json"
LONGEST_NAME_BYTES = 180  # of 255: what a folder's name adds, a stem's too, must fit behind it


def work_folder(out: Path) -> Path:
    """Where a long sound for `out` keeps what is done. A name near the system's limit is shortened."""
    name = out.name
    if len(os.fsencode(name)) > LONGEST_NAME_BYTES:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()[:32]
    return out.with_name(f".{name}.openfoley-work")


def identity(words: Mapping[str, object], files: Iterable[str | os.PathLike[str] | None]) -> dict[str, str]:
    """What distinguishes one generation from another: its request, and the state of the files that it reads."""
    read = {f"state of {os.fspath(file)}": repr(_state_of(file)) for file in files if file is not None}
    return {name: repr(value) for name, value in sorted(words.items())} | read


def note_saving(work: Work | None, command: Mapping[str, str], paths: Sequence[Path]) -> None:
    """From here on the outputs appear, one after the other, each whole. A note of the same command for the same sound
    stays as it is."""
    if work is None or _noted(work.folder, command, work.key) is not None:
        return
    before = {str(path.absolute()): _state_of(path) for path in paths}
    unfinished = work.folder / f"{NOTE_NAME}.partial"
    unfinished.write_text(json.dumps({"command": command, "key": work.key, "before": before}), encoding="utf-8")
    unfinished.replace(work.folder / NOTE_NAME)


def saved_before(folder: Path, command: Mapping[str, str], work: Work | None = None) -> set[Path]:
    """The outputs that the same command wrote before it was killed. work: of the sound to save, where it is known;
    outputs of another sound are not meant."""
    before = _noted(folder, command, None if work is None else work.key) or {}
    states = {Path(path): (_state_of(path), state) for path, state in before.items()}
    return {path for path, (now, then) in states.items() if now is not None and (then is None or now != tuple(then))}


def clear_away(work: Work | None, folder: Path) -> None:
    """Everything is written: nothing of the work is left, nor of what an earlier command left for the same output."""
    if work is not None:
        work.remove()
    else:
        discard_unused(folder)


def _state_of(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Size and time of the last change of a file; None where there is none."""
    try:
        state = os.stat(path)
    except (OSError, ValueError):
        return None
    return state.st_size, state.st_mtime_ns


def _noted(folder: Path, command: Mapping[str, str], key: str | None) -> dict[str, Any] | None:
    """What lay at the outputs' places when the same command began to save a sound of this key (None: of any)."""
    try:
        noted = json.loads((folder / NOTE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(noted, dict) or noted.get("command") != command or key not in (None, noted.get("key")):
        return None
    return noted.get("before")
