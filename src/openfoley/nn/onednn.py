"""Keep oneDNN, which computes torch's layers on a CPU, from the matrix tiles (AMX) of Intel processors.

With torch 2.13 and AMX, a one-dimensional convolution in bfloat16 with stride 8 and up to 8 input channels gives values
that have nothing to do with the right ones (relative error 1.0; `python benchmarks/onednn_bfloat16.py`, docs/log.md,
X10). The waveform codec has two of them.
"""

import os

SETTING, LARGEST = "ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16"  # the largest instruction set without AMX


def without_amx() -> None:
    """Process-wide, and of the processes that it starts; to be called before the first layer runs. A user's own setting
    stays."""
    os.environ.setdefault(SETTING, LARGEST)
