"""`openfoley generate --cues FILE` where the sheet names stems: a sound for each, and the mix as their sum."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

from openfoley.cli.asked import clear_away, work_folder
from openfoley.cli.messages import Bar, note, print_json
from openfoley.errors import UsageError
from openfoley.timeline.cues import cues_of_stem, stem_names


def run_stems(
    options: Namespace, pipeline: Any, video: Path, seeds: list[int], settings: dict[str, Any], paths: list[Path]
) -> int:
    """Every stem is generated from its own cues and silent outside them."""
    from openfoley.synthesis.stems import check_stems, save_stems, unnamed_stem, within_cues

    cues = settings["cues"]
    own_cues = {name: cues_of_stem(cues, name) for name in stem_names(cues)}
    if not own_cues:
        raise UsageError("--stems needs a cue sheet with a column 'stem'; pass one with --cues FILE")
    if unnamed := cues_of_stem(cues, None):
        own_cues[unnamed_stem(own_cues)] = unnamed
    if options.stems:
        for path in paths:
            check_stems(path, list(own_cues), video, options.bit_depth, options.force)
    takes: dict[str, list[Any]] = {}
    work = work_folder(paths[0])
    for name, own in own_cues.items():
        asked = {**settings, "cues": own, "nudge": options.nudge}
        folder = work.with_name(f"{work.name}-{name}")
        made = pipeline.generate_takes(video, seeds, **asked, work=folder, progress=Bar(name))
        takes[name] = [within_cues(take, own) for take in made]
    told = []
    for number, (seed, path) in enumerate(zip(seeds, paths, strict=True)):
        stems = save_stems(
            {name: made[number] for name, made in takes.items()},
            path,
            write_stems=options.stems,
            audio=options.audio,
            sample_rate=options.sample_rate,
            bit_depth=options.bit_depth,
            force=options.force,
            start_timecode=options.start_timecode,
        )
        note(f"wrote {path} (seed {seed}) and {len(stems)} stems")
        told.append({"path": str(path), "seed": seed, "stems": {name: str(p) for name, p in stems.items()}})
    for made in takes.values():
        if made[0].work is not None:
            made[0].work.remove()
    clear_away(None, work)
    if options.json:
        print_json({"video": str(video), "model": pipeline.model.name, "takes": told})
    return 0
