"""From parsed words to the arguments of `Pipeline.generate`, `edit` and `extend`; checked before heavy work."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from openfoley.cli.messages import note, print_json
from openfoley.errors import OpenFoleyError, UsageError
from openfoley.hub.registry import check_model, default_settings, generator_kind
from openfoley.longform.cues import Cue, read_cues
from openfoley.longform.cut_list import read_cuts
from openfoley.longform.plan import CONTEXT_S, NEW_S
from openfoley.longform.shots import CUT_RULES
from openfoley.media.source import shown
from openfoley.media.timecode import Timecode, nominal, start_timecode, zero
from openfoley.request import NO_VIDEO, check_context, check_guidance, check_settings, check_temperature
from openfoley.types import VideoInfo

SAVING_NAME = "saving.json"
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
    """The command as typed, but for what changes nothing in its results."""
    return {name: repr(value) for name, value in sorted(vars(options).items()) if name not in ("run", "json", "force")}


def note_saving(folder: Path, options: Namespace, paths: Sequence[Path]) -> None:
    """From here on the outputs appear, one after the other: those that are there are whole."""
    if folder.exists():
        told = {"command": _words(options), "paths": [str(path.absolute()) for path in paths]}
        (folder / SAVING_NAME).write_text(json.dumps(told), encoding="utf-8")


def saved_before(folder: Path, options: Namespace) -> set[Path]:
    """The outputs that the same command wrote before it was killed."""
    try:
        told = json.loads((folder / SAVING_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return set()
    if not isinstance(told, dict) or told.get("command") != _words(options):
        return set()
    return {path for path in map(Path, told["paths"]) if path.exists()}


def finished_before(options: Namespace, paths: Sequence[Path]) -> bool:
    """Whether the same command had written everything when it was killed; what it left is cleared away."""
    from openfoley.work import discard

    work = work_folder(paths[0])
    if len(saved_before(work, options)) < len(paths):
        return False
    discard(work)
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
