"""`openfoley data VERB`: data sets and features for training."""

from __future__ import annotations

from argparse import Namespace
from fractions import Fraction
from pathlib import Path

from openfoley.checks import COUNT
from openfoley.cli.messages import Bar, note
from openfoley.errors import UsageError

OWN_SIZE = 256
"""Pixels, as of the paper's pictures."""


def render(options: Namespace) -> int:
    from openfoley.data.gym_cache import GymCache
    from openfoley.gym.seeds import seeds_of

    COUNT("count", options.count)
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
    from openfoley.data.mono_audio import make_mono_audio

    made = make_mono_audio(
        Path(options.unav), Path(options.vggsound), Path(options.out), pairs=options.pairs, seed=options.seed,
        progress=Bar("clips", unit="clips"),
    )  # fmt: skip
    counts = ", ".join(f"{count} of {kind}" for kind, count in made.items.items())
    lost = [f"{len(ids)} are {why} ({ids[0]} first)" for why, ids in made.lost.items() if ids]
    note(f"clips of {made.videos} videos in {options.out}: {counts}" + "".join(f"; {one}" for one in lost))
    return 0


def pairs(options: Namespace) -> int:
    return _gym_pairs(options) if options.kind == "gym" else _own_pairs(options)


def _gym_pairs(options: Namespace) -> int:
    from openfoley.data.pairs.gym_pairs import WORLD, GymPairs
    from openfoley.data.pairs.pair import GYM_FORM, PairForm
    from openfoley.gym.seeds import seeds_of

    _refuse(options, "gym", "folder", "fps", "per_video", "validation")
    if options.count is None:
        raise UsageError("data pairs gym needs --count: how many clips")
    COUNT("count", options.count)
    split = options.split or "train"
    seeds = seeds_of(split, options.count, options.first or 0, WORLD)
    duration_s = GYM_FORM.duration_s if options.duration is None else Fraction(str(options.duration))
    count = duration_s * GYM_FORM.rate
    if count.denominator != 1:
        raise UsageError(
            f"duration must be a whole number of frames, got {float(duration_s):g} s at {float(GYM_FORM.rate):g} Hz"
        )
    form, bar = PairForm(int(count), size=options.size or GYM_FORM.size), Bar("clips", unit="clips")
    made = GymPairs.build(Path(options.out) / split, seeds, form, workers=options.workers, progress=bar)
    note(f"{len(made)} clips in {made.folder}")
    return 0


def _own_pairs(options: Namespace) -> int:
    from openfoley.data.pairs.making import VALIDATION_SHARE, make_pairs
    from openfoley.data.pairs.pair import PairForm

    _refuse(options, options.kind, "split", "count", "first")
    if options.folder is None:
        raise UsageError(f"pass the folder of your copy: data pairs {options.kind} DIR")
    duration_s, rate = (Fraction(str(given)) for given in (options.duration or 2, options.fps or 8))
    if (duration_s * rate).denominator != 1:
        raise UsageError(
            f"duration must be a whole number of frames, got {float(duration_s):g} s at {float(rate):g} Hz"
        )
    form = PairForm(int(duration_s * rate), rate, OWN_SIZE if options.size is None else options.size)
    made = make_pairs(
        options.kind, Path(options.folder), Path(options.out), form, per_video=options.per_video,
        validation=VALIDATION_SHARE if options.validation is None else options.validation, workers=options.workers,
        progress=Bar("videos", unit="videos"),
    )  # fmt: skip
    counts = ", ".join(f"{count} for {split}" for split, count in made.clips.items())
    first = next(iter(made.lost.items()), None)
    lost = f"; {len(made.lost)} videos gave none ({first[0]}: {first[1]})" if first else ""
    note(f"clips in {options.out}: {counts}{lost}")
    return 0


def _refuse(options: Namespace, kind: str, *names: str) -> None:
    """UsageError for options that this kind does not have."""
    for name in names:
        if getattr(options, name) is not None:
            given = "DIR" if name == "folder" else f"--{name.replace('_', '-')}"
            raise UsageError(f"{given} is not for data pairs {kind}; leave it out")
