"""Sound of one number of channels for a codec or a file of another."""

from torch import Tensor


def fitted(samples: Tensor, channels: int) -> Tensor:
    """[any, n] -> [channels, n]: as it is, one channel spread to all, or the mean of all spread to all."""
    if samples.shape[0] == channels:
        return samples
    return samples.mean(0, keepdim=True).expand(channels, -1)
