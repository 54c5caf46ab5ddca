#!/usr/bin/env bash
# The shipped model salsa-v-gym, from nothing, on 2 CPU cores with AVX512-BF16: the preset `cpu-long`.
#
#   scenes      6,000 training and 64 validation scenes of 8 s                            17 min on two cores
#   stills      of 36,000 more                                                            11 min on two cores
#   codec       1,800 steps of 8 x 0.37 s, 8.0 M parameters, after principal components   13 min on one core
#   semantic    11,000 steps of 64 stills, 1.4 M parameters                               49 min on one shared core
#   sync        5,500 steps of 20 snippets of 0.667 s, 1.2 M parameters                   67 min on one core
#   features    of these 2,800 scenes and of 3,200 that no encoder was trained on         20 min on two cores
#   generator   8,000 steps of 2,752 latents, 4.1 M parameters                            53 min on two shared cores
#
# (Times of scenes and features are scaled from 4,464 scenes.) The preset `cpu` (first argument after the folder) has 3,000 generator steps, 1,600 scenes for it, 4,500 semantic steps
# and stills of 16,000 scenes, and no other difference.
#
# The shipped parts were not made in one go (docs/log.md, 2026-11-24 and 25): codec and sync encoder by `cpu`, sync's first
# 2,674 steps under a preset of 6,500; the semantic encoder by `cpu-long`; the generator in 8,000 steps on the features of
# the semantic encoder before (1,600 scenes of its own and the 2,800 others, without the naming loss), then
#
#   openfoley train generator --preset cpu-long --start salsa-v-gym --steps 2000 --out DIR
#
# (salsa-v-gym as it was shipped then) on the features of the present one. Scores: docs/results.md. A part that was interrupted goes on with --resume.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-runs/salsa-v-gym}"
preset="${2:-cpu-long}"
.venv/bin/openfoley train all --preset "$preset" --out "$out" --resume
