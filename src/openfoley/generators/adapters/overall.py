"""h_global: what is added to the global condition, c_g + h_global(pictures and text of the whole video)
(arXiv 2508.11074).

The paper averages; a mean does not distinguish a video that changes in its middle from one that does not. Ours gathers
with learned queries, from pictures and sync features, each at its distance from the window.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from openfoley.generators.adapters.attention import Distance, Gathering
from openfoley.generators.adapters.config import AdapterConfig
from openfoley.generators.adapters.frame import shown, widened
from openfoley.nn.gated import GatedUnit
from openfoley.types import SHOTS, TEXT, Conditions, FeatureSequence


class Branch(nn.Module):
    """Linear, activation, gated unit: one vector to the global condition."""

    def __init__(self, inputs: int, config: AdapterConfig) -> None:
        super().__init__()
        self.project = nn.Linear(inputs, config.inner)
        self.unit = GatedUnit(config.inner, config.mlp_width, 1)
        self.out = widened(config, self.unit)

    def forward(self, x: Float[Tensor, "batch inputs"]) -> Float[Tensor, "batch width"]:
        return self.out(self.unit(F.silu(self.project(x))))


class Mean(nn.Module):
    """The means of picture and text features, each through a branch (the paper)."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.source = "semantic" if config.semantic_dim else "sync"
        self.pictures = Branch(config.semantic_dim or config.sync_dim, config)
        self.text = Branch(config.text_dim, config)

    def forward(self, conditions: Conditions, middle_s: Float[Tensor, " batch"]) -> Float[Tensor, "batch width"]:
        pictures, text = conditions.whole[self.source], conditions[TEXT]
        seen, said = (one.present.any(1)[:, None] for one in (pictures, text))
        return self.pictures(mean(pictures)) * seen + self.text(mean(text)) * said


class Gathered(nn.Module):
    """What learned queries gather from the whole video and, `by_shot`, from the window's shot, with a gate for each
    channel."""

    def __init__(self, config: AdapterConfig, *, by_shot: bool) -> None:
        super().__init__()
        inner = config.inner
        dims = {"semantic": config.semantic_dim, "sync": config.sync_dim}
        self.norms = nn.ModuleDict({name: nn.LayerNorm(dim) for name, dim in dims.items() if dim})
        self.tokens = nn.ModuleDict({name: nn.Linear(dim, inner) for name, dim in dims.items() if dim})
        self.distance = Distance(inner)
        self.gathering = Gathering(inner, config.queries, config.heads)
        self.found = nn.Linear(config.queries * inner, inner)
        self.gate = nn.Linear(2 * inner, inner) if by_shot else None
        self.text_norm, self.text = nn.LayerNorm(config.text_dim), nn.Linear(config.text_dim, inner)
        self.unit = GatedUnit(inner, config.mlp_width, 1)
        self.out = widened(config, self.unit)

    def forward(self, conditions: Conditions, middle_s: Float[Tensor, " batch"]) -> Float[Tensor, "batch width"]:
        whole, text = conditions.whole, conditions[TEXT]
        parts = [
            layer(self.norms[name](shown(whole[name]))) + self.distance(whole[name].time_s, middle_s)
            for name, layer in self.tokens.items()
        ]
        tokens = torch.cat(parts, 1)
        present = torch.cat([whole[name].present for name in self.tokens], 1)
        found = self._found(tokens, present)
        if self.gate is not None:
            shots = whole[SHOTS]
            same = torch.cat([in_same_shot(whole[name].time_s, middle_s, shots) for name in self.tokens], 1)
            shot = self._found(tokens, present & same)
            gate = self.gate(torch.cat([shot, found], -1)).sigmoid()
            found = gate * shot + (1 - gate) * found
        said = self.text(self.text_norm(mean(text))) * text.present.any(1)[:, None]
        return self.out(self.unit(found + said))

    def _found(
        self, tokens: Float[Tensor, "batch n inner"], present: Bool[Tensor, "batch n"]
    ) -> Float[Tensor, "batch inner"]:
        return self.found(self.gathering(tokens, present).flatten(1))


def mean(sequence: FeatureSequence) -> Float[Tensor, "batch dim"]:
    """Over what is present; zeros where nothing is."""
    return shown(sequence).sum(1) / sequence.present.sum(1).clamp(min=1)[:, None]


def in_same_shot(
    time_s: Float[Tensor, "batch n"], middle_s: Float[Tensor, " batch"], shots: FeatureSequence
) -> Bool[Tensor, "batch n"]:
    """Which instants lie in the shot that the window's middle lies in. Shots that are not present do not begin."""
    starts = torch.where(shots.present, shots.time_s, torch.inf)

    def number(instants: Tensor) -> Tensor:
        return (starts[:, None] <= instants[..., None]).sum(-1)

    return number(time_s) == number(middle_s[:, None])
