#!/usr/bin/env bash
# Trains a model salsa-v-gym from scratch on 2 CPU cores with AVX512-BF16: the preset `cpu-long`.
#
#   scenes      9,200 training (62 GB) and 128 validation scenes of 8 s, a third bodies    44 min on two cores
#   stills      of 36,000 more, a third bodies                                            39 min on two cores
#   codec       1,800 steps of 8 x 0.37 s, 8.0 M parameters, after principal components   13 min on one core
#   semantic    11,000 steps of 64 stills, 1.4 M parameters                               49 min on one shared core
#   sync        11,500 steps of 20 snippets of 0.667 s from 6,000 of the scenes, 1.9 M parameters, 0.7 M of them
#               the semantic encoder's                                                   3.3 h on one shared core
#   features    of these 6,000 scenes and of 3,200 that no encoder was trained on         33 min on two cores
#   generator   8,000 steps of 2,752 latents, 4.1 M parameters                            53 min on two shared cores
#
# Solid bodies need the extra gym: pip install 'openfoley[gym]'.
# (Times of scenes, stills, features and sync encoder are scaled from shorter runs.) The preset `cpu` (first argument after the folder) renders 3,600 scenes
# and stills of 16,000, and takes 3,000 semantic, 2,800 sync and 1,500 generator steps: 95 minutes in one go (docs/results.md)
# with flat scenes alone, some 107 with a fifth of bodies (scaled).
#
# Of the shipped model the codec was made by `cpu` and the semantic encoder by `cpu-long`, sync encoder and generator by salsa_v_gym_gpu.py, the generator then by salsa_v_gym_tune.py,
# and both again on both worlds by salsa_v_gym_sync.py and salsa_v_gym_tune.py (docs/results/training.md).
# Trained on a CPU in parts (docs/log.md, 2026-11-24 to 26) these two gave F1 0.81 on validation scenes; those of the GPU 0.88.
# Scores: docs/results.md. An interrupted part resumes with --resume.
set -euo pipefail
cd "$(dirname "$0")/.."
out="${1:-runs/salsa-v-gym}"
preset="${2:-cpu-long}"
.venv/bin/openfoley train all --preset "$preset" --out "$out" --resume
