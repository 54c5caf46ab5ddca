"""Memory and time against the length of a video: python benchmarks/longform.py [MINUTES] [MODEL]

Frames of 192x144 at 24 Hz of a moving square with a cut every 20 s, 1 step. First: one process generates MINUTES (60)
of sound and prints its resident memory after minute 1 and after the last one. Then: the time for MINUTES against 6
times the time for MINUTES / 6, in separate processes, model loaded.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import torch

RATE = Fraction(24)
HEIGHT, WIDTH = 144, 192
SHOT_FRAMES = 480
MEASURE = """
import json, sys, time, openfoley
page = 4096 / 2**20
memory_mb = lambda: int(open("/proc/self/statm").read().split()[1]) * page
pipeline = openfoley.load(sys.argv[1])
marks = {}
def progress(done, total):
    marks.setdefault(int(done // 60), memory_mb())
    if done >= total: marks["end"] = memory_mb()
begun, cpu = time.perf_counter(), time.process_time()
take = pipeline.generate(sys.argv[2], steps=1, progress=progress)
print(json.dumps({"seconds": time.perf_counter() - begun, "cpu": time.process_time() - cpu, "memory": marks}))
"""


def pictures(minutes: float) -> Iterator[torch.Tensor]:
    for k in range(round(minutes * 60 * RATE)):
        shade = 30 + 60 * (k // SHOT_FRAMES % 3)
        frame = torch.full((3, HEIGHT, WIDTH), shade, dtype=torch.uint8)
        left = (3 * k) % (WIDTH - 24)
        frame[:, 60:84, left : left + 24] = 240
        yield frame


def measured(model: str, video: Path) -> dict:
    command = [sys.executable, "-c", MEASURE, model, str(video)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main(minutes: float = 60.0, model: str = "salsa-v-gym") -> None:
    from openfoley.media.write.encode import write_video

    with tempfile.TemporaryDirectory() as folder:
        results = []
        for part in (minutes, minutes / 6):
            video = Path(folder) / f"{part:g}.mp4"
            write_video(video, pictures(part), RATE, options={"preset": "ultrafast"})
            results.append(measured(model, video))
    long, short = results
    memory = long["memory"]
    first = memory.get("1", memory["0"])
    print(f"resident memory: {first:.0f} MB after minute 1, {memory['end']:.0f} MB after minute {minutes:g}")
    for kind in ("seconds", "cpu"):
        ratio = long[kind] / (6 * short[kind])
        print(f"{kind}: {minutes:g} min {long[kind]:.1f}, 6 x {minutes / 6:g} min {6 * short[kind]:.1f}, {ratio:.3f}")


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((float, str), sys.argv[1:], strict=False)))
