"""Whether a model fits into memory, checked before it is read; and weights that stay in their files.

Weights mapped from a file count as memory of the process once they are read. The system may drop such pages and read
them again, but only does so when memory is short. `release_after_use` releases the pages of a layer when the layer has
been computed: of an encoder, little more than one layer is resident at a time. Measured for CLIP (3.9 GB) and
Synchformer in docs/results/mmaudio.md.
"""

from __future__ import annotations

import ctypes
import mmap
from bisect import bisect_right
from collections import UserDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch
from torch import Tensor, nn

from openfoley.errors import WeightsError
from openfoley.hub.cards.base import Card

MEMORY_TABLE = Path("/proc/meminfo")
MAPPINGS = Path("/proc/self/maps")


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


def fits(count: int, device: torch.device) -> bool:
    """Whether so many bytes are free; False if unknown."""
    free = available_bytes(device)
    return free is not None and free >= count


def check_memory(card: Card, device: torch.device) -> None:
    """WeightsError if the model, in float32, does not fit."""
    needed = card.memory_bytes + (card.encoder_bytes if device.type != "cpu" else 0)
    check_fits(card.name, needed, device, "close other programs, or choose a smaller model (openfoley models)")


def check_fits(name: str, needed: int, device: torch.device, advice: str) -> None:
    """WeightsError if so many bytes are not free."""
    free = available_bytes(device)
    if free is not None and free < needed:
        raise WeightsError(
            f"{name} needs about {needed / 1e9:.1f} GB of memory on {device}, {free / 1e9:.1f} GB are free; {advice}"
        )


@dataclass(frozen=True)
class FilePages:
    """The memory pages of a tensor that is mapped from a file; `tensor` keeps the mapping alive."""

    tensor: Tensor
    version: int
    start: int
    length: int

    @classmethod
    def of(cls, tensor: Tensor, mappings: Sequence[tuple[int, int]]) -> FilePages | None:
        """None for a tensor that is not mapped. mappings: `file_mappings` of a time at which the tensor existed."""
        if tensor.device.type != "cpu" or tensor.is_inference() or not tensor.is_contiguous() or not tensor.numel():
            return None
        start, end = tensor.data_ptr(), tensor.data_ptr() + tensor.numel() * tensor.element_size()
        before = bisect_right(mappings, start, key=lambda mapping: mapping[0]) - 1
        if before < 0 or end > mappings[before][1]:
            return None
        start, end = start + -start % mmap.PAGESIZE, end - end % mmap.PAGESIZE  # those that hold nothing else
        return cls(tensor.detach(), tensor._version, start, end - start) if end > start else None

    def release(self) -> None:
        """The next use reads the pages again from the system's file cache. A tensor changed in place is kept."""
        if self.tensor._version == self.version:
            _c_library().madvise(ctypes.c_void_p(self.start), ctypes.c_size_t(self.length), mmap.MADV_DONTNEED)


@cache
def _c_library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def file_mappings() -> list[tuple[int, int]]:
    """Address ranges (first, end) of private file mappings of this process, ascending. Empty except on Linux."""
    found = []
    for line in MAPPINGS.read_text().splitlines() if MAPPINGS.is_file() else ():
        addresses, rights, _, _, inode = line.split(maxsplit=5)[:5]
        if rights.endswith("p") and inode != "0":
            first, end = addresses.split("-")
            found.append((int(first, 16), int(end, 16)))
    return found


def released(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The items of a state; the pages of one are released before the next is read."""
    mappings = file_mappings()
    for key, value in state.items():
        yield key, value
        if (pages := FilePages.of(value, mappings)) is not None:
            pages.release()


class Released(UserDict[str, Tensor]):
    """A state that is read with the items of `released`."""

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in released(self.data))


def release_after_use(module: nn.Module) -> None:
    """Each layer of the module releases its mapped weights after each call."""
    mappings = file_mappings()
    for layer in module.modules():
        found = [FilePages.of(value, mappings) for value in layer.parameters(recurse=False)]
        if pages := [each for each in found if each is not None]:
            layer.register_forward_hook(partial(_release, pages))


def _release(pages: Sequence[FilePages], *_: object) -> None:
    for each in pages:
        each.release()
