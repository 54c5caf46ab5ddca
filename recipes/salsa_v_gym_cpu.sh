#!/usr/bin/env bash
# The shipped model salsa-v-gym, from nothing, on 2 CPU cores with AVX512-BF16: the preset `cpu-long`.
#
#   scenes      4,400 training and 64 validation scenes of 8 s, stills of 16,000 more     13 min on two cores
#   codec       1,800 steps of 8 x 0.37 s, 8.0 M parameters, after principal components    13 min on one core
#   semantic    4,500 steps of 64 stills, 1.4 M parameters                                 14 min on one core
#   sync        5,500 steps of 20 snippets of 0.667 s, 1.2 M parameters                    67 min on one core
#   features    of these 2,800 scenes and of 1,600 that no encoder was trained on          14 min on two cores
#   generator   8,000 steps of 2,752 latents, 4.1 M parameters                             53 min on two shared cores
#
# The preset `cpu` (first argument after the folder) has 3,000 generator steps, 17 min, and no other difference.
# The shipped parts were made by these presets on 2026-11-24, the generator on 2026-11-25, parts beside one another on the
# two cores (sync: its first 2,674 steps under a preset of 6,500; docs/log.md). Scores: docs/results.md. A part that was
# interrupted goes on with --resume.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-runs/salsa-v-gym}"
preset="${2:-cpu-long}"
.venv/bin/openfoley train all --preset "$preset" --out "$out" --resume
