"""Compares sampling settings and prompts: python benchmarks/sampling.py MODEL JUDGE CACHE[,CACHE...] [SETTINGS ...]

Generates all scenes of the Gym caches (such as data/validation of `openfoley train`) once for each SETTINGS, such as
temperature=0.5,guidance=5.5 or prompt=other,picture_guidance=4,text_guidance=8,clips=64: fields of `request.Sampling`;
a prompt, "true" (the scene's caption) or "other" (contradicts the picture's material); the number of clips. "default"
changes nothing. JUDGE: the material.safetensors of a report or study. For choosing defaults, so never on evaluation
seeds. Features take about a second a scene on one core, once, then as much for every row.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from openfoley.data.gym_cache import GymCache
from openfoley.evaluation.metrics.sync import sync_report
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.reports.contradicting import contradicting
from openfoley.evaluation.reports.figures import materials_of, onsets_of, reach_and_decay
from openfoley.evaluation.reports.judge import load_classifier
from openfoley.evaluation.reports.sounds import set_sounds
from openfoley.nn.process import prepare_process
from openfoley.pipeline import load
from openfoley.request import Request
from openfoley.synthesis.feature_store import FeatureStore

WHOLE = ("steps", "seed")


def main(name: str, judge_file: Path, folders: Sequence[Path], rows: Sequence[str]) -> None:
    prepare_process()
    pipeline, judge, caches = load(name), load_classifier(judge_file), [GymCache.open(path) for path in folders]
    records = [record for cache in caches for record in cache.truth]
    frames, true = np.concatenate([c.frames for c in caches]), np.concatenate([c.sound for c in caches])
    others = [contradicting(record, index) for index, record in enumerate(records)]
    prompts: dict[str, list[str | None]] = {
        "none": [None] * len(records),
        "true": [record["caption"] for record in records],
        "other": [one[0] if one else None for one in others],
    }
    wanted = [one[1] if one else {} for one in others]
    truths = [from_dict(record) for record in records]
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            words = dict(word.split("=") for word in row.split(",") if word != "default")
            kind, clips = words.pop("prompt", "none"), slice(int(words.pop("clips", len(records))))
            settings = {key: int(value) if key in WHOLE else float(value) for key, value in words.items()}
            request = Request.of(cuts="none", **settings)
            sounds = set_sounds(pipeline, frames[clips], request, prompts[kind][clips], FeatureStore(folder))
            found, asked = onsets_of(sounds), wanted[clips] if kind == "other" else None
            report, materials = (
                sync_report(found, truths[clips]),
                materials_of(judge, sounds, found, truths[clips], asked),
            )
            score, reach = report.f1(), reach_and_decay(sounds, true[clips], found, truths[clips])
            print(
                f"{row}: F1 {score.f1:.3f} precision {score.precision:.3f} recall {score.recall:.3f} "
                f"false positives on silent clips {report.silent_false_per_minute.value:.0f}/min "
                f"material as asked {materials['accuracy']:.3f} of {materials['events']} "
                f"T20 {reach['t20']['ratio'] or np.nan:.2f} "
                f"99 % roll-off {reach['bandwidth']['ratio']['roll_off_99_hz']:.2f} "
                f"loudness {report.loudness_pooled.value:.2f} N {len(truths[clips])}",
                flush=True,
            )


if __name__ == "__main__":
    given = sys.argv[1:]
    main(given[0], Path(given[1]), [Path(word) for word in given[2].split(",")], given[3:] or ["default"])
