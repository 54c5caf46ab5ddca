"""What a process sets up before it computes networks on CPU cores. For its owner to call: the command line, a worker, a
recipe, a benchmark; never on import."""

from openfoley.nn.memory import keep_freed_memory
from openfoley.nn.onednn import without_amx


def prepare_process() -> None:
    keep_freed_memory()
    without_amx()
