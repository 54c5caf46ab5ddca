"""What a generator is, and what is given to it when latents are sampled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from openfoley.request import Defaults
from openfoley.types import Conditions


class Generator(Protocol):
    """Predicts the velocity dx/dt of latents on their way from noise (t = 0) to data (t = 1).

    It never receives a file, a device choice or a codec. What `prepare` returns is a record of its own.
    """

    latent_dim: int
    window_latents: int  # the longest sequence of its training
    accepts_known: bool  # trained with clean latents in the sequence; False: `known` is always all False in velocity
    reads_whole_video: bool  # prepare reads `Conditions.whole`
    defaults: Defaults
    supported_options: frozenset[str]  # fields of `request.Sampling` that mean something here

    def prepare(self, conditions: Conditions, latents: int) -> Any:
        """Everything that does not depend on x_t and t, computed once for a window."""
        ...

    def velocity(self, x_t: Tensor, t: Tensor, step: Tensor, known: Tensor, prepared: Any) -> Tensor:
        """x_t [batch, latents, latent_dim]; t [batch] or [batch, latents]; step [batch], 0 for the instantaneous
        velocity; known bool [batch, latents], latents that are clean already. Returns like x_t. A generator that does
        not accept known latents is also given `prepared` of several branches, one after another along the batch, and
        then returns as many rows."""
        ...

    def trained_step(self, steps: int) -> float:
        """The step size that the model receives when `steps` steps are taken."""
        ...


@dataclass(frozen=True)
class Branches:
    """The two ends of guidance. against: the unconditional branch, with the negative prompt where there is one."""

    conditions: Conditions
    against: Conditions
    has_negative: bool
