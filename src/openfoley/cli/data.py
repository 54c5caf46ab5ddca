"""`openfoley data VERB`: data sets and features for training."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from openfoley.cli.messages import note


def render(options: Namespace) -> int:
    from openfoley.data.gym_cache import GymCache
    from openfoley.gym.seeds import seeds_of

    seeds = seeds_of(options.split, options.count, first=options.first, world=options.world)
    cache = GymCache.build(
        Path(options.out), seeds, split=options.split, workers=options.workers, duration_s=float(options.duration),
        silent_every=options.silent_every,
    )  # fmt: skip
    note(f"{len(cache)} scenes in {options.out}")
    return 0


def features(options: Namespace) -> int:
    from openfoley.training.features import features_of_model

    cache = features_of_model(options.model, Path(options.scenes), Path(options.out), options.device)
    note(f"features of {len(cache)} scenes in {options.out}")
    return 0


def join(options: Namespace) -> int:
    from openfoley.data.feature_cache import join as joined

    cache = joined([Path(folder) for folder in options.features], Path(options.out))
    note(f"features of {len(cache)} scenes in {options.out}")
    return 0


def mono_audio(options: Namespace) -> int:
    from openfoley.cli.messages import Bar
    from openfoley.data.mono_audio import make_mono_audio

    made = make_mono_audio(
        Path(options.unav), Path(options.vggsound), Path(options.out), pairs=options.pairs, seed=options.seed,
        progress=Bar("clips", unit="clips"),
    )  # fmt: skip
    counts = ", ".join(f"{count} of {kind}" for kind, count in made.items.items())
    lost = [f"{len(ids)} are {why} ({ids[0]} first)" for why, ids in made.lost.items() if ids]
    note(f"clips of {made.videos} videos in {options.out}: {counts}" + "".join(f"; {one}" for one in lost))
    return 0
