"""Which outputs of a generation are written already, when the same command runs again after it was killed.

From the moment the first output appears, a note in the work folder says what lay at the outputs' places before: a file
that was not there, or that is another one than before, is done.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from openfoley.synthesis.resume import Work, discard_unused
from openfoley.synthesis.take import Take

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


class Delivery:
    """The outputs of one generation, one path a take. stems: files beside them, each there before its take's is. The
    same generation (`identity`) resumes after it was killed: what it had written stays, and may be replaced if the
    sound is another one now."""

    def __init__(
        self, paths: Sequence[Path], command: Mapping[str, str], force: bool = False, stems: Sequence[Path] = ()
    ) -> None:
        self.paths, self.stems, self.work = paths, stems, work_folder(paths[0])
        self._command, self._force = command, force
        self._written = self._written_before()

    @property
    def is_finished(self) -> bool:
        """Whether everything had been written when the same generation was killed."""
        return all(path.absolute() in self._written for path in self.paths)

    def may_replace(self, path: Path) -> bool:
        return self._force or path.absolute() in self._written

    def save(self, takes: Sequence[Take]) -> Iterator[tuple[Take, Path]]:
        """Write the takes that are not written yet, each atomically; yields each with its path. Afterwards nothing is
        kept for resuming."""
        work = takes[0].work
        self.begin(work)
        written = self._written_before(work)
        for take, path in zip(takes, self.paths, strict=True):
            if path.absolute() not in written:
                take.save(path, force=self.may_replace(path))
                yield take, path
        self.clear(work)

    def begin(self, work: Work | None) -> None:
        """Note what lies at the outputs' places before the first of them is written."""
        if work is not None and work.folder == self.work and self._noted(work.key) is None:
            self._note(work)

    def clear(self, work: Work | None = None) -> None:
        """Remove what is kept for resuming, of an earlier generation for the same output too."""
        if work is not None:
            work.remove()
        else:
            discard_unused(self.work)

    def _note(self, work: Work) -> None:
        before = {str(path.absolute()): _state_of(path) for path in (*self.paths, *self.stems)}
        unfinished = work.folder / f"{NOTE_NAME}.partial"
        unfinished.write_text(
            json.dumps({"command": self._command, "key": work.key, "before": before}), encoding="utf-8"
        )
        unfinished.replace(work.folder / NOTE_NAME)

    def _written_before(self, work: Work | None = None) -> set[Path]:
        """The outputs that the same generation wrote before it was killed. work: of the sound to save, where it is
        known; outputs of another sound do not count."""
        before = self._noted(None if work is None else work.key) or {}
        states = {Path(path): (_state_of(path), state) for path, state in before.items()}
        return {
            path for path, (now, then) in states.items() if now is not None and (then is None or now != tuple(then))
        }

    def _noted(self, key: str | None) -> dict[str, Any] | None:
        """The outputs' states when the same generation began to save a sound of this key (None: of any)."""
        try:
            noted = json.loads((self.work / NOTE_NAME).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(noted, dict) or noted.get("command") != self._command or key not in (None, noted.get("key")):
            return None
        return noted.get("before")


def _state_of(path: str | os.PathLike[str]) -> tuple[int, int] | None:
    """Size and time of the last change of a file; None where there is none."""
    try:
        state = os.stat(path)
    except (OSError, ValueError):
        return None
    return state.st_size, state.st_mtime_ns
