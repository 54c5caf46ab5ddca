"""Resampling of token sequences at absolute times, as a matrix.

[target, source] weights turn features at source times into features at target times by one matrix product: cheap on
every device, its gradient another product (a gather's gradient is a scatter, slow on the CPU). Between the source
instants the weights are those of the kernel; before the first and after the last the edge value is held.
"""

import torch
from jaxtyping import Float
from torch import Tensor

CUBIC_A = -0.5  # Keys' kernel, third order exact; what jax.image's "cubic" uses (the paper's models are in JAX)


def fractional_index(
    source_time: Float[Tensor, "batch source"], target_time: Float[Tensor, "batch target"]
) -> Float[Tensor, "batch target"]:
    """Where the target times lie among the ascending source times, in source indices, clamped to 0 ... source - 1; the
    spacing may be irregular."""
    count = source_time.shape[1]
    if count == 1:
        return torch.zeros_like(target_time)
    source_time, target_time = source_time.contiguous(), target_time.contiguous()
    left = torch.searchsorted(source_time, target_time, right=True).sub(1).clamp(0, count - 2)
    start, end = source_time.gather(1, left), source_time.gather(1, left + 1)
    return left + ((target_time - start) / (end - start)).clamp(0.0, 1.0)


def linear_weights(index: Float[Tensor, "batch target"], count: int) -> Float[Tensor, "batch target {count}"]:
    """Weights of linear interpolation at fractional indices."""
    index = index.clamp(0.0, count - 1.0)
    left = index.floor()
    right_weight = index - left
    return _scatter(left, [0, 1], [1 - right_weight, right_weight], count)


def cubic_weights(index: Float[Tensor, "batch target"], count: int) -> Float[Tensor, "batch target {count}"]:
    """Weights of Keys' cubic convolution at fractional indices."""
    index = index.clamp(0.0, count - 1.0)
    left = index.floor()
    u = index - left
    near = [(CUBIC_A + 2) * x**3 - (CUBIC_A + 3) * x**2 + 1 for x in (u, 1 - u)]
    far = [CUBIC_A * (x**3 - 5 * x**2 + 8 * x - 4) for x in (1 + u, 2 - u)]
    return _scatter(left, [-1, 0, 1, 2], [far[0], near[0], near[1], far[1]], count)


def _scatter(left: Tensor, offsets: list[int], weights: list[Tensor], count: int) -> Tensor:
    matrix = torch.zeros(*left.shape, count, device=left.device, dtype=left.dtype)
    for offset, weight in zip(offsets, weights, strict=True):
        position = (left + offset).clamp(0, count - 1).long()
        matrix.scatter_add_(2, position[..., None], weight[..., None])
    return matrix
