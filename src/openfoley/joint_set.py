"""A pair for every caption of a set: what `openfoley evaluate pair` compares with the set's own clips.

OUT/<name>-1.mp4, <name>-2.mp4 ...    for each clip of the set, by its name; from its plainest caption
OUT/request.json                      model, set and settings; written first

An interrupted run of the same command continues with the files that are missing, and so does one with a larger count:
the seed of a file depends on the first seed, the clip's place in the set and the file's number alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from openfoley.data.disk import claim_folder
from openfoley.data.pairs.pair import Pairs
from openfoley.errors import UsageError
from openfoley.hub.pair_parts import PairModel
from openfoley.joint import COUNT, PairRequest, generate_pair, requested_frames

RECORD = "request.json"


def generate_set(
    model: PairModel,
    pairs: Pairs,
    out: Path,
    *,
    count: int = 1,
    seed: int = 1,
    on_pair: Callable[[int, int], None] = lambda done, total: None,
    **fields: Any,
) -> list[Path]:
    """The files, `count` for each clip. fields: others of `PairRequest`. on_pair: is given the finished pairs and their
    number. UsageError, before any work, for wrong fields and for an `out` that holds something else."""
    COUNT("count", count)
    fields = {"duration": float(pairs.form.duration_s)} | {n: value for n, value in fields.items() if value is not None}
    if given := sorted({"prompt", "given_video", "given_sound"} & {*fields}):
        raise UsageError(f"{given[0]} is for a single pair; leave it out where the captions of a set are used")
    names, most = list(pairs.names), int(COUNT.high)
    if repeated := sorted(name for name in {*names} if names.count(name) > 1):
        raise UsageError(f"the set has two clips named {repeated[0]!r}; generate for one of its folders at a time")
    jobs = {
        out / f"{name}-{number + 1}.mp4": PairRequest(prompt=captions[0], seed=seed + place * most + number, **fields)
        for place, (name, captions) in enumerate(zip(names, pairs.captions, strict=True))
        for number in range(count)
    }
    for request in jobs.values():
        requested_frames(model, request)
        model.texts.check(request.prompt or "")
    claim_folder(out, out / RECORD, {"model": model.name, "pairs": pairs.digest, "seed": seed, **fields})
    for done, (path, request) in enumerate(jobs.items(), start=1):
        if not path.exists():
            generate_pair(model, request)[0].save(path)
        on_pair(done, len(jobs))
    return list(jobs)
