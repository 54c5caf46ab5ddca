"""What ways of sampling do, without a prompt: python benchmarks/sampling.py MODEL JUDGE CACHE[,CACHE...] [SETTINGS ...]

Sounds of all scenes of the Gym caches (rendered ones, as `openfoley train` leaves in data/validation), once for every
SETTINGS, such as temperature=0.5,guidance=5.5 (steps, guidance, rescale, temperature, seed, as in
`evaluation.generation.generate`; "default" changes nothing). JUDGE: the material.safetensors of a report or study.
Made for choosing defaults, so never on evaluation seeds. Features once, about a second a scene on one core, then as
much for every row.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from openfoley.data.gym_cache import GymCache
from openfoley.evaluation.generation import generate_all, joined, see
from openfoley.evaluation.metrics.sync import sync_report
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.reports.figures import materials_of, onsets_of, reach_and_decay
from openfoley.evaluation.reports.judge import load_classifier
from openfoley.hub.load import load_model
from openfoley.nn.memory import keep_freed_memory

SETTINGS = {"steps": int, "guidance": float, "rescale": float, "temperature": float, "seed": int}


def main(name: str, judge_file: Path, folders: Sequence[Path], rows: Sequence[str]) -> None:
    keep_freed_memory()
    model, judge, caches = load_model(name), load_classifier(judge_file), [GymCache.open(path) for path in folders]
    truths = [from_dict(record) for cache in caches for record in cache.truth]
    seen = joined([see(model, cache.frames) for cache in caches])
    true = np.concatenate([cache.sound for cache in caches])
    for row in rows:
        pairs = [word.split("=") for word in row.split(",") if word != "default"]
        sounds = generate_all(model, seen, **{key: SETTINGS[key](value) for key, value in pairs})
        found = onsets_of(sounds)
        report, materials = sync_report(found, truths), materials_of(judge, sounds, found, truths)
        score, reach = report.f1(), reach_and_decay(sounds, true, found, truths)
        print(
            f"{row}: F1 {score.f1:.3f} precision {score.precision:.3f} recall {score.recall:.3f} "
            f"false in silent clips {report.silent_false_per_minute.value:.0f}/min "
            f"material {materials['accuracy']:.3f} of {materials['events']} T20 {reach['t20']['ratio'] or np.nan:.2f} "
            f"99 % roll-off {reach['bandwidth']['ratio']['roll_off_99_hz']:.2f} "
            f"loudness {report.loudness_pooled.value:.2f} N {len(truths)}",
            flush=True,
        )


if __name__ == "__main__":
    given = sys.argv[1:]
    main(given[0], Path(given[1]), [Path(word) for word in given[2].split(",")], given[3:] or ["default"])
