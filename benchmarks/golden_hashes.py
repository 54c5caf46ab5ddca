"""Do the shipped model's sounds change by a bit? python benchmarks/golden_hashes.py record|check [FILE]

Renders Gym clips, runs the command line on them (takes, prompts, cuts and cues, reference, an edit, an extend, a run
that is killed and resumed, stems, a project's render), and hashes the samples of each output. `record` writes the
hashes with the machine they belong to, `check` compares and exits with 1 where one differs. One thread, one take at a
time. The bits depend on the processor, on the instruction set that oneDNN uses there and on torch: hashes of another
machine are not compared (exit code 2).
"""

import hashlib
import json
import os
import platform
import re
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
PROCESSOR_FIELDS = ("vendor_id", "cpu family", "model", "stepping", "model name", "CPU implementer", "CPU part")
LAYER = (
    "import torch; from openfoley.cli import main; main(['models']); "
    "torch.nn.Conv2d(64, 64, 3)(torch.zeros(4, 64, 64, 64))"
)
CUES = "start,end,prompt,seed,stem\n0,2,a wooden ball,3,ball\n2,4,,5,\n"


def command(*words: object) -> list[str]:
    return [sys.executable, "-c", "import sys; from openfoley.cli import main; sys.exit(main())", *map(str, words)]


def run(*words: object) -> None:
    done = subprocess.run(command(*words), capture_output=True, text=True, env=environment())
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))}\nfailed: {done.stderr.strip()}")


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def machine() -> dict[str, str]:
    """What the bits depend on."""
    return {"processor": processor(), "onednn": onednn_isa(), "torch": torch.__version__,
            "cpu": torch.backends.cpu.get_cpu_capability()}  # fmt: skip


def processor() -> str:
    """Its model: on Linux with the numbers that tell processors of one name apart."""
    info = Path("/proc/cpuinfo")
    if not info.is_file():
        return platform.processor() or platform.machine()
    first, *_ = info.read_text().split("\n\n")
    fields = dict(map(str.strip, line.split(":", 1)) for line in first.splitlines() if ":" in line)
    return ", ".join(f"{name} {fields[name]}" for name in PROCESSOR_FIELDS if name in fields) or platform.machine()


def onednn_isa() -> str:
    """The instruction set that oneDNN may use in a command of openfoley, as oneDNN reports it at its first layer."""
    done = subprocess.run(
        [sys.executable, "-c", LAYER], capture_output=True, text=True, env={**environment(), "ONEDNN_VERBOSE": "1"}
    )
    found = re.search(r"cpu,isa:(.+)", done.stdout)
    return found[1].strip() if found else "none"


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
    here = machine()
    recorded = None if verb == "record" else json.loads(Path(file).read_text())
    if recorded is not None and recorded["machine"] != here:
        print(f"not compared: recorded on {recorded['machine']}, this is {here}; record the old version here first")
        return 2
    with tempfile.TemporaryDirectory() as name:
        hashes = {key: samples_hash(path) for key, path in outputs(Path(name)).items()}
    if recorded is None:
        Path(file).write_text(json.dumps({"machine": here, "hashes": hashes}, indent=1) + "\n")
        print(f"recorded {len(hashes)} hashes in {file}")
        return 0
    changed = [key for key in recorded["hashes"] if hashes.get(key) != recorded["hashes"][key]]
    print(f"{len(recorded['hashes']) - len(changed)} of {len(recorded['hashes'])} golden hashes unchanged")
    for key in changed:
        print(f"changed: {key}")
    return bool(changed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
