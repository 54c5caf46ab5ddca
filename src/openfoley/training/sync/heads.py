"""Auxiliary heads of the sync encoder's training, beyond the paper: onsets, places and materials (see `sync.train`)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from openfoley.data.onsets import STEPS_PER_FRAME, TARGETS
from openfoley.data.seen_events import NO_MATERIAL

PLACE_POSITIVE_WEIGHT = 10.0  # events fill one cell in 500
RARE = -4.0  # logit: onsets fill about 2 % of the targets


class OnsetHead(nn.Module):
    """Frame features -> logits of `data.onsets.onset_targets`."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        last = nn.Linear(dim, STEPS_PER_FRAME * TARGETS)
        nn.init.constant_(last.bias, RARE)
        self.layers = nn.Sequential(nn.Linear(dim, dim), nn.GELU(), last)

    def forward(self, features: Float[Tensor, "*frames dim"]) -> Float[Tensor, "*frames steps targets"]:
        return self.layers(features).unflatten(-1, (STEPS_PER_FRAME, TARGETS))


class PlaceHead(nn.Module):
    """Patch tokens -> logit that an event is visible there now."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 1))
        nn.init.constant_(self.layers[1].bias, RARE)  # type: ignore[arg-type]

    def forward(self, tokens: Float[Tensor, "*frames patches dim"]) -> Float[Tensor, "*frames patches"]:
        return self.layers(tokens).squeeze(-1)


class MaterialHeads(nn.Module):
    """Patch tokens and frame features -> logits of the material that sounds there."""

    def __init__(self, dim: int, materials: int) -> None:
        super().__init__()
        self.of_patch = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, materials))
        self.of_frame = nn.Linear(dim, materials)

    def loss(
        self,
        tokens: Float[Tensor, "snippets frames patches dim"],
        features: Float[Tensor, "snippets frames dim"],
        places: Float[Tensor, "snippets frames patches"],
        materials: Int[Tensor, "snippets frames patches"],
    ) -> Float[Tensor, ""]:
        """Cross entropy in nats, each event as much as it falls on the frame; a frame with several events has the
        material of the nearest."""
        weight = places * (materials != NO_MATERIAL)
        named = materials.clamp(min=0)
        patch = F.cross_entropy(self.of_patch(tokens).float().flatten(0, -2), named.flatten(), reduction="none")
        nearest = weight.argmax(-1, keepdim=True)
        of_frame = self.of_frame(features).float().flatten(0, -2)
        frame = F.cross_entropy(of_frame, named.gather(-1, nearest).flatten(), reduction="none")
        share, largest = weight.flatten(), weight.gather(-1, nearest).flatten()
        total = share.sum().clamp(min=1.0)
        return (patch * share).sum() / total + (frame * largest).sum() / total


class Heads(nn.Module):
    """What only the training needs."""

    def __init__(self, dim: int, materials: int) -> None:
        super().__init__()
        self.onset = OnsetHead(dim)
        self.place = PlaceHead(dim)
        self.material = MaterialHeads(dim, materials)


def onset_loss(
    logits: Float[Tensor, "snippets frames steps targets"], targets: Float[Tensor, "snippets frames steps targets"]
) -> Float[Tensor, ""]:
    """Cross entropy in nats per frame, less its smallest possible value (the entropy of the targets): 0 is perfect."""
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none") - _entropy(targets)
    return loss.flatten(2).sum(-1).mean()


def place_loss(
    logits: Float[Tensor, "snippets frames patches"], targets: Float[Tensor, "snippets frames patches"]
) -> Float[Tensor, ""]:
    """Weighted cross entropy per frame, summed over the patches."""
    weight = 1 + (PLACE_POSITIVE_WEIGHT - 1) * targets
    return F.binary_cross_entropy_with_logits(logits, targets, weight=weight, reduction="none").sum(-1).mean()


def _entropy(targets: Tensor) -> Tensor:
    return -(torch.xlogy(targets, targets) + torch.xlogy(1 - targets, 1 - targets))
