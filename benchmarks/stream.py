"""Live sound: real-time factor and chunk latency. python benchmarks/stream.py [SECONDS] [MODEL] [STEPS]

Frames of a Gym scene at 24 Hz are pushed one by one as fast as possible. Prints the time against the video's length,
as wall and processor time (the latter is independent of other processes), the worst time from the frame that completes
a chunk to its samples, and the worst age of a sample: its delay if the frames arrive in real time.
"""

import sys
import time

import torch

import openfoley

RATE = 24  # frames per second
SIZE = 96  # pixels, height and width
SCENE = 900_001  # of the evaluation split


def gym_frames(seconds: float) -> torch.Tensor:
    """uint8 [n, 3, SIZE, SIZE] of one scene."""
    from fractions import Fraction

    from openfoley.gym.picture import scene_frames
    from openfoley.gym.scene import sample_scene

    device = torch.device("cpu")
    return torch.cat(
        list(scene_frames(sample_scene(SCENE, seconds, single_shot=True), Fraction(RATE), SIZE, SIZE, device))
    )


def main(seconds: float = 30.0, model: str = "salsa-v-gym", steps: int = 8) -> None:
    frames = gym_frames(seconds)
    live = openfoley.stream(openfoley.load(model), RATE, steps=steps)
    busy_until, worst_chunk, worst_cpu, worst_age, given = 0.0, 0.0, 0.0, 0.0, 0
    begun, begun_cpu = time.perf_counter(), time.process_time()
    for number, frame in enumerate(frames, start=1):
        started, started_cpu = time.perf_counter(), time.process_time()
        samples = live.push(frame[None])
        spent = time.perf_counter() - started
        # In real time, work on a frame starts when it has arrived and the work before is finished.
        busy_until = max(busy_until, number / RATE) + spent
        if samples.shape[-1]:
            worst_chunk, worst_cpu = max(worst_chunk, spent), max(worst_cpu, time.process_time() - started_cpu)
            worst_age = max(worst_age, busy_until - given / live.codec.sample_rate)
            given += samples.shape[-1]
    live.finish()
    total, total_cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    length_s = len(frames) / RATE
    print(
        f"{length_s:.0f} s of {SIZE}x{SIZE} pictures, {steps} steps, {torch.get_num_threads()} threads: "
        f"real-time factor {total / length_s:.3f} (processor {total_cpu / length_s:.3f}), "
        f"worst chunk {worst_chunk:.2f} s (processor {worst_cpu:.2f}), "
        f"worst age of a sample {worst_age:.2f} s (look-ahead {live.look_ahead_s:.2f} s)"
    )


if __name__ == "__main__":
    words = sys.argv[1:]
    main(*(kind(word) for kind, word in zip((float, str, int), words, strict=False)))
