#!/usr/bin/env bash
# The shipped model salsa-v-gym, from nothing, on 2 CPU cores with AVX512-BF16: the preset `cpu` of every part.
#
#   scenes      1,500 training and 64 validation scenes of 8 s, seeds from gym/seeds.py    about 8 min on two quiet cores
#   codec       1,800 steps of 8 x 0.37 s, 8.0 M parameters, after principal components     12 min on two threads
#   semantic    1,400 steps of 64 scenes, 1.3 M parameters                                  7 min on one thread
#   sync        3,300 steps of 20 snippets of 0.667 s, 1.0 M parameters                    60 min on one thread
#   features    of the first 1,200 scenes                                                  24 core-minutes
#   generator   2,000 steps of 2,752 latents, 4.1 M parameters                             26 min on two threads
#
# The shipped weights were made by these presets on 2026-11-20 and 21, some beside other work: the minutes are upper bounds.
# Scores: docs/results.md.
# A part that was interrupted goes on with --resume.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-runs/salsa-v-gym}"
.venv/bin/openfoley train all --preset cpu --out "$out" --resume
