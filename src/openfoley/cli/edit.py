"""`openfoley edit` and `openfoley extend`: existing sound, changed in one part only."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openfoley.cli.asked import (
    asked,
    check_asked,
    clear_away,
    finished_before,
    note_saving,
    resumable,
    saved_before,
    start_of,
    told_apart,
    work_folder,
)
from openfoley.cli.messages import Bar, note, print_json
from openfoley.editing import source_of
from openfoley.media.timecode import parse_time, timecode_at
from openfoley.request import check_exact, check_saving, check_span, checked_video, edited_output


def edit(options: Namespace) -> int:
    def made(pipeline: Any, video: Path, info: Any, settings: dict[str, Any]) -> Any:
        start = start_of(options, info)
        span = check_span([parse_time(edge, start) for edge in options.span], info.duration)
        return pipeline.edit(video, span, **settings)

    return _run(options, "edit", made)


def extend(options: Namespace) -> int:
    def made(pipeline: Any, video: Path, info: Any, settings: dict[str, Any]) -> Any:
        return pipeline.extend(video, **settings)

    return _run(options, "extend", made)


def _run(options: Namespace, verb: str, made: Callable[..., Any]) -> int:
    started = time.monotonic()
    check_asked(options)
    video = checked_video(options.video)

    from openfoley.hub.registry import check_model
    from openfoley.media.decode import probe

    check_model(options.model)
    info = probe(video)
    source = source_of(video, options.sound, options.audio_stream)
    if verb == "edit":
        check_span([parse_time(edge, start_of(options, info)) for edge in options.span], info.duration)
    sound = None if options.sound is None else Path(options.sound)
    default = edited_output(Path(options.video), sound, verb, source.bit_depth == "32f")
    out = Path(options.out) if options.out is not None else default
    force = options.force or bool(saved_before(work_folder(out), options))
    check_saving(out, video, "add", None, source.bit_depth, force)
    check_exact(out, True, source.bit_depth, source.bit_depth)
    if finished_before(options, [out]):
        return 0
    settings = asked(options, info)

    from openfoley.pipeline import load

    pipeline = load(options.model, options.device, options.weights_dir, Bar("weights", " MB"))
    work = work_folder(out)
    with resumable(work):
        settings |= {"seed": options.seed, "sound": options.sound, "audio_stream": options.audio_stream}
        take = made(pipeline, video, info, {**settings, "work": work, "progress": Bar("sound")})
        note_saving(take.work, options, [out])
        if out.absolute() not in saved_before(work, options, take.work):
            take.save(out, force=options.force, start_timecode=options.start_timecode)
    clear_away(take.work, work)
    first, end = take.request.span
    codes = " to ".join(str(timecode_at(edge, start_of(options, info))) for edge in (first, end))
    note(f"wrote {out} (new from {codes}, {float(first):.3f} to {float(end):.3f} s, seed {options.seed})")
    if options.json:
        print_json(
            {
                "video": options.video,
                "sound": options.sound,
                "model": take.request.model,
                "path": str(out),
                "span": [float(first), float(end)],
                "seed": options.seed,
                "steps": options.steps,
                "guidance": options.guidance,
                **told_apart(options),
                "sample_rate": take.sample_rate,
                "bit_depth": take.exact,
                "duration_s": take.duration_s,
                "elapsed_s": round(time.monotonic() - started, 3),
            }
        )
    return 0
