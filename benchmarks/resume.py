"""kill -9 at random moments: python benchmarks/resume.py [KILLS] [MINUTES] [MODEL]

Generates the sound of a video once without interruption. Then, KILLS (20) times: starts the same command, kills it at
a random time, runs it again to the end, and compares the bytes of the two outputs.
"""

import random
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

SEED = 11
LONGEST_WAIT_S = 3600


def command(model: str, video: Path, out: Path) -> list[str]:
    words = ["generate", str(video), "--model", model, "--steps", "1", "--seed", "5", "--out", str(out)]
    return [sys.executable, "-c", "import sys; from openfoley.cli import main; sys.exit(main())", *words]


def run(words: list[str]) -> None:
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the command failed: {done.stderr}")


def main(kills: int = 20, minutes: float = 2.0, model: str = "salsa-v-gym") -> None:
    from longform import pictures

    from openfoley.media.write.encode import write_video

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = folder / "video.mp4"
        write_video(video, pictures(minutes), Fraction(24), options={"preset": "ultrafast"})
        begun = time.monotonic()
        run(command(model, video, folder / "whole.wav"))
        length_s, wanted = time.monotonic() - begun, (folder / "whole.wav").read_bytes()
        draw, equal, resumed = random.Random(SEED), 0, 0
        for number in range(kills):
            out = folder / f"{number}.wav"
            process = subprocess.Popen(command(model, video, out), stderr=subprocess.DEVNULL)
            try:
                process.wait(draw.uniform(0.1, 1.0) * length_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(LONGEST_WAIT_S)
            has_work = (folder / f".{out.name}.openfoley-work").exists()
            resumed += has_work
            if has_work or not out.exists():  # else it was killed while exiting, with all work finished
                run(command(model, video, out))
            equal += out.read_bytes() == wanted
            left = [p.name for p in folder.iterdir() if p.name.startswith(".")]
            print(f"kill {number + 1}: {equal} of {number + 1} equal; left behind: {left or 'nothing'}", flush=True)
            out.unlink()
    print(f"{equal} of {kills} equal to the uninterrupted bytes; {resumed} resumed from a complete window")


if __name__ == "__main__":
    main(*(kind(word) for kind, word in zip((int, float, str), sys.argv[1:], strict=False)))
