"""`openfoley edit` and `openfoley extend`: regenerate or continue a part of existing sound."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path

from openfoley.cli.asked import checked_request, delivery_of, finished_before, resumable
from openfoley.cli.messages import Bar, note, print_json
from openfoley.hub.registry import check_selects
from openfoley.media.time.timecode import timecode_at
from openfoley.media.write.outputs import check_exact, check_saving, checked_video, edited_output
from openfoley.media.write.rehearsal import Rehearsal


def edit(options: Namespace) -> int:
    return _run(options, "edit")


def extend(options: Namespace) -> int:
    return _run(options, "extend")


def _run(options: Namespace, verb: str) -> int:
    started = time.monotonic()
    request = checked_request(options)
    video = checked_video(options.video)

    from openfoley.synthesis.editing import existing_source
    from openfoley.synthesis.job import first_frame_code, opened, with_times

    sound = None if options.sound is None else Path(options.sound)
    out = None if options.out is None else Path(options.out)
    if out is None and sound is None:
        out = edited_output(Path(options.video), None, verb)
    rehearsal = None if out is None else Rehearsal(out)
    source = opened(video, request.timeline, options.strict, rehearsal=rehearsal, with_hash=True, with_sound=True)
    request = with_times(source, request)
    check_selects(options.model, request)
    existing = existing_source(source, request.timeline)
    if out is None:
        out = edited_output(Path(options.video), sound, verb, existing.bit_depth == "32f")
    delivery = delivery_of(options, [out])
    check_saving(out, video, existing.bit_depth, delivery.may_replace(out))
    check_exact(out, True, existing.bit_depth, existing.bit_depth)
    if finished_before(options, delivery):
        return 0

    from openfoley.pipeline import load

    pipeline = load(options.model, options.device, options.weights_dir, Bar("weights", "MB"), options.adapters)
    with resumable(delivery.work):
        make = pipeline.edit if verb == "edit" else pipeline.extend
        take = make(source, request=request, work=delivery.work, progress=Bar("sound"))
        list(delivery.save([take]))
    span = take.request.timeline.span_s
    assert span is not None
    first, end = span
    start = first_frame_code(source, request.output.start_timecode)
    codes = " to ".join(str(timecode_at(edge, start)) for edge in (first, end))
    seconds = f"{float(first):.3f} to {float(end):.3f} s"
    note(f"wrote {out} (new from {codes}, {seconds}, seed {request.sampling.seed}; {take.report})")
    if options.json:
        asked = {k: v for k, v in request.given().items() if k not in ("cues", "cuts", "span", "sound", "audio_stream")}
        print_json(
            {
                **asked,
                "video": options.video,
                "sound": options.sound,
                "model": take.model,
                "path": str(out),
                "span": [float(first), float(end)],
                "seed": request.sampling.seed,
                "steps": options.steps,
                "guidance": options.guidance,
                "sample_rate": take.sample_rate,
                "bit_depth": take.exact,
                "duration_s": take.duration_s,
                "elapsed_s": round(time.monotonic() - started, 3),
            }
        )
    return 0
