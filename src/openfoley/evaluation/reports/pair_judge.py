"""The Gym's judge of pairs: both detectors, trained once on Gym pairs of training seeds, with their thresholds and
their ceiling on true pairs of other seeds.

DIR/train, validation, evaluation   Gym pairs (`data.pairs.gym_pairs`); may be deleted when judge.json is there
DIR/picture.safetensors, sound.safetensors
DIR/judge.json                      form, thresholds, ceilings; written last

About 4 minutes of one core, 2 of them training. An event of the picture and one of the sound agree within TOLERANCE_S.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from safetensors.torch import load_file
from torch import Tensor

from openfoley.data.disk import write_json
from openfoley.data.pairs.gym_pairs import WORLD, GymPairs
from openfoley.data.pairs.pair import GYM_FORM, MODALITIES, Modality, Pair, PairForm, Pairs
from openfoley.errors import UsageError
from openfoley.evaluation.metrics.candidates import Candidates, best_threshold
from openfoley.evaluation.metrics.f1 import clip_sums, f1_of
from openfoley.evaluation.metrics.pair import TOLERANCE_S, agreement
from openfoley.evaluation.metrics.truth import Truth, from_dict
from openfoley.gym.seeds import VERSIONS, Split, seeds_of
from openfoley.hub.save import save_weights
from openfoley.judges.pair_events import (
    ACTIONS,
    DETECTORS,
    NAMED_MATERIALS,
    UNKNOWN,
    PairDetector,
    event_steps,
    train_detector,
)  # fmt: skip
from openfoley.media.write.atomic import make_folder

FINISHED = "judge.json"
SCENES: dict[Split, int] = {"train": 1500, "validation": 200, "evaluation": 300}
FIRST_SEED = 5_000_000
"""Within each split, away from the seeds that models are trained and judged on."""
TOLERANCES_S = (TOLERANCE_S, 0.1, 0.125)
"""From half a frame at 8 a second to a whole one."""
AT_ONCE = 64  # clips


@dataclass(frozen=True)
class PairJudge:
    """The detectors and the least output of each that counts as an event; `about`: what judge.json says."""

    detectors: dict[Modality, PairDetector]
    thresholds: dict[Modality, float]
    about: dict[str, Any]

    @property
    def name(self) -> str:
        return f"gym-pairs-{self.about['gym']}"

    def events(self, modality: Modality, pairs: Sequence[Pair], form: PairForm) -> list[np.ndarray]:
        """Times (s) of the visible, or audible, events of each clip."""
        found = self.candidates(modality, pairs, form)
        return [one.above(self.thresholds[modality]) for one in found]

    def candidates(self, modality: Modality, pairs: Sequence[Pair], form: PairForm) -> list[Candidates]:
        given, rate = inputs(modality, pairs, form, self.size)
        found = [one for part in given.split(AT_ONCE) for one in self.detectors[modality].detect(part, rate)]
        return [Candidates(*one) for one in found]

    @torch.inference_mode()
    def features(self, modality: Modality, pairs: Sequence[Pair], form: PairForm) -> Float[np.ndarray, "clips dim"]:
        """The Gym's embedding of pictures, or of sounds."""
        given, _ = inputs(modality, pairs, form, self.size)
        parts = [self.detectors[modality].outputs(part).features for part in given.split(AT_ONCE)]
        return torch.cat(parts).double().numpy()

    @property
    def size(self) -> int:
        """Pixels that the pictures are brought to."""
        return self.about["size"]


def inputs(
    modality: Modality, pairs: Sequence[Pair], form: PairForm, size: int
) -> tuple[Shaped[Tensor, "clips ..."], Fraction]:
    """Frames, at the judge's size, or samples of all clips, and their rate in Hz."""
    if modality == "sound":
        return torch.stack([pair.sound for pair in pairs]), Fraction(form.sample_rate)
    frames = torch.stack([pair.frames for pair in pairs])
    if form.size != size:
        small = torch.nn.functional.interpolate(frames.flatten(0, 1).float(), (size, size), mode="area")
        frames = small.round().to(torch.uint8).unflatten(0, frames.shape[:2])
    return frames, form.rate


def load_pair_judge(folder: Path) -> PairJudge:
    """The judge of `train_pair_judge`. UsageError for a folder without one, or of another version of the Gym."""
    if not (folder / FINISHED).is_file():
        raise UsageError(
            f"no judge of pairs in {str(folder)!r}; train one with `openfoley evaluate pair-judge --out DIR`"
        )
    about = json.loads((folder / FINISHED).read_text())
    if about["gym"] != VERSIONS[WORLD]:
        raise UsageError(f"the judge in {str(folder)!r} is of another version of the Gym; train another")
    detectors: dict[Modality, PairDetector] = {}
    for modality in MODALITIES:
        detectors[modality] = DETECTORS[modality]()
        detectors[modality].load_state_dict(load_file(str(folder / f"{modality}.safetensors")))
        detectors[modality].eval()
    return PairJudge(detectors, about["thresholds"], about)


def train_pair_judge(
    folder: Path, *, size: int = GYM_FORM.size, workers: int | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> PairJudge:  # fmt: skip
    """Train the judge of a folder, or load it. size: pixels of the pictures it looks at."""
    if (folder / FINISHED).is_file():
        judge = load_pair_judge(folder)
        if judge.size != size:
            raise UsageError(f"the judge in {str(folder)!r} looks at {judge.size} pixels; choose another folder")
        return judge
    make_folder(folder)
    form = PairForm(size=size)
    pairs = {
        split: GymPairs.build(
            folder / split, seeds_of(split, count, FIRST_SEED, WORLD), form, workers=workers, progress=progress
        )
        for split, count in SCENES.items()
    }
    about: dict[str, Any] = {"gym": VERSIONS[WORLD], "size": size, "scenes": SCENES, "thresholds": {}}
    judge = PairJudge({}, about["thresholds"], about)
    for modality in MODALITIES:
        judge.detectors[modality] = _trained(modality, pairs["train"])
        save_weights(judge.detectors[modality].state_dict(), folder / f"{modality}.safetensors", exact=True)
        check = pairs["validation"]
        found = judge.candidates(modality, all_of(check), form)
        judge.thresholds[modality], _ = best_threshold(found, truths_of(check), TOLERANCE_S)
    about["ceilings"] = ceilings(judge, pairs["evaluation"])
    write_json(folder / FINISHED, about, indent=1)
    return judge


def ceilings(judge: PairJudge, pairs: GymPairs) -> dict[str, Any]:
    """F1 of both detectors against the truth, all and by action, and of one against the other, at each tolerance;
    "shuffled": the picture against the sound of the next clip, what agrees by chance."""
    clips, truths, form = all_of(pairs), truths_of(pairs), pairs.form
    visible, audible = (judge.events(modality, clips, form) for modality in MODALITIES)
    actions = np.array([record["objects"][0]["action"] for record in pairs.truth])
    by_action: dict[str, dict[str, float]] = {}
    for modality, found in zip(MODALITIES, (visible, audible), strict=True):
        sums = clip_sums(found, truths, TOLERANCE_S)
        by_action[modality] = {action: round(f1_of(sums[actions == action])["f1"], 3) for action in sorted({*actions})}
    return {
        "tolerance_s": TOLERANCE_S,
        "by_tolerance": {
            f"{tolerance_s:g}": {
                "picture": f1_of(clip_sums(visible, truths, tolerance_s)),
                "sound": f1_of(clip_sums(audible, truths, tolerance_s)),
                "pair": f1_of(agreement(visible, audible, tolerance_s)),
                "shuffled": f1_of(agreement(visible, audible[1:] + audible[:1], tolerance_s)),
            }
            for tolerance_s in TOLERANCES_S
        },
        "by_action": by_action,
        "names": {modality: _named(judge, modality, pairs) for modality in MODALITIES},
    }


def all_of(pairs: Pairs) -> list[Pair]:
    return [pairs[index] for index in range(len(pairs))]


def truths_of(pairs: GymPairs) -> list[Truth]:
    return [from_dict(record, str(record["seed"])) for record in pairs.truth]


def _trained(modality: Modality, pairs: GymPairs) -> PairDetector:
    given, rate = inputs(modality, all_of(pairs), pairs.form, pairs.form.size)
    blank = DETECTORS[modality]()
    steps = blank.outputs(given[:2]).events.shape[1]
    spans = {"steps": steps, "first_s": blank.first_s(rate), "step_rate": float(blank.step_rate(rate))}
    events = torch.stack([event_steps(truth.scored_s, modality, **spans) for truth in truths_of(pairs)])
    return train_detector(modality, given, events, _names(modality, pairs))


def _names(modality: Modality, pairs: GymPairs) -> Float[Tensor, "clips 2"]:
    """Indices of action and material of each clip; a silent sound has none."""
    rows = []
    for record in pairs.truth:
        one, silent = record["objects"][0], not record["events"]
        known = not (silent and modality == "sound")
        rows.append((ACTIONS.index(one["action"]), NAMED_MATERIALS.index(one["material"])) if known else (UNKNOWN,) * 2)
    return torch.tensor(rows).float()


@torch.inference_mode()
def _named(judge: PairJudge, modality: Modality, pairs: GymPairs) -> dict[str, float]:
    """Share of the clips whose action and material are named rightly."""
    given, _ = inputs(modality, all_of(pairs), pairs.form, judge.size)
    outputs = [judge.detectors[modality].outputs(part) for part in given.split(AT_ONCE)]
    wanted = _names(modality, pairs)
    known = wanted[:, 0] != UNKNOWN
    guesses = {
        "action": torch.cat([one.actions for one in outputs]),
        "material": torch.cat([one.materials for one in outputs]),
    }
    return {
        name: float((guess.argmax(-1) == wanted[:, column])[known].float().mean())
        for column, (name, guess) in enumerate(guesses.items())
    }


def ceiling_table(ceilings: dict[str, Any]) -> str:
    """As text: what the detectors find in true pairs of other seeds."""
    columns = ("picture", "sound", "pair", "shuffled")
    lines = ["F1 on true pairs: visible and audible events against the truth, against each other, and by chance"]
    lines.append(f"{'within':>10}" + "".join(f"{name:>24}" for name in columns))
    for tolerance_s, row in ceilings["by_tolerance"].items():
        bounds = [(row[name]["f1"], *row[name]["interval"]) for name in columns]
        cells = [f"{f1:.3f} ({low:.3f} .. {high:.3f})" for f1, low, high in bounds]
        lines.append(f"{1000 * float(tolerance_s):7.1f} ms" + "".join(f"{cell:>24}" for cell in cells))
    lines += ["", f"by action within {1000 * ceilings['tolerance_s']:g} ms"]
    for action, f1 in ceilings["by_action"]["picture"].items():
        lines.append(f"{action:>10}{f1:24.3f}{ceilings['by_action']['sound'][action]:24.3f}")
    for modality, shares in ceilings["names"].items():
        lines.append(f"{modality}: action named {shares['action']:.3f}, material {shares['material']:.3f}")
    return "\n".join(lines)
