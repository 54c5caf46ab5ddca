"""Whether a model fits into memory, checked before it is read."""

from __future__ import annotations

from pathlib import Path

import torch

from openfoley.errors import WeightsError

WORKING_BYTES = 1_500_000_000  # beside the weights: activations of one window, Python, libraries
MEMORY_TABLE = Path("/proc/meminfo")


def available_bytes(device: torch.device) -> int | None:
    """Free memory of the device; None if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu" or not MEMORY_TABLE.is_file():
        return None
    for line in MEMORY_TABLE.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    return None


def needed_bytes(weights_bytes: int) -> int:
    """Memory that a model needs to run, with weights of this size in float32."""
    return weights_bytes + WORKING_BYTES


def fits(count: int, device: torch.device) -> bool:
    """Whether so many bytes are free beside what a window needs; False if unknown."""
    free = available_bytes(device)
    return free is not None and free >= count + WORKING_BYTES


def check_memory(name: str, weights_bytes: int, device: torch.device) -> None:
    """WeightsError if weights of this size, in float32, do not fit."""
    free, needed = available_bytes(device), needed_bytes(weights_bytes)
    if free is not None and free < needed:
        raise WeightsError(
            f"{name} needs about {needed / 1e9:.1f} GB of memory on {device}, {free / 1e9:.1f} GB are free; "
            "close other programs, or choose a smaller model (openfoley models)"
        )
