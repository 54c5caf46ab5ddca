"""Peak memory of mmaudio-small-16k on a CPU: seeded weights of the published sizes, one clip of a second, two steps.

    python benchmarks/mmaudio_memory.py FOLDER CLIP      # writes 6.2 GB of weights into FOLDER once; about 5 minutes

Anonymous memory is what the process needs; pages of mapped files are read again by the system when it drops them.
"""

import json
import sys
import threading
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "goldens"))
import seeded  # noqa: E402

PARTS = {
    "network.pth": "small_16k",
    "vae.pth": "vae_16k",
    "vocoder.pt": "bigvgan_16k",
    "sync.pth": "synchformer_visual",
    "open_clip_pytorch_model.bin": "dfn5b_clip_vit_h14",
}
POLL_S = 0.05


def write_weights(folder: Path) -> None:
    from openfoley.encoders.clip_tokenizer import MERGES, byte_letters

    networks = json.loads((seeded.FOLDER / "mmaudio_network_shapes.json").read_text())
    parts = json.loads((seeded.FOLDER / "mmaudio_parts_shapes.json").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind in PARTS.items():
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
    return {name: int(fields[name][0]) / 1e6 for name in ("VmHWM", "RssAnon", "RssFile")}


def main() -> None:
    folder, clip = Path(sys.argv[1]), sys.argv[2]
    write_weights(folder)
    if len(sys.argv) == 3:  # measured in a process that has written nothing
        import subprocess

        raise SystemExit(subprocess.run([sys.executable, __file__, *sys.argv[1:], "measure"]).returncode)
    peak = {"RssAnon": 0.0, "RssFile": 0.0}

    def poll() -> None:
        while True:
            now = status()
            peak.update({name: max(value, now[name]) for name, value in peak.items()})
            time.sleep(POLL_S)

    threading.Thread(target=poll, daemon=True).start()
    from openfoley.cli import main as openfoley

    begun = time.perf_counter()
    words = ["--model", "mmaudio-small-16k", "--weights-dir", str(folder), "--steps", "2", "--force"]
    openfoley(["generate", clip, "--out", str(folder / "out.wav"), *words])
    seconds, whole = time.perf_counter() - begun, status()["VmHWM"]
    print(f"{seconds:.0f} s, peak {whole:.2f} GB: anonymous {peak['RssAnon']:.2f}, mapped files {peak['RssFile']:.2f}")


if __name__ == "__main__":
    main()
