"""A pair for every caption of a set: what `openfoley evaluate pair` compares with the set's own clips.

OUT/<name>-1.mp4, <name>-2.mp4 ...    for each clip of the set, by its name; from its plainest caption, and where
                                      `given` says so from its picture or its sound
OUT/request.json                      model, set and settings; written first

An interrupted run of the same command continues with the files that are missing, and so does one with a larger count:
the seed of a file depends on the first seed, the clip's place in the set and the file's number alone.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from openfoley.data.disk import claim_folder
from openfoley.data.pairs.pair import Pair, Pairs
from openfoley.errors import UsageError
from openfoley.hub.pair_parts import PairModel
from openfoley.joint import COUNT, KnownPair, PairRequest, generate_pair, requested_frames

RECORD = "request.json"
Given = Literal["video", "sound"]


def generate_set(
    model: PairModel,
    pairs: Pairs,
    out: Path,
    *,
    count: int = 1,
    seed: int = 1,
    given: Given | None = None,
    on_pair: Callable[[int, int], None] = lambda done, total: None,
    **fields: Any,
) -> list[Path]:
    """The files, `count` for each clip. given: of the set's clips; the other modality is generated. fields: others of
    `PairRequest`. on_pair: is given the finished pairs and their number. UsageError, before any work, for wrong fields
    and for an `out` that holds something else."""
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
        frames = requested_frames(model, request)
        model.texts.check(request.prompt or "")
        if given is not None:
            _check_given(model, pairs, request, frames)
    about = {"model": model.name, "pairs": pairs.digest, "seed": seed, **fields}
    claim_folder(out, out / RECORD, about | ({} if given is None else {"given": given}))
    for done, (path, request) in enumerate(jobs.items(), start=1):
        if not path.exists():
            known = None if given is None else known_of(pairs[(done - 1) // count], given)
            generate_pair(model, request, known=known)[0].save(path)
        on_pair(done, len(jobs))
    return list(jobs)


def known_of(clip: Pair, given: Given) -> KnownPair:
    """The modality of a clip that is kept."""
    return KnownPair(frames=clip.frames) if given == "video" else KnownPair(sound=clip.sound)


def _check_given(model: PairModel, pairs: Pairs, request: PairRequest, frames: int) -> None:
    if not request.connected:
        raise UsageError("without connectors what is given changes nothing; leave one of both out")
    form, size = pairs.form, model.codec.picture_size
    if (form.size, form.rate, form.count, form.sample_rate) != (size, model.rate, frames, model.codec.sample_rate):
        raise UsageError(
            f"the set's clips have {form.count} frames of {form.size} pixels at {float(form.rate):g} Hz, what is given "
            f"to {model.name} needs {frames} of {size} at {model.rate}; make them so, and leave duration out"
        )
