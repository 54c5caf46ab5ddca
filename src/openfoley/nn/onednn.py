"""Keep oneDNN, which computes torch's layers on a CPU, from the matrix tiles (AMX) of Intel processors.

With torch 2.13 on an Intel processor with AMX, a training of the codec in bfloat16 begins at a loss of 3.33 where every
other instruction set gives 7.61, and diverges (docs/log.md, X10).
"""

import os

SETTING, LARGEST = "ONEDNN_MAX_CPU_ISA", "AVX512_CORE_FP16"  # the largest instruction set without AMX


def without_amx() -> None:
    """Process-wide, and of the processes that it starts; to be called before the first layer runs. A user's own setting
    stays."""
    os.environ.setdefault(SETTING, LARGEST)
