"""Memory of a computation without doing it: on tensors of the meta device, which have shapes and no values.

Every tensor that an operation returns counts from then until its storage is freed, so that the peak is what an
allocator without reserve would need beside what was there before. Attention counts as torch's fused kernels, which keep
queries, keys, values and the result, and no matrix of scores (on the meta device torch would take the plain ones).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


def peak_bytes(compute: Callable[[], Any]) -> int:
    """Of new meta tensors while `compute` runs, all alive at once."""
    with FusedAttention(), LiveBytes() as live:
        compute()
    return live.peak


class LiveBytes(TorchDispatchMode):
    """now, peak: bytes of storages that operations made inside the block."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for value in tree_iter(made):
            if isinstance(value, Tensor) and value.is_meta:
                self._count(value.untyped_storage())
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


class FusedAttention(TorchFunctionMode):
    """Attention by its shapes alone."""

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        if func is F.scaled_dot_product_attention:
            given = dict(zip(("query", "key", "value", "attn_mask"), args, strict=False)) | (kwargs or {})
            return _Fused.apply(given["query"], given["key"], given["value"], given.get("attn_mask"))
        if func is Tensor.backward:  # what checkpoints compute anew on the way back, too
            with self:
                return torch.autograd.backward(*args, **(kwargs or {}))
        return func(*args, **(kwargs or {}))


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
        result = query.new_empty(*query.shape[:-1], value.shape[-1])
        ctx.save_for_backward(query, key, value, mask, result)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        query, key, value, mask, _ = ctx.saved_tensors
        wanted = mask is not None and mask.requires_grad
        return *(torch.empty_like(x) for x in (query, key, value)), torch.empty_like(mask) if wanted else None
