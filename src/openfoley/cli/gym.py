"""`openfoley gym render`: scenes with exact ground truth, as files."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path

from openfoley.checks import COUNT
from openfoley.cli.messages import note, print_json


def render(options: Namespace) -> int:
    from openfoley.gym.seeds import split_of

    COUNT("count", options.count)
    seeds = range(options.seed, options.seed + options.count)
    for seed in (seeds[0], seeds[-1]):
        split_of(seed, options.world)

    from openfoley.gym.files import SUFFIXES, SceneFormat, render_files
    from openfoley.hub.load import checked_device

    device = str(checked_device(options.device))
    folder, started = Path(options.out), time.monotonic()

    def progress(number: int) -> None:
        note(f"rendered {folder / str(seeds[number - 1])} {' '.join(SUFFIXES)} ({number} of {len(seeds)})")

    form = SceneFormat(options.fps, *options.size, silent=options.silent, stems=options.stems)
    render_files(seeds, options.duration, folder, form, force=options.force, device=device, progress=progress)
    if options.json:
        elapsed_s = time.monotonic() - started
        print_json({"folder": str(folder), "seeds": list(seeds), "elapsed_s": round(elapsed_s, 3)})
    return 0
