"""Median time and peak memory of `Pipeline.generate`, model loaded; with takes, batched and one by one alternately.

python benchmarks/generate.py VIDEO [RUNS] [--takes N] [--device D]
"""

import argparse
import resource
import statistics
import time
from collections.abc import Sequence

import openfoley
from openfoley.nn.process import prepare_process
from openfoley.pipeline import Pipeline


def seconds_of(pipeline: Pipeline, video: str, seeds: Sequence[int], batch_takes: bool) -> float:
    begun = time.perf_counter()
    pipeline.generate_takes(video, seeds, steps=8, batch_takes=batch_takes)
    return time.perf_counter() - begun


def described(seconds: list[float]) -> str:
    return f"median {statistics.median(seconds):.2f} s of {len(seconds)} (largest {max(seconds):.2f} s)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("runs", nargs="?", type=int, default=5)
    parser.add_argument("--takes", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    asked = parser.parse_args()
    prepare_process()  # as the command line does
    pipeline = openfoley.load("salsa-v-gym", asked.device)
    alone, batched = [], []
    for run in range(asked.runs):
        seeds = range(run * asked.takes, (run + 1) * asked.takes)
        alone.append(seconds_of(pipeline, asked.video, seeds, batch_takes=False))
        if asked.takes > 1:
            batched.append(seconds_of(pipeline, asked.video, seeds, batch_takes=True))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{asked.takes} one by one: {described(alone)}, peak of the process {peak_mb:.0f} MB")
    if batched:
        ratio = statistics.median(alone) / statistics.median(batched)
        print(f"{asked.takes} as one batch: {described(batched)}, {ratio:.2f} times as fast")


if __name__ == "__main__":
    main()
