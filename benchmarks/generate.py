"""Median time and peak memory of `Pipeline.generate`, model loaded: python benchmarks/generate.py VIDEO [RUNS]."""

import resource
import statistics
import sys
import time

import openfoley
from openfoley.nn.memory import keep_freed_memory


def main(video: str, runs: int = 5) -> None:
    keep_freed_memory()  # as the command line does
    pipeline = openfoley.load("salsa-v-gym")
    seconds = []
    for seed in range(runs):
        begun = time.perf_counter()
        pipeline.generate(video, steps=8, seed=seed)
        seconds.append(time.perf_counter() - begun)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"median {statistics.median(seconds):.2f} s of {runs} (largest {max(seconds):.2f} s), peak {peak_mb:.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1], *(int(runs) for runs in sys.argv[2:]))
