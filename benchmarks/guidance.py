"""Event F1 (visible, +-50 ms) on validation scenes against the guidance: how the default was chosen.

    python benchmarks/guidance.py OUT 32 1 2 4 6      # OUT: a training's folder with data/, features/, salsa-v-gym/

Evaluation scenes are not touched.
"""

import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from openfoley.data.gym_cache import GymCache
from openfoley.data.onset_detector import detect
from openfoley.evaluation.generation import Seen, generate
from openfoley.evaluation.metrics.sync import sync_report
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.reports.workspace import blocks
from openfoley.hub.load import load_model

DURATION_S = Fraction(8)


def main(folder: Path, clips: int, guidances: list[float]) -> None:
    model = load_model(folder / "salsa-v-gym")
    truths = [from_dict(record) for record in GymCache.open(folder / "data" / "validation").truth[:clips]]
    features = folder / "features" / "validation"
    semantic, sync = (
        torch.from_numpy(np.load(features / f"{name}.npy")[:clips].astype(np.float32)) for name in ("semantic", "sync")
    )
    seen = Seen(semantic, sync, DURATION_S)
    for guidance in guidances:
        sounds = torch.cat([generate(model, seen, rows=rows, guidance=guidance) for rows in blocks(len(truths))])
        found = [detect(sound, model.codec.sample_rate) for sound in sounds]
        report = sync_report(found, truths)
        score, silent = report.f1(), report.silent_false_per_minute.value
        level = 10 * sounds.square().mean((1, 2)).clamp(min=1e-12).log10().mean()
        print(
            f"guidance {guidance:g}: F1 {score.f1:.3f} precision {score.precision:.3f} recall {score.recall:.3f} "
            f"false in silent clips {silent:.0f}/min level {level:.1f} dBFS N {clips}",
            flush=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), [float(text) for text in sys.argv[3:]])
