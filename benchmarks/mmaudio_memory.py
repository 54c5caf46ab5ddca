"""Peak memory of an MMAudio model on a CPU: seeded weights of the published sizes, one clip, two steps.

    python benchmarks/mmaudio_memory.py FOLDER CLIP [small-16k [plain]]   # writes the weights (6.2 GB) into FOLDER once

plain: the generator's convolution kernels are not cached, as where memory is short.
The peak counts anonymous memory, which the process needs, and pages of mapped files, which the system may drop.
"""

import argparse
import json
import sys
import threading
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "goldens"))
import seeded  # noqa: E402

SHARED = {"sync.pth": "synchformer_visual", "open_clip_pytorch_model.bin": "dfn5b_clip_vit_h14"}
POLL_S = 0.05


def write_weights(folder: Path, variant: str) -> None:
    from openfoley.encoders.clip_tokenizer import MERGES, byte_letters

    networks = json.loads((seeded.FOLDER / "mmaudio_network_shapes.json").read_text())
    parts = json.loads((seeded.FOLDER / "mmaudio_parts_shapes.json").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    rate = "16k" if variant.endswith("16k") else "44k"
    vocoder = {"16k": "bigvgan_16k", "44k": "bigvgan_v2_44k"}[rate]
    own = {"network": variant.replace("-", "_"), "vae": f"vae_{rate}", "vocoder": vocoder}
    for name, kind in [*SHARED.items(), *((f"{part}_{variant}.pth", kind) for part, kind in own.items())]:
        if not (folder / name).is_file():
            shapes = networks[kind]["shapes"] if kind in networks else parts[kind]
            torch.save(seeded.state(shapes), folder / name)
    letters = byte_letters()
    merges = [f"{first} {second}" for first in letters for second in letters][:MERGES]
    (folder / "merges.txt").write_text("\n".join(["#version", *merges]) + "\n")


def status() -> dict[str, float]:
    """GB by the kernel's names."""
    lines = (line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    fields = {name: value.split() for name, value in lines}
    return {name: 1024 * int(fields[name][0]) / 1e9 for name in ("VmHWM", "RssAnon", "RssFile")}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("clip")
    arguments.add_argument("variant", nargs="?", default="small-16k")
    arguments.add_argument("kernels", nargs="?", choices=("cached", "plain"), default="cached")
    arguments.add_argument("--written", action="store_true")  # measured in a process that has written nothing
    options = arguments.parse_args()
    folder, variant = options.folder, options.variant
    if not options.written:
        import subprocess

        write_weights(folder, variant)
        raise SystemExit(subprocess.run([sys.executable, *sys.argv, "--written"]).returncode)
    if options.kernels == "plain":
        from openfoley.hub import foreign

        foreign.fits = lambda *_: False
    peak = {"RssAnon": 0.0, "RssFile": 0.0}

    def poll() -> None:
        while True:
            now = status()
            peak.update({name: max(value, now[name]) for name, value in peak.items()})
            time.sleep(POLL_S)

    threading.Thread(target=poll, daemon=True).start()
    from openfoley.cli import main as openfoley

    begun = time.perf_counter()
    words = ["--model", f"mmaudio-{variant}", "--weights-dir", str(folder), "--steps", "2", "--force"]
    openfoley(["generate", options.clip, "--out", str(folder / "out.wav"), *words])
    seconds, whole = time.perf_counter() - begun, status()["VmHWM"]
    print(f"{seconds:.0f} s, peak {whole:.2f} GB: anonymous {peak['RssAnon']:.2f}, mapped files {peak['RssFile']:.2f}")


if __name__ == "__main__":
    main()
