"""From parsed words to the arguments of `Pipeline.generate`, `edit` and `extend`; checked before heavy work."""

from __future__ import annotations

import json
import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openfoley.cli.messages import note, print_json
from openfoley.errors import OpenFoleyError, UsageError
from openfoley.hub.registry import check_model, default_settings, generator_kind
from openfoley.media.source import shown
from openfoley.media.timecode import Timecode, nominal, start_timecode, zero
from openfoley.request import NO_VIDEO, check_context, check_guidance, check_settings, check_temperature
from openfoley.timeline.cues import Cue, read_cues
from openfoley.timeline.cut_list import read_cuts
from openfoley.timeline.plan import CONTEXT_S, NEW_S
from openfoley.timeline.shots import CUT_RULES
from openfoley.types import VideoInfo

if TYPE_CHECKING:
    from openfoley.synthesis.resume import Work

SAVING_NAME = "saving.json"
FILES_READ = ("video", "sound", "cues", "cuts", "reference", "model")
"""Words that may name a file or folder that the sound hangs on."""
WEIGHTS_APART = ("picture_guidance", "text_guidance", "negative_guidance")
OWN_DEFAULTS = (*WEIGHTS_APART, "temperature")
"""Words whose default the kind of generator knows."""
ONLY_SALSA_V = ("temperature", "reference_guidance")


def start_of(options: Namespace, info: VideoInfo) -> Timecode:
    """The timecode of the first frame: as given, as the file tells, or 00:00:00:00."""
    if info.path == NO_VIDEO and options.start_timecode is None:
        return zero(nominal(info.frame_rate))
    return start_timecode(info.path, info.frame_rate, options.start_timecode) or zero(nominal(info.frame_rate))


def check_asked(options: Namespace) -> None:
    """What can be known to be wrong without reading the video; the model's own settings where none were asked for."""
    check_model(options.model)
    steps, guidance = default_settings(options.model)
    options.steps = steps if options.steps is None else options.steps
    options.guidance = guidance if options.guidance is None else options.guidance
    for name in WEIGHTS_APART:
        check_guidance(name.replace("_", " "), getattr(options, name))
    check_temperature(options.temperature)
    if generator_kind(options.model) == "mmaudio":
        for name in ONLY_SALSA_V:
            if getattr(options, name) is not None:
                raise UsageError(f"--{name.replace('_', '-')} is for salsa-v models, not {options.model}; leave it out")
    check_settings(options.steps, options.guidance, [options.seed], options.reference_guidance)
    check_context(options.context, options.window, CONTEXT_S, NEW_S)
    if options.reference_span is not None and options.reference is None:
        raise UsageError("--reference-span chooses a part of --reference FILE, which is missing")
    if options.reference is not None and not Path(options.reference).is_file():
        raise UsageError(f"the reference {shown(options.reference)} does not exist or is no file")
    if options.cuts not in CUT_RULES and not Path(options.cuts).is_file():
        raise UsageError(f"cuts must be one of {', '.join(CUT_RULES)} or a file, got {shown(options.cuts)!r}")


def asked(options: Namespace, info: VideoInfo) -> dict[str, Any]:
    """Keyword arguments that all three verbs share."""
    start = start_of(options, info)
    cues: tuple[Cue, ...] = read_cues(options.cues, start, info.duration) if options.cues is not None else ()
    cuts = options.cuts if options.cuts in CUT_RULES else read_cuts(options.cuts, start, info.duration)
    return {
        **told_apart(options),
        "prompt": options.prompt,
        "negative_prompt": options.negative_prompt,
        "steps": options.steps,
        "guidance": options.guidance,
        "cuts": cuts,
        "cues": cues,
        "context": options.context,
        "window": options.window,
        "reference": options.reference,
        "reference_span": tuple(options.reference_span) if options.reference_span is not None else None,
        "reference_guidance": options.reference_guidance,
    }


def told_apart(options: Namespace) -> dict[str, float]:
    """Of the words whose default the kind of generator knows, those that were given: a take can be made again."""
    return {name: getattr(options, name) for name in OWN_DEFAULTS if getattr(options, name) is not None}


def work_folder(out: Path) -> Path:
    """Where a long sound for `out` keeps what is done."""
    return out.with_name(f".{out.name}.openfoley-work")


def _words(options: Namespace) -> dict[str, str]:
    """The command as typed, but for what changes nothing in its results, and the state of the files that it reads."""
    words = {name: repr(value) for name, value in sorted(vars(options).items()) if name not in ("run", "json", "force")}
    read = {name: _state_of(getattr(options, name, None)) for name in FILES_READ}
    return words | {f"state of {name}": repr(state) for name, state in read.items() if state}


def _state_of(path: str | Path | None) -> tuple[int, int] | None:
    """Size and time of the last change of a file; None where there is none."""
    try:
        state = os.stat(path) if path is not None else None
    except (OSError, ValueError):
        return None
    return (state.st_size, state.st_mtime_ns) if state is not None else None


def note_saving(work: Work | None, options: Namespace, paths: Sequence[Path]) -> None:
    """From here on the outputs appear, one after the other, each whole: a file that was not there before, or that is
    another one than before, is done. A note of the same command for the same sound stays as it is."""
    if work is None or _noted(work.folder, options, work.key) is not None:
        return
    before = {str(path.absolute()): _state_of(path) for path in paths}
    unfinished = work.folder / f"{SAVING_NAME}.partial"
    unfinished.write_text(json.dumps({"command": _words(options), "key": work.key, "before": before}), encoding="utf-8")
    unfinished.replace(work.folder / SAVING_NAME)


def saved_before(folder: Path, options: Namespace, work: Work | None = None) -> set[Path]:
    """The outputs that the same command wrote before it was killed. work: of the sound to save, where it is known;
    outputs of another sound are not meant."""
    before = _noted(folder, options, None if work is None else work.key) or {}
    states = {Path(path): (_state_of(path), state) for path, state in before.items()}
    return {path for path, (now, then) in states.items() if now is not None and (then is None or now != tuple(then))}


def _noted(folder: Path, options: Namespace, key: str | None) -> dict[str, Any] | None:
    """What lay at the outputs' places when the same command began to save a sound of this key (None: of any)."""
    try:
        told = json.loads((folder / SAVING_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(told, dict) or told.get("command") != _words(options) or key not in (None, told.get("key")):
        return None
    return told.get("before")


def clear_away(work: Work | None, folder: Path) -> None:
    """Everything is written: nothing of the work is left, nor of what an earlier command left for the same output."""
    from openfoley.synthesis.resume import discard_unused

    if work is not None:
        work.remove()
    else:
        discard_unused(folder)


def finished_before(options: Namespace, paths: Sequence[Path]) -> bool:
    """Whether the same command had written everything when it was killed; what it left is cleared away."""
    work = work_folder(paths[0])
    if len(saved_before(work, options)) < len(paths):
        return False
    clear_away(None, work)
    for path in paths:
        note(f"{path} was already written")
    if options.json:
        print_json({"video": options.video, "takes": [{"path": str(path)} for path in paths]})
    return True


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """If the block fails and left something to go on from, say so."""
    had_work = folder.exists()
    try:
        if had_work:
            note(f"going on from {folder}")
        yield
    except (OpenFoleyError, KeyboardInterrupt):
        if folder.exists():
            note(f"what is done is kept in {folder}; run the same command again to go on")
        raise
