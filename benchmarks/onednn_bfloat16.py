"""Are oneDNN's convolutions in bfloat16 right on this processor? python benchmarks/onednn_bfloat16.py

One-dimensional convolutions of the waveform codec and of others' shapes in bfloat16, relative to float32, with the
largest instruction set of the processor and with the one that `nn.onednn` allows. Above 0.02 is wrong: bfloat16 has 8
significant bits. Exits with 1 where an allowed one is wrong.
"""

import os
import subprocess
import sys

from openfoley.nn.onednn import LARGEST, SETTING

# Input and output channels, kernel, stride, padding, samples
SHAPES = (
    (2, 8, 32, 8, 12, 8192), (8, 16, 16, 8, 4, 1024), (8, 16, 16, 8, 0, 1024), (16, 32, 16, 8, 4, 1024),
    (2, 8, 16, 4, 6, 8192), (2, 8, 4, 2, 1, 8192), (8, 16, 9, 1, 4, 1024), (8, 16, 3, 2, 1, 1024),
)  # fmt: skip
WRONG = 0.02
WITH = {"all of the processor": "DEFAULT", "allowed": LARGEST}


def errors() -> list[float]:
    """Of each shape, in this process."""
    import torch
    from torch.nn.functional import conv1d

    torch.manual_seed(0)
    found = []
    for inputs, outputs, kernel, stride, padding, samples in SHAPES:
        x, w = torch.randn(2, inputs, samples), torch.randn(outputs, inputs, kernel)
        right = conv1d(x, w, stride=stride, padding=padding)
        rounded = conv1d(x.bfloat16(), w.bfloat16(), stride=stride, padding=padding).float()
        found.append(float((rounded - right).norm() / right.norm()))
    return found


def main() -> None:
    if sys.argv[1:] == ["errors"]:
        print(*errors())
        return
    columns = {}
    for name, setting in WITH.items():
        words = [sys.executable, __file__, "errors"]
        done = subprocess.run(words, env={**os.environ, SETTING: setting}, capture_output=True, text=True, check=True)
        columns[name] = [float(word) for word in done.stdout.split()]
    print(f"| channels, kernel, stride | {' | '.join(columns)} |\n|---|---|---|")
    for number, (inputs, outputs, kernel, stride, *_) in enumerate(SHAPES):
        cells = " | ".join(f"{column[number]:.3f}" for column in columns.values())
        print(f"| {inputs} to {outputs}, {kernel}, {stride} | {cells} |")
    sys.exit(max(columns["allowed"]) > WRONG)


if __name__ == "__main__":
    main()
