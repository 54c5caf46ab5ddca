"""`openfoley generate`: everything is checked first, then the sound is made, then it is written."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path
from typing import Any

from openfoley.cli.messages import Bar, note, print_json
from openfoley.request import check_saving, check_settings, checked_video, default_output, take_paths


def run(options: Namespace) -> int:
    started = time.monotonic()
    video = Path(options.video)
    paths = _checked_paths(options, video)
    seeds = list(range(options.seed, options.seed + options.takes))

    from openfoley.hub.registry import find_model
    from openfoley.media.decode import probe

    find_model(options.model)
    probe(checked_video(video))  # a file that is no video is told before the weights are read

    from openfoley.pipeline import load

    pipeline = load(options.model, options.device)
    takes = pipeline.generate_takes(
        video,
        seeds,
        prompt=options.prompt,
        negative_prompt=options.negative_prompt,
        steps=options.steps,
        guidance=options.guidance,
        progress=Bar("sound"),
    )
    for take, path in zip(takes, paths, strict=True):
        take.save(path, options.audio, options.sample_rate, options.bit_depth, options.force)
        note(f"wrote {path} (seed {take.request.seed}, {take.duration_s:.2f} s)")
    if options.json:
        print_json(_result(options, takes, paths, time.monotonic() - started))
    return 0


def _checked_paths(options: Namespace, video: Path) -> list[Path]:
    """The outputs of all takes, after everything that can be wrong with the request was checked."""
    seeds = [options.seed]
    check_settings(options.steps, options.guidance, seeds)
    checked_video(video)
    paths = take_paths(Path(options.out) if options.out is not None else default_output(video), options.takes)
    for path in paths:
        check_saving(path, video, options.audio, options.sample_rate, options.bit_depth, options.force)
    return paths


def _result(options: Namespace, takes: list[Any], paths: list[Path], elapsed_s: float) -> dict[str, Any]:
    first = takes[0]
    return {
        "video": options.video,
        "model": first.request.model,
        "prompt": options.prompt,
        "negative_prompt": options.negative_prompt,
        "steps": options.steps,
        "guidance": options.guidance,
        "audio": options.audio,
        "duration_s": first.duration_s,
        "sample_rate": options.sample_rate or first.sample_rate,
        "takes": [
            {"path": str(path), "seed": take.request.seed, "duration_s": take.duration_s}
            for take, path in zip(takes, paths, strict=True)
        ],
        "elapsed_s": round(elapsed_s, 3),
    }
