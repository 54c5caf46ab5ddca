"""A full-size published model, from checkpoints to a file with sound: python benchmarks/mmaudio_whole.py
[VARIANT] [SECONDS] [STEPS] [FOLDER]

The trained weights are not available here, so files with the published keys, shapes and containers are written from
seeds, under other names (their hashes differ). Then, as separate timed commands: doctor recognises them, generate uses
them, convert writes a model folder, and generate from that folder gives the same bytes. FOLDER keeps the files (5 GB
for small-16k) for the next run; without it they are deleted.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from itertools import islice, product
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "goldens"))

COMMAND = [sys.executable, "-c", "import sys; from openfoley.cli import main; sys.exit(main())"]


def write_checkpoints(folder: Path, variant: str) -> None:
    import seeded

    parts, networks = (
        json.loads((seeded.FOLDER / f"mmaudio_{name}_shapes.json").read_text()) for name in ("parts", "network")
    )
    rate = "16k" if variant.endswith("16k") else "44k"
    vocoder = "bigvgan_16k" if rate == "16k" else "bigvgan_v2_44k"
    wanted = {
        "a.pth": networks[variant.replace("-", "_")]["shapes"],
        "b.pth": parts[f"vae_{rate}"],
        "c.pt": parts[vocoder],
        "d.pth": parts["synchformer_visual"],
        "e.bin": parts["dfn5b_clip_vit_h14"],
    }
    for name, shapes in wanted.items():
        state = seeded.state(shapes)
        torch.save({"generator": state} if name == "c.pt" else state, folder / name)
    from openfoley.encoders.clip_tokenizer import MERGES, byte_letters

    pairs = islice(product(byte_letters(), repeat=2), MERGES)  # as many as CLIP has, if not its own
    lines = ["#version: 0.2", *map(" ".join, pairs)]
    (folder / "merges.txt").write_text("\n".join(lines))


def timed(what: str, *words: str) -> str:
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{what} failed: {done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"{what}: {time.perf_counter() - begun:.0f} s, {busy:.0f} processor-seconds, largest memory of any so far "
        f"{after.ru_maxrss / 2**20:.1f} GB",
        flush=True,
    )
    return done.stdout


def main(variant: str = "small-16k", seconds: float = 2.0, steps: int = 4, folder: str | None = None) -> None:
    from longform import pictures

    from openfoley.media.write.encode import write_video

    print(f"mmaudio-{variant}, {seconds:g} s of video, {steps} steps, {torch.get_num_threads()} threads")
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        weights = Path(folder) if folder else work / "weights"
        weights.mkdir(exist_ok=True)
        if not (weights / "merges.txt").exists():
            write_checkpoints(weights, variant)
        video = work / "video.mp4"
        write_video(video, pictures(seconds / 60), Fraction(24))
        print(timed("doctor", "doctor", "--weights-dir", str(weights)))
        asked = ["--steps", str(steps), "--seed", "3", "--prompt", "a dog barks"]
        first, again = work / "first.wav", work / "again.wav"
        model = f"mmaudio-{variant}"
        timed(
            "generate from checkpoints",
            *("generate", str(video), "--model", model, "--weights-dir", str(weights), *asked, "--out", str(first)),
        )
        timed("convert", "convert", str(weights), str(work / "converted"))
        timed(
            "generate from the folder",
            *("generate", str(video), "--model", str(work / "converted"), *asked, "--out", str(again)),
        )
        print("the same bytes" if first.read_bytes() == again.read_bytes() else "OTHER BYTES")


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((str, float, int, str), sys.argv[1:], strict=False)))
