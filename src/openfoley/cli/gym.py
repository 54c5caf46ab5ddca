"""`openfoley gym render`: scenes with exact ground truth, as files."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path

from openfoley.cli.messages import note, print_json
from openfoley.errors import UsageError

LONGEST_S = 3600.0


def render(options: Namespace) -> int:
    if options.count < 1:
        raise UsageError(f"count must be at least 1, got {options.count}")
    if not 0 < options.duration <= LONGEST_S:
        raise UsageError(f"duration must be above 0 and at most {LONGEST_S:g} s, got {options.duration}")
    seeds = range(options.seed, options.seed + options.count)
    folder = Path(options.out)

    from openfoley.data.disk import make_folder
    from openfoley.gym.seeds import check_world, split_of
    from openfoley.media.write.atomic import check_output

    split_of(seeds[0], options.world)
    split_of(seeds[-1], options.world)
    check_world(options.world)
    make_folder(folder)
    for seed in seeds:
        for suffix in (".mp4", ".wav", ".json"):
            check_output(folder / f"{seed}{suffix}", [], options.force)

    from openfoley.gym.files import SceneFormat, render_files

    started = time.monotonic()
    form = SceneFormat(options.fps, *options.size, silent=options.silent, stems=options.stems)
    for number, seed in enumerate(seeds, start=1):
        render_files([seed], options.duration, folder, form, force=options.force)
        note(f"rendered {folder / str(seed)} .mp4 .wav .json ({number} of {options.count})")
    if options.json:
        elapsed_s = time.monotonic() - started
        print_json({"folder": str(folder), "seeds": list(seeds), "elapsed_s": round(elapsed_s, 3)})
    return 0
