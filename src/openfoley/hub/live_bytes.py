"""Memory of a computation without doing it: on tensors of the meta device, which have shapes and no values.

Every tensor that an operation returns counts from then until its storage is freed, so that the peak is what an
allocator without reserve would need beside what was there before. Attention counts as torch's fused kernels, which keep
queries, keys, values and the result, and no matrix of scores (on the meta device torch would take the plain ones).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter

ONE_COUNT = threading.Lock()
"""Of computations whose attention is replaced."""


def peak_bytes(compute: Callable[[], Any]) -> int:
    """Of new meta tensors while `compute` runs, all alive at once."""
    with fused_attention(), LiveBytes() as live:
        compute()
    return live.peak


class LiveBytes(TorchDispatchMode):
    """now, peak: bytes of storages that operations made inside the block."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        given = {storage._cdata for storage in _storages((args, kwargs))}
        made = func(*args, **(kwargs or {}))
        for storage in _storages(made):
            if storage._cdata not in given:  # a view of a weight is nothing new
                self._count(storage)
        return made

    def _count(self, storage: torch.UntypedStorage) -> None:
        key = storage._cdata
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._free, key)

    def _free(self, key: int) -> None:
        self.now -= self._sizes.pop(key)


def _storages(values: Any) -> list[torch.UntypedStorage]:
    return [each.untyped_storage() for each in tree_iter(values) if isinstance(each, Tensor) and each.is_meta]


@contextmanager
def fused_attention() -> Iterator[None]:
    """Attention by its shapes alone, for every caller in this process, while the block runs. (A TorchFunctionMode would
    be narrower, but is not in force where checkpoints compute anew.)"""

    def fused(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, *_: Any, **__: Any) -> Tensor:
        if not query.is_meta:
            return plain(query, key, value, attn_mask, *_, **__)
        return _Fused.apply(query, key, value, attn_mask)

    with ONE_COUNT:
        plain = F.scaled_dot_product_attention
        with patch.object(F, "scaled_dot_product_attention", fused):
            yield


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        result = query.new_empty(*query.shape[:-1], value.shape[-1])
        ctx.save_for_backward(query, key, value, mask, result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        query, key, value, mask, _ = ctx.saved_tensors
        of_mask = torch.empty_like(mask) if mask is not None and mask.requires_grad else None
        return *(torch.empty_like(x) for x in (query, key, value)), of_mask
