"""Do the shipped model's sounds change by a bit? python benchmarks/golden_hashes.py record|check [FILE]

Renders Gym clips, runs the command line on them (takes, prompts, cuts and cues, reference, an edit, an extend, a run
that is killed and resumed, stems, a project's render), and hashes the samples of each output. `record` writes the
hashes with the machine they belong to, `check` compares and exits with 1 where one differs. One thread, one take at a
time. The bits depend on the processor and on torch: compare only files recorded on the same machine.
"""

import hashlib
import json
import os
import platform
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

SHORT, LONG = 4_200_007, 4_200_000  # unused seeds of the training split
KILL_AFTER_S = 120  # at the latest
DEFAULT_FILE = Path(__file__).with_name("golden_hashes.json")
CUES = "start,end,prompt,seed,stem\n0,2,a wooden ball,3,ball\n2,4,,5,\n"


def command(*words: object) -> list[str]:
    return [sys.executable, "-c", "import sys; from openfoley.cli import main; sys.exit(main())", *map(str, words)]


def run(*words: object) -> None:
    done = subprocess.run(command(*words), capture_output=True, text=True, env=environment())
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}\nfailed: {done.stderr.strip()}")


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def kill_after_a_window(*words: object, state: Path) -> None:
    """Start the command and kill it when its first window is saved."""
    process = subprocess.Popen(command(*words), stderr=subprocess.DEVNULL, env=environment())
    limit = time.monotonic() + KILL_AFTER_S
    while not any(state.parent.parent.glob(f"{state.parent.name}/{state.name}")):
        if process.poll() is not None or time.monotonic() > limit:
            raise SystemExit("the run ended before it could be killed")
        time.sleep(0.01)
    process.kill()
    process.wait()


def samples_hash(path: Path) -> str:
    """sha256 of the samples of a WAV file (its data chunk only)."""
    with open(path, "rb") as file:
        file.seek(12)
        while header := file.read(8):
            name, size = struct.unpack("<4sI", header)
            if name == b"data":
                return hashlib.sha256(file.read(size)).hexdigest()
            file.seek(size + size % 2, os.SEEK_CUR)
    raise SystemExit(f"{path} has no samples")


def outputs(folder: Path) -> dict[str, Path]:
    """Make every golden sound; name -> file."""
    for seed, duration in ((SHORT, 4), (LONG, 18)):
        run("gym", "render", "--seed", seed, "--count", 1, "--duration", duration, "--out", folder)
    short, long, cues = folder / f"{SHORT}.mp4", folder / f"{LONG}.mp4", folder / "cues.csv"
    cues.write_text(CUES)
    made: dict[str, Path] = {}

    def out(name: str) -> Path:
        made[name] = folder / f"{name}.wav"
        return made[name]

    run("generate", short, "--takes", 2, "--seed", 7, "--out", folder / "take.wav")
    made |= {f"take {n}": folder / f"take.take0{n}.wav" for n in (1, 2)}
    run(
        "generate",
        short,
        "--prompt",
        "a wooden ball",
        "--negative-prompt",
        "glass",
        "--steps",
        4,
        "--out",
        out("prompt"),
    )
    run(
        "generate",
        short,
        "--guidance",
        2,
        "--temperature",
        0.8,
        "--text-guidance",
        3,
        "--nudge",
        40,
        "--out",
        out("options"),
    )
    run("generate", "--duration", 2, "--prompt", "a metal plate", "--out", out("text"))
    run("generate", long, "--cuts", "auto", "--out", out("long"))
    run("generate", long, "--reference", folder / f"{LONG}.wav", "--steps", 4, "--out", out("reference"))
    run("edit", short, "--sound", made["take 1"], "--span", 1, 2.5, "--seed", 1, "--out", out("edit"))
    run("extend", long, "--sound", made["take 1"], "--seed", 2, "--steps", 4, "--out", out("extend"))
    words = ("generate", long, "--cuts", "none", "--seed", 5, "--steps", 4, "--out", out("resumed"))
    kill_after_a_window(*words, state=folder / "*openfoley-work*" / "state.safetensors")
    run(*words)
    run("generate", short, "--cues", cues, "--stems", "--out", out("stems"))
    made |= {f"stem {path.name.split('.')[1]}": path for path in sorted(folder.glob("stems.*.wav"))}
    project = folder / "film.foley"
    run("project", "new", project, long)
    run("project", "take", project, "--steps", 4, "--choose")
    run("project", "take", project, "--span", 3, 5, "--seed", 9, "--steps", 4, "--choose")
    run("project", "render", project, "--out", out("project"))
    return made


def main(verb: str = "check", file: str = str(DEFAULT_FILE)) -> int:
    with tempfile.TemporaryDirectory() as name:
        hashes = {key: samples_hash(path) for key, path in outputs(Path(name)).items()}
    machine = {"processor": platform.processor() or platform.machine(), "torch": torch.__version__,
               "cpu": torch.backends.cpu.get_cpu_capability()}  # fmt: skip
    if verb == "record":
        Path(file).write_text(json.dumps({"machine": machine, "hashes": hashes}, indent=1) + "\n")
        print(f"recorded {len(hashes)} hashes in {file}")
        return 0
    recorded = json.loads(Path(file).read_text())
    if recorded["machine"] != machine:
        print(
            f"recorded on another machine: {recorded['machine']}, this is {machine}; record the old version here first"
        )
    changed = [key for key in recorded["hashes"] if hashes.get(key) != recorded["hashes"][key]]
    print(f"{len(recorded['hashes']) - len(changed)} of {len(recorded['hashes'])} golden hashes unchanged")
    for key in changed:
        print(f"changed: {key}")
    return bool(changed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
