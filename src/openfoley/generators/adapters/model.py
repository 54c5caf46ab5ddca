"""Both adapters, and a frozen generator with them: any whose prepared conditions can be added to.

    c_f' = c_f + h_syn(sync features of the whole video)
    c_g' = c_g + h_global(pictures and text of the whole video)          (arXiv 2508.11074)

Nothing is added where nothing of the whole video is present: the unconditional branch of guidance is the base's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from openfoley.flow.path import IsKnown, Latents, Rows
from openfoley.generators.adapters.config import AdapterConfig
from openfoley.generators.adapters.frame import FromQueries, Sliced, at_places
from openfoley.generators.adapters.overall import Gathered, Mean
from openfoley.generators.base import Extensible, Generator, Places, WholeInput
from openfoley.types import NEAR, Conditions


class Adapters(nn.Module):
    """h_syn and h_global; either may be missing."""

    def __init__(self, config: AdapterConfig) -> None:
        super().__init__()
        self.config = config
        frame = {"none": None, "sliced": Sliced, "queries": FromQueries}[config.frame]
        self.frame = None if frame is None else frame(config)
        if config.overall == "none":
            self.overall = None
        else:
            is_mean = config.overall == "mean"
            self.overall = Mean(config) if is_mean else Gathered(config, by_shot=config.overall == "shots")

    def forward(
        self, conditions: Conditions, places: Places, middle_s: Float[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch width"], Float[Tensor, "rows width"]]:
        """What is added to the global condition, and to the frame-aligned one at `places`. middle_s: of the window, s
        after its first latent."""
        whole, width = conditions.whole, self.config.width
        has_context = torch.stack(
            [one.present.any(1) for name, one in whole.items() if name in conditions.features]
        ).any(0)
        overall = middle_s.new_zeros(len(middle_s), width)
        rows = middle_s.new_zeros(len(places.owner), width)
        if self.overall is not None:
            overall = self.overall(conditions, middle_s) * has_context[:, None]
        if self.frame is not None:
            near = whole[NEAR]
            rows = at_places(self.frame(near, whole["sync"], middle_s), near, places)
        return overall, rows


class AdaptedGenerator(nn.Module):
    """A generator whose `prepare` also reads the whole video. The base is not changed and not trained."""

    reads_whole_video = True

    def __init__(self, base: nn.Module, adapters: Adapters) -> None:
        super().__init__()
        self.base, self.adapters = base, adapters
        generator = cast(Generator[Any], base)
        self.latent_dim, self.window_latents = generator.latent_dim, generator.window_latents
        self.accepts_known, self.defaults = generator.accepts_known, generator.defaults
        self.supported_options = generator.supported_options
        self.config: Any = base.config
        self.whole_input = WholeInput(adapters.config.stretch_s, adapters.config.reach)

    def trained_step(self, steps: int) -> float:
        return cast(Generator[Any], self.base).trained_step(steps)

    def prepare(self, conditions: Conditions, latents: int) -> Extensible:
        """The base's, with what the adapters add."""
        prepared = cast(Generator[Extensible], self.base).prepare(replace(conditions, whole={}), latents)
        if not any(bool(one.present.any()) for one in conditions.whole.values()):
            return prepared
        config = self.config
        middle = latents / 2 * config.hop_length / config.sample_rate
        middle_s = torch.full((conditions.batch,), middle, device=conditions.device)
        return prepared.plus(*self.adapters(conditions, prepared.places, middle_s))

    def velocity(
        self, x_t: Latents, t: Rows, step: Rows, known: IsKnown, prepared: Extensible
    ) -> Float[Tensor, "rows latents dim"]:
        """The base's."""
        return cast(Generator[Extensible], self.base).velocity(x_t, t, step, known, prepared)

    def forward(self, x_t: Latents, t: Rows, step: Rows, known: IsKnown, conditions: Conditions) -> Latents:
        """As `velocity`, of conditions that are used once, as in training."""
        return self.velocity(x_t, t, step, known, self.prepare(conditions, x_t.shape[1]))


def added_parameters(config: AdapterConfig) -> int:
    """Parameters of the adapters."""
    with torch.device("meta"):
        return sum(one.numel() for one in Adapters(config).parameters())
