"""What conditioning on the whole video costs: python benchmarks/whole_video.py [SECONDS] [RUNS] [MODEL] [STEPS]

Processor time of `generate` for a Gym scene of SECONDS (60), RUNS (3) times each in turn: without, with adapters, and
with adapters where the features do not fit, so that the pictures are encoded twice. Medians, and ratios of each run to
the one without beside it. A model without adapters gets some that are not trained: times do not depend on their
weights. And the parameters, the adapters' as a share of the generator's.
"""

import sys
import time
from dataclasses import replace
from functools import partial
from statistics import median
from unittest.mock import patch

import torch
from stream import RATE, gym_frames

import openfoley
from openfoley.generators.adapters.config import compact
from openfoley.generators.adapters.model import Adapters
from openfoley.hub.parts import Model
from openfoley.media.source import Source
from openfoley.synthesis import running
from openfoley.synthesis.kept_runs import KeptRuns


def adapting(model: Model) -> Model:
    if model.adapters is not None:
        return model
    return replace(model, adapters=Adapters(compact(model.parts["generator"].config)).eval().requires_grad_(False))


def main(seconds: float = 60.0, runs: int = 3, name: str = "salsa-v-gym", steps: int = 8) -> None:
    torch.set_num_threads(1)
    pipeline = openfoley.load(name)
    pipeline = replace(pipeline, model=adapting(pipeline.model))
    source = Source.tensor(gym_frames(seconds), RATE)

    def measured(whole_video: str) -> float:
        begun = time.process_time()
        pipeline.generate(source, steps=steps, cuts="none", whole_video=whole_video)
        return time.process_time() - begun

    measured("on")  # warm
    rows: list[tuple[float, float, float]] = []
    for _ in range(runs):
        off, on = measured("off"), measured("on")
        with patch.object(running, "KeptRuns", partial(KeptRuns, most_bytes=0)):
            rows.append((off, on, measured("on")))
    columns = list(zip(*rows, strict=True))
    for title, column in zip(("without", "with adapters", "pictures encoded twice"), columns, strict=True):
        ratios = sorted(one / off for one, off in zip(column, columns[0], strict=True))
        print(f"{title:<24} {median(column):7.2f} s, ratio {median(ratios):.3f} ({ratios[0]:.3f} .. {ratios[-1]:.3f})")
    adapters, generator = pipeline.model.adapters, pipeline.model.parts["generator"]
    assert adapters is not None
    own, base = (sum(one.numel() for one in module.parameters()) for module in (adapters, generator))
    print(f"adapters {own:,} parameters, {own / base:.2%} of the generator's")


if __name__ == "__main__":
    words = sys.argv[1:]
    main(*(kind(word) for kind, word in zip((float, int, str, int), words, strict=False)))
