"""While it learns, the generator is asked what it is about to sound: the material of the event at each latent.

Beyond the paper, in place of the pretrained encoders that it has and the Gym has not. The flow loss hears a material
only as the small part of a spectrum's error that no noise hides, and from a few thousand scenes the generator does not
find out where its conditions tell it: with the true material in its conditions it was right in 0.67 of the events after
500 steps, with the encoders' features in 0.25, though a small probe finds 0.6 in these (docs/log.md, 2026-11-25). Asked
to name it, in the stream of the latents behind the last joint block, it has to read it from picture and text.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from openfoley.data.sounding import CLASSES, UNTOLD

NOTHING_WEIGHT = 0.2  # most latents hold nothing


class NamingHead(nn.Module):
    """Reads the latents' stream of a generator with a list `joint` of blocks; for training only."""

    def __init__(self, generator: nn.Module, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, CLASSES))
        weight = torch.ones(CLASSES)
        weight[0] = NOTHING_WEIGHT
        self.register_buffer("weight", weight, persistent=False)
        self._stream: Tensor | None = None
        cast(nn.ModuleList, generator.joint)[-1].register_forward_hook(self._keep)

    def _keep(self, _block: nn.Module, _heard: Any, streams: tuple[Tensor, ...]) -> None:
        self._stream = streams[0]

    def logits(self) -> Tensor:
        """[batch, latents, CLASSES] of the generator's last pass."""
        if self._stream is None:
            raise RuntimeError("the generator has not been asked for a velocity yet")
        logits, self._stream = self.layers(self._stream).float(), None
        return logits

    def loss(self, sounding: Tensor) -> Tensor:
        """Cross entropy in nats of the generator's last pass, for int [batch, latents] of `data.sounding`."""
        logits = self.logits()
        weight = cast(Tensor, self.weight)
        summed = F.cross_entropy(logits.flatten(0, 1), sounding.flatten(), weight, ignore_index=UNTOLD, reduction="sum")
        asked = weight[sounding.clamp(min=0)] * (sounding != UNTOLD)
        return summed / asked.sum().clamp(min=NOTHING_WEIGHT)
