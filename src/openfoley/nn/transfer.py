"""From the processor's memory to a GPU's without standing still."""

import torch
from torch import Tensor


def sent(tensor: Tensor, device: torch.device | str) -> Tensor:
    """A tensor of the CPU on the device. On a GPU the copy waits in its queue, not the process: an ordinary one would
    stand still until all work asked for before is done."""
    if torch.device(device).type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
