"""An auxiliary loss while the generator trains: predict the material of the event at each latent.

Beyond the paper, in place of the pretrained encoders that it has and the Gym has not. A material is only a small part
of the flow loss, under the noise, and from a few thousand scenes the generator does not find out where its conditions
show it: with the true material in its conditions it was right in 0.67 of the events after 500 steps, with the encoders'
features in 0.25, though a linear probe finds 0.6 in these (docs/log.md, 2026-11-25). With this loss, on the stream of
the latents after the last joint block, it learns to read the material from picture and text.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from openfoley.data.event_labels import CLASSES, UNLABELLED

NOTHING_WEIGHT = 0.2  # most latents hold nothing


class MaterialHead(nn.Module):
    """Reads the latents' stream of a generator with a list `joint` of blocks; for training only."""

    def __init__(self, generator: nn.Module, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, CLASSES))
        weight = torch.ones(CLASSES)
        weight[0] = NOTHING_WEIGHT
        self.register_buffer("weight", weight, persistent=False)
        self._stream: Tensor | None = None
        cast(nn.ModuleList, generator.joint)[-1].register_forward_hook(self._keep)

    def _keep(self, _block: nn.Module, _inputs: Any, streams: tuple[Tensor, ...]) -> None:
        self._stream = streams[0]

    def logits(self) -> Float[Tensor, "batch latents classes"]:
        """Of the generator's last pass."""
        if self._stream is None:
            raise RuntimeError("the generator has made no pass yet")
        logits, self._stream = self.layers(self._stream).float(), None
        return logits

    def loss(self, labels: Int[Tensor, "batch latents"]) -> Float[Tensor, ""]:
        """Cross entropy in nats of the generator's last pass, for `data.event_labels`."""
        logits = self.logits()
        weight = cast(Tensor, self.weight)
        summed = F.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), weight, ignore_index=UNLABELLED, reduction="sum"
        )
        counted = weight[labels.clamp(min=0)] * (labels != UNLABELLED)
        return summed / counted.sum().clamp(min=NOTHING_WEIGHT)
