"""Median time of a pair (2 s, 25 steps) against 8 s of sound for a picture (8 steps), alternately, models loaded.

python benchmarks/generate_pair.py VIDEO [RUNS] [--model NAME|DIR]

VIDEO: 8 s, for the sound.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import openfoley
from openfoley.nn.process import prepare_process

PROMPT = "a stick taps a wooden box"
PAIR_STEPS, SOUND_STEPS = 25, 8


def seconds_of(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video")
    parser.add_argument("runs", nargs="?", type=int, default=5)
    parser.add_argument("--model", default="svg-gym")
    asked = parser.parse_args()
    prepare_process()  # as the command line does
    sound, pair = openfoley.load("salsa-v-gym"), openfoley.load_pair(asked.model)
    times: dict[str, list[float]] = {"sound": [], "pair": []}
    for run in range(asked.runs + 1):
        found = {
            "sound": seconds_of(lambda seed=run: sound.generate(asked.video, steps=SOUND_STEPS, seed=seed)),
            "pair": seconds_of(lambda seed=run: pair.generate(prompt=PROMPT, steps=PAIR_STEPS, seed=seed)),
        }
        for name, seconds in found.items():
            times[name] += [seconds] if run else []  # the first run warms up
    middle = {name: statistics.median(seconds) for name, seconds in times.items()}
    pair_s, sound_s = middle["pair"], middle["sound"]
    print(f"{asked.runs} runs: pair {pair_s:.2f} s ({PAIR_STEPS} steps), sound {sound_s:.2f} s ({SOUND_STEPS} steps)")
    print(f"a pair takes {pair_s / sound_s:.2f} times as long")


if __name__ == "__main__":
    main()
