"""`openfoley evaluate pair GENERATED ... REFERENCE`: agreement of picture and sound in generated clips, and
distance of their features from the reference's.

    AV-Align                      in each published reading (metrics.av_align)
    event F1                      of the judge's two detectors, beside the same on the reference, which is its ceiling,
                                  and on each picture with the next clip's sound, which agrees by chance
    Frechet distance              of pictures and of sounds from the reference's, in the named features

A generated clip belongs to the reference clip of its name: <name>.mp4, or <name>-1.mp4, <name>-2.mp4 ... for several
seeds. Intervals and p-values draw prompts, and seeds within each (stats.prompts). The first folder is what the others
are compared with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from openfoley.data.pairs.clip_folder import ClipFolder, open_pairs
from openfoley.data.pairs.layouts import SUFFIXES
from openfoley.data.pairs.pair import GYM_FORM, MODALITIES, Pair, PairForm, Pairs
from openfoley.errors import UsageError
from openfoley.evaluation.metrics.av_align import READINGS, pair_av_align
from openfoley.evaluation.metrics.frechet import frechet_distance
from openfoley.evaluation.metrics.pair import Embedder, EventJudge, agreement, agreement_f1
from openfoley.evaluation.stats.prompts import Statistic, estimate, paired_estimate
from openfoley.media.read.opening import shown

FRECHET_DRAWS = 200
"""Each takes a singular value decomposition for each modality."""


@dataclass(frozen=True)
class Measured:
    """What is measured of a set of clips. prompts: the reference clip of each. sums, shuffled: as `agreement`, of each
    picture with its own and with the next clip's sound. features: by embedder and modality."""

    name: str
    prompts: tuple[str, ...]
    align: Float[np.ndarray, "clips readings"]
    sums: Float[np.ndarray, "clips 3"] | None
    shuffled: Float[np.ndarray, "clips 3"] | None
    features: dict[tuple[str, str], Float[np.ndarray, "clips dim"]]


def evaluate_pairs(
    generated: Sequence[Path],
    reference: Path,
    judge: EventJudge | None = None,
    embedders: Sequence[Embedder] | None = None,
    *,
    split: str = "evaluation",
    progress: Callable[[float, float], None] | None = None,
) -> dict[str, Any]:
    """Every figure of each folder and its differences from the first. embedders: the judge alone if None.

    Folders hold pairs of `openfoley data pairs` (of a split), or videos with sound. UsageError for folders without
    clips, and for generated clips that belong to no reference clip."""
    true = opened(reference, split, judge)
    form, clips = true.form, [true[index] for index in range(len(true))]
    chosen = [judge] if embedders is None and judge is not None else embedders or []
    total = len(clips)
    sets: list[tuple[str, list[Pair], tuple[str, ...]]] = [("reference", clips, tuple(clip.name for clip in clips))]
    for folder in generated:
        pairs = opened(folder, split, judge, form)
        made = [pairs[index] for index in range(len(pairs))]
        sets.append((folder.resolve().name, made, prompts_of(folder, [one.name for one in made], sets[0][2])))
        total += len(made)
    _check_comparable([name for name, _, _ in sets], [prompts for _, _, prompts in sets[1:]])
    measured, done = [], 0
    for name, made, prompts in sets:
        measured.append(measure(name, made, prompts, form, judge, chosen))
        done += len(made)
        if progress is not None:
            progress(done, total)
    return report(measured, judge, chosen)


def _check_comparable(names: Sequence[str], prompts: Sequence[Sequence[str]]) -> None:
    """UsageError for two sets of one name, and for generated sets of other prompts, or of other numbers of them."""
    if repeated := sorted(name for name in {*names} if names.count(name) > 1):
        raise UsageError(f"two sets are named {repeated[0]!r}; rename a folder")
    for name, each in zip(names[1:], prompts, strict=True):
        if sorted(each) != sorted(prompts[0]):
            raise UsageError(
                f"{name} and {names[1]} hold clips of other prompts, or other numbers of them; compare folders of "
                "the same prompts and seeds"
            )


def opened(folder: Path, split: str, judge: EventJudge | None, form: PairForm | None = None) -> Pairs:
    """Pairs of a set, or the videos of a folder, at a form: of the reference, else of the judge."""
    if not folder.is_dir():
        raise UsageError(f"{shown(folder)} is no folder; pass one of videos with sound, or of `openfoley data pairs`")
    videos = any(path.is_file() and path.suffix.lower() in SUFFIXES for path in folder.iterdir())
    if not videos:
        return open_pairs(folder, split)
    size = judge.size if judge is not None else GYM_FORM.size
    return ClipFolder.of_videos(folder, form or PairForm(size=size))


def prompts_of(folder: Path, names: Sequence[str], references: Sequence[str]) -> tuple[str, ...]:
    """The reference clip of each generated clip, by name."""
    known, found = {*references}, []
    for name in names:
        stem = name if name in known else re.sub(r"[-_.]s?\d+$", "", name)
        if stem not in known:
            raise UsageError(
                f"{name!r} of {shown(folder)} is the name of no reference clip; name it like {references[0]}.mp4, "
                f"or {references[0]}-1.mp4 and {references[0]}-2.mp4 for several seeds"
            )
        found.append(stem)
    return tuple(found)


def measure(
    name: str,
    clips: Sequence[Pair],
    prompts: tuple[str, ...],
    form: PairForm,
    judge: EventJudge | None,
    embedders: Sequence[Embedder],
) -> Measured:
    """Of clips in memory."""
    align = np.zeros((len(clips), len(READINGS)))
    for k, clip in enumerate(clips):
        scores = pair_av_align(clip.frames, clip.sound, float(form.rate), form.sample_rate)
        align[k] = [scores[reading] for reading in READINGS]
    sums = shuffled = None
    if judge is not None:
        visible, audible = (judge.events(modality, clips, form) for modality in MODALITIES)
        sums, shuffled = agreement(visible, audible), agreement(visible, audible[1:] + audible[:1])
    features = {
        (one.name, modality): one.features(modality, clips, form) for one in embedders for modality in MODALITIES
    }
    return Measured(name, prompts, align, sums, shuffled, features)


def report(measured: Sequence[Measured], judge: EventJudge | None, embedders: Sequence[Embedder]) -> dict[str, Any]:
    """Figures of the sets, the first of which is the reference, and differences from the second."""
    reference, *made = measured
    rows = {one.name: _figures(one, reference, is_reference=one is reference) for one in measured}
    differences = {other.name: _differences(other, made[0], reference) for other in made[1:]}
    return {
        "clips": {one.name: {"clips": len(one.prompts), "prompts": len({*one.prompts})} for one in measured},
        "judge": None if judge is None else {"name": judge.name, "ceilings": judge.about.get("ceilings")},
        "embedders": [one.name for one in embedders],
        "figures": rows,
        "against": made[0].name if made else None,
        "differences": differences,
    }


def statistics_of(one: Measured, reference: Measured) -> dict[str, tuple[Statistic, dict[str, Any]]]:
    """Each figure as a function of the clips that it is of, and how it is drawn."""
    found: dict[str, tuple[Statistic, dict[str, Any]]] = {}
    if one.sums is not None:
        found["event F1"] = (lambda rows, sums=one.sums: agreement_f1(sums[rows]), {})
    for k, reading in enumerate(READINGS):
        found[f"AV-Align, {reading}"] = (lambda rows, k=k: float(one.align[rows, k].mean()), {})
    for key, features in one.features.items():

        def distance(rows: np.ndarray, key=key, features=features) -> float:
            return frechet_distance(features[rows], reference.features[key])

        found[f"Frechet distance of {key[1]}, {key[0]}"] = (distance, {"draws": FRECHET_DRAWS, "shifted": True})
    return found


def _figures(one: Measured, reference: Measured, *, is_reference: bool) -> dict[str, Any]:
    """Each figure with its interval; distances of the reference from itself are left out."""
    found = {
        name: estimate(statistic, one.prompts, **how)
        for name, (statistic, how) in statistics_of(one, reference).items()
        if not (is_reference and name.startswith("Frechet"))
    }
    if one.sums is not None and one.shuffled is not None:
        shuffled, (_, audible, visible) = one.shuffled, one.sums.mean(0)
        found["event F1 by chance"] = estimate(lambda rows: agreement_f1(shuffled[rows]), one.prompts)
        found["visible events in a clip"] = {"value": float(visible)}
        found["audible events in a clip"] = {"value": float(audible)}
    return found


def _differences(one: Measured, first: Measured, reference: Measured) -> dict[str, Any]:
    """Of the same prompts, each as often in both."""
    ours, theirs = (statistics_of(each, reference) for each in (one, first))
    order = {each.name: np.argsort(np.array(each.prompts), kind="stable") for each in (one, first)}
    prompts = [one.prompts[k] for k in order[one.name]]
    return {
        name: paired_estimate(
            lambda rows, name=name: ours[name][0](order[one.name][rows]),
            lambda rows, name=name: theirs[name][0](order[first.name][rows]),
            prompts,
            **ours[name][1],
        )
        for name in ours
    }


def table(record: dict[str, Any]) -> str:
    """A report as text."""
    names = list(record["figures"])
    width = max(len(name) for name in ("set", *names)) + 2
    lines = [f"{name}: {count['clips']} clips of {count['prompts']} prompts" for name, count in record["clips"].items()]
    for figure in dict.fromkeys(key for name in names for key in record["figures"][name]):
        lines += ["", figure]
        for name in names:
            row = record["figures"][name].get(figure)
            if row is not None:
                lines.append(f"  {name:{width}}{row['value']:8.3f}{_bounds(row.get('interval'))}")
        for name, gaps in record["differences"].items():
            if figure in gaps:
                gap, pair = gaps[figure], f"{name} - {record['against']}"
                lines.append(f"  {pair}: {gap['difference']:+.3f}{_bounds(gap['interval'])}, p {gap['p']:.4f}")
    return "\n".join(lines)


def _bounds(interval: tuple[float, float] | None) -> str:
    if interval is None or not np.isfinite(interval).all():
        return ""
    return f"  ({interval[0]:.3f} .. {interval[1]:.3f})"
