"""From the processor's memory to a GPU's without standing still."""

import torch
from jaxtyping import Shaped
from torch import Tensor


def sent(tensor: Shaped[Tensor, "*axes"], device: torch.device | str) -> Shaped[Tensor, "*axes"]:
    """A tensor of the CPU on the device. On a GPU the copy waits in its queue, not the process: an ordinary one would
    wait until all earlier work is done."""
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
