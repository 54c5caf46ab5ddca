"""h_syn: what is added to the frame-aligned condition, c_f + h_syn(F_syn of the whole video) (arXiv 2508.11074).

The features lie around the window, one by one (`types.NEAR`); the result has one row for each, read at any instant by
`at_places`. Convolutions stay within the shot, as the encoders' streams do: a cut resets them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from openfoley.generators.adapters.attention import Distance, Gathering, attended
from openfoley.generators.adapters.config import AdapterConfig
from openfoley.generators.base import Places
from openfoley.nn.gated import GatedUnit, TimeConv
from openfoley.types import FeatureSequence


class Sliced(nn.Module):
    """Convolution, activation, gated unit of convolutions: MMAudio's sync projection again, over the whole sequence of
    a shot. A window needs `AdapterConfig.reach` features beyond its ends, and gets what the whole sequence gives."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.project = TimeConv(config.sync_dim, config.inner, config.kernel)
        self.unit = GatedUnit(config.inner, config.mlp_width, config.unit_kernel)
        self.out = widened(config, self.unit)

    def forward(
        self, near: FeatureSequence, whole: FeatureSequence, middle_s: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch n width"]:
        return self.out(self.unit(F.silu(self.project(shown(near)))))


class FromQueries(nn.Module):
    """Learned queries gather from the whole video's sync features; each frame attends to what they found."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        inner, self.heads = config.inner, config.heads
        self.norm = nn.LayerNorm(config.sync_dim)
        self.frames = nn.Linear(config.sync_dim, inner)
        self.tokens = nn.Linear(config.sync_dim, inner)
        self.distance = Distance(inner)
        self.gathering = Gathering(inner, config.queries, config.heads)
        self.asks, self.keys_values = nn.Linear(inner, inner), nn.Linear(inner, 2 * inner)
        self.unit = GatedUnit(inner, config.mlp_width, 1)
        self.out = widened(config, self.unit)

    def forward(
        self, near: FeatureSequence, whole: FeatureSequence, middle_s: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch n width"]:
        """Zeros where nothing of the whole video is present."""
        tokens = self.tokens(self.norm(shown(whole))) + self.distance(whole.time_s, middle_s)
        found = self.gathering(tokens, whole.present)
        frames = self.frames(self.norm(shown(near))) + self.distance(near.time_s, middle_s)
        keys, values = self.keys_values(found).chunk(2, -1)
        read = attended(self.asks(frames), keys, values, _all(found), self.heads)
        return self.out(self.unit(frames + read)) * whole.present.any(1)[:, None, None]


def widened(config: AdapterConfig, unit: GatedUnit) -> nn.Module:
    """From the adapter's width to the generator's; the last layer starts at zero, so that nothing is added."""
    if config.inner == config.width:
        assert isinstance(unit.contract, (nn.Linear, TimeConv))
        nn.init.zeros_(unit.contract.weight)
        return nn.Identity()
    out = nn.Linear(config.inner, config.width, bias=False)
    nn.init.zeros_(out.weight)
    return out


def shown(sequence: FeatureSequence) -> Float[Tensor, "batch n dim"]:
    """Zeros where nothing is present."""
    return torch.where(sequence.present[..., None], sequence.values, 0.0)


def at_places(
    rows: Float[Tensor, "batch n width"], sequence: FeatureSequence, places: Places
) -> Float[Tensor, "places width"]:
    """`rows`, which belong to the features of `sequence`, read linearly at places; zeros where the nearest feature is
    absent. The times of a sequence are evenly spaced."""
    count, owner = rows.shape[1], places.owner
    if count == 0:
        return rows.new_zeros(len(owner), rows.shape[2])
    first, last = sequence.time_s[:, 0], sequence.time_s[:, -1]
    period = ((last - first) / max(1, count - 1)).clamp(min=torch.finfo(torch.float32).tiny)
    index = ((places.time_s - first[owner]) / period[owner]).clamp(0, count - 1)
    left = index.floor().long()
    right = (left + 1).clamp(max=count - 1)
    share = (index - left).to(rows.dtype)[:, None]
    read = rows[owner, left] * (1 - share) + rows[owner, right] * share
    return read * sequence.present[owner, index.round().long()][:, None]


def _all(tokens: Float[Tensor, "batch n width"]) -> Bool[Tensor, "batch n"]:
    return torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
