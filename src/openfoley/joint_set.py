"""A pair for every caption of a set: what `openfoley evaluate pair` compares with the set's own clips.

OUT/<name>-1.mp4, <name>-2.mp4 ...    for each clip of the set, by its name; from its plainest caption, and where
                                      `given` says so from its picture or its sound
OUT/request.json                      model, set and settings; written first

An interrupted run of the same command continues with the files that are missing, and so does one with a larger count:
the seed of a file depends on the first seed, the clip's place in the set and the file's number alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from openfoley.data.disk import check_claim, claim_folder
from openfoley.data.pairs.pair import Pair, Pairs
from openfoley.errors import UsageError
from openfoley.hub.pair_parts import PairLimits, PairModel
from openfoley.joint import COUNT, KnownPair, PairRequest, check_request, generate_pair, requested_frames

RECORD = "request.json"
Given = Literal["video", "sound"]


@dataclass(frozen=True)
class PairSet:
    """jobs: the request of every file, in order. about: what request.json says."""

    pairs: Pairs
    out: Path
    count: int
    given: Given | None
    jobs: dict[Path, PairRequest]
    about: dict[str, Any]


def plan_set(
    limits: PairLimits,
    pairs: Pairs,
    out: Path,
    *,
    count: int = 1,
    seed: int = 1,
    given: Given | None = None,
    **fields: Any,
) -> PairSet:
    """What a set consists of; as `generate_set`, of a model that need not be loaded, and writes nothing. UsageError."""
    COUNT("count", count)
    fields = {"duration": float(pairs.form.duration_s)} | {n: value for n, value in fields.items() if value is not None}
    if refused := sorted({"prompt", "given_video", "given_sound"} & {*fields}):
        raise UsageError(f"{refused[0]} is for a single pair; leave it out where the captions of a set are used")
    names, most = list(pairs.names), int(COUNT.high)
    if repeated := sorted(name for name in {*names} if names.count(name) > 1):
        raise UsageError(f"the set has two clips named {repeated[0]!r}; generate for one of its folders at a time")
    jobs = {
        out / f"{name}-{number + 1}.mp4": PairRequest(prompt=captions[0], seed=seed + place * most + number, **fields)
        for place, (name, captions) in enumerate(zip(names, pairs.captions, strict=True))
        for number in range(count)
    }
    for request in jobs.values():
        check_request(limits, request)
    if given is not None and not fields.get("connected", True):
        raise UsageError("without connectors what is given changes nothing; leave one of both out")
    about = {"model": limits.name, "pairs": pairs.digest, "seed": seed, **fields}
    about |= {} if given is None else {"given": given}
    check_claim(out, out / RECORD, about)
    return PairSet(pairs, out, count, given, jobs, about)


def generate_set(
    model: PairModel,
    pairs: Pairs,
    out: Path,
    *,
    on_pair: Callable[[int, int], None] = lambda done, total: None,
    **asked: Any,
) -> list[Path]:
    """The files, `count` (1) for each clip, from `seed` (1) on. given: `video` or `sound` of the set's clips, for which
    the other modality is generated. Others of `PairRequest`'s fields. on_pair: is given the finished pairs and their
    number. UsageError, before any work, for wrong fields and for an `out` that holds something else."""
    chosen = plan_set(model, pairs, out, **asked)
    for request in chosen.jobs.values():
        model.texts.check(request.prompt or "")
        if chosen.given is not None:
            _check_given(model, pairs, requested_frames(model, request))
    claim_folder(out, out / RECORD, chosen.about)
    for done, (path, request) in enumerate(chosen.jobs.items(), start=1):
        if not path.exists():
            known = None if chosen.given is None else known_of(pairs[(done - 1) // chosen.count], chosen.given)
            generate_pair(model, request, known=known)[0].save(path)
        on_pair(done, len(chosen.jobs))
    return list(chosen.jobs)


def known_of(clip: Pair, given: Given) -> KnownPair:
    """The modality of a clip that is kept."""
    return KnownPair(frames=clip.frames) if given == "video" else KnownPair(sound=clip.sound)


def _check_given(model: PairModel, pairs: Pairs, frames: int) -> None:
    form, size = pairs.form, model.codec.picture_size
    if (form.size, form.rate, form.count, form.sample_rate) != (size, model.rate, frames, model.codec.sample_rate):
        raise UsageError(
            f"the set's clips have {form.count} frames of {form.size} pixels at {float(form.rate):g} Hz, what is given "
            f"to {model.name} needs {frames} of {size} at {model.rate}; make them so, and leave duration out"
        )
