"""`openfoley generate`: everything is checked first, then the sound is made, then it is written."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from openfoley.cli.asked import (
    asked,
    check_asked,
    finished_before,
    note_saving,
    resumable,
    saved_before,
    start_of,
    told_apart,
    work_folder,
)
from openfoley.cli.messages import Bar, note, print_json
from openfoley.cli.shown import output_for, shown_video
from openfoley.cli.stems import run_stems
from openfoley.longform.cues import stem_names
from openfoley.media.timecode import Timecode
from openfoley.request import NO_VIDEO, check_nudge, check_saving, checked_video, default_output, take_paths


def run(options: Namespace) -> int:
    with shown_video(options) as video:
        return _run(options, video)


def _run(options: Namespace, video: Path) -> int:
    started = time.monotonic()
    paths = _checked_paths(options, video)
    if finished_before(options, paths):
        return 0
    seeds = list(range(options.seed, options.seed + options.takes))

    from openfoley.media.decode import probe
    from openfoley.pipeline import load, unseen

    # a file that is no video is told before the weights are read
    info = unseen(options.duration) if video == NO_VIDEO else probe(checked_video(video))
    settings = asked(options, info)
    if video == NO_VIDEO:
        settings["duration"] = info.duration
    pipeline = load(options.model, options.device, options.weights_dir, Bar("weights", " MB"))
    if options.plan:
        return _print_plan(pipeline, video, settings, start_of(options, info))
    if options.stems or stem_names(settings["cues"]):
        return run_stems(options, pipeline, video, seeds, settings, paths)
    work = work_folder(paths[0])
    with resumable(work):
        takes = pipeline.generate_takes(video, seeds, **settings, nudge=options.nudge, work=work, progress=Bar("sound"))
        done = saved_before(work, options)
        note_saving(work, options, paths)
        for take, path in zip(takes, paths, strict=True):
            if path.absolute() in done:
                continue
            timecode = options.start_timecode
            take.save(path, options.audio, options.sample_rate, options.bit_depth, options.force, timecode)
            note(f"wrote {path} (seed {take.request.seed}, {take.duration_s:.2f} s)")
    if takes[0].work is not None:
        takes[0].work.remove()
    if options.json:
        print_json(_result(options, takes, paths, time.monotonic() - started))
    return 0


def _checked_paths(options: Namespace, video: Path) -> list[Path]:
    """The outputs of all takes, after everything that can be wrong with the request was checked."""
    check_asked(options)
    check_nudge(options.nudge)
    if video != NO_VIDEO:
        checked_video(video)
    paths = take_paths(output_for(options, default_output(video)), options.takes)
    done = saved_before(work_folder(paths[0]), options)
    for path in paths:
        force = options.force or path.absolute() in done
        check_saving(path, video, options.audio, options.sample_rate, options.bit_depth, force)
    return paths


def _print_plan(pipeline: Any, video: Path, settings: dict[str, Any], start: Timecode) -> int:
    from openfoley.longform.plan import describe

    chosen = {name: settings[name] for name in ("cuts", "cues", "context", "window")}
    print(describe(pipeline.plan(video, **chosen), pipeline.model.codec.latent_rate, start))
    return 0


def _result(options: Namespace, takes: list[Any], paths: list[Path], elapsed_s: float) -> dict[str, Any]:
    first = takes[0]
    return {
        "video": options.video,
        "model": first.request.model,
        "prompt": options.prompt,
        "negative_prompt": options.negative_prompt,
        "steps": options.steps,
        "guidance": options.guidance,
        **told_apart(options),
        "reference": options.reference,
        "nudge": options.nudge,
        "audio": options.audio,
        "duration_s": first.duration_s,
        "start_timecode": str(first.start(options.start_timecode) or "") or None,
        "sample_rate": options.sample_rate or first.sample_rate,
        "takes": [
            {"path": str(path), "seed": take.request.seed, "duration_s": take.duration_s}
            for take, path in zip(takes, paths, strict=True)
        ],
        "elapsed_s": round(elapsed_s, 3),
    }
