"""`openfoley generate`: everything is checked first, then the sound is made, then it is written."""

from __future__ import annotations

import time
from argparse import Namespace
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
from openfoley.cli.shown import output_for, shown_video
from openfoley.cli.stems import run_stems
from openfoley.media.timecode import Timecode
from openfoley.request import NO_VIDEO, check_nudge, check_saving, checked_video, default_output, take_paths
from openfoley.timeline.cues import cues_of_stem, stem_names


def run(options: Namespace) -> int:
    with shown_video(options) as video:
        return _run(options, video)


def _run(options: Namespace, video: Path) -> int:
    started = time.monotonic()
    check_asked(options)
    paths = [] if options.plan else _checked_paths(options, video)  # a plan writes nothing
    if paths and finished_before(options, paths):
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
        return _print_plan(options, pipeline, video, settings, start_of(options, info))
    if options.stems or stem_names(settings["cues"]):
        return run_stems(options, pipeline, video, seeds, settings, paths)
    work = work_folder(paths[0])
    with resumable(work):
        takes = pipeline.generate_takes(video, seeds, **settings, nudge=options.nudge, work=work, progress=Bar("sound"))
        replaced = saved_before(work, options)  # by this command, if of another sound than now
        note_saving(takes[0].work, options, paths)
        done = saved_before(work, options, takes[0].work)
        for take, path in zip(takes, paths, strict=True):
            if path.absolute() in done:
                continue
            timecode = options.start_timecode
            force = options.force or path.absolute() in replaced
            take.save(path, options.audio, options.sample_rate, options.bit_depth, force, timecode)
            note(f"wrote {path} (seed {take.request.seed}, {take.duration_s:.2f} s)")
    clear_away(takes[0].work, work)
    if options.json:
        print_json(_result(options, takes, paths, time.monotonic() - started))
    return 0


def _checked_paths(options: Namespace, video: Path) -> list[Path]:
    """The outputs of all takes, after everything that can be wrong with them was checked."""
    check_nudge(options.nudge)
    if video != NO_VIDEO:
        checked_video(video)
    paths = take_paths(output_for(options, default_output(video)), options.takes)
    done = saved_before(work_folder(paths[0]), options)
    for path in paths:
        force = options.force or path.absolute() in done
        check_saving(path, video, options.audio, options.sample_rate, options.bit_depth, force)
    return paths


def _print_plan(options: Namespace, pipeline: Any, video: Path, settings: dict[str, Any], start: Timecode) -> int:
    """A table for each sound that would be made: one, or as many as stems."""
    from openfoley.timeline.plan import describe

    chosen = {name: settings[name] for name in ("cuts", "context", "window", "reference", "reference_span")}
    tables = {}
    for name in (*stem_names(settings["cues"]), None):
        cues = cues_of_stem(settings["cues"], name)
        if cues or (name is None and not tables):
            plan = pipeline.plan(video, **chosen, cues=cues)
            tables[name] = describe(plan, pipeline.model.codec.latent_rate, start)
    if options.json:
        print_json({"video": str(video), "plans": [{"stem": name, "table": table} for name, table in tables.items()]})
    else:
        print("\n\n".join(f"stem {name}\n{table}" if name else table for name, table in tables.items()))
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
