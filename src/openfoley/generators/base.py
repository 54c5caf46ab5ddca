"""What a generator is, and what is given to it when latents are sampled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from openfoley.flow.path import IsKnown, Latents, Rows
from openfoley.request import Defaults
from openfoley.types import Conditions

P = TypeVar("P")
E = TypeVar("E", bound="Extensible")


class Generator(Protocol[P]):
    """Predicts the velocity dx/dt of latents on their way from noise (t = 0) to data (t = 1).

    It never receives a file, a device choice or a codec. P: the record that `prepare` returns.
    """

    latent_dim: int
    window_latents: int  # the longest sequence of its training
    accepts_known: bool  # trained with clean latents in the sequence; False: `known` is always all False in velocity
    reads_whole_video: bool  # prepare reads `Conditions.whole`
    defaults: Defaults
    supported_options: frozenset[str]  # fields of `request.Sampling` that mean something here

    def prepare(self, conditions: Conditions, latents: int) -> P:
        """Everything that does not depend on x_t and t, computed once for a window."""
        ...

    def velocity(
        self, x_t: Latents, t: Rows, step: Rows, known: IsKnown, prepared: P
    ) -> Float[Tensor, "rows latents dim"]:
        """step: 0 for the instantaneous velocity. known: latents that are clean already, at t = 1. Returns like x_t. A
        generator that does not accept known latents is also given `prepared` of several branches, one after another
        along the batch, and then returns as many rows."""
        ...

    def trained_step(self, steps: int) -> float:
        """The step size that the model receives when `steps` steps are taken."""
        ...


@dataclass(frozen=True)
class WholeInput:
    """How a generator reads the whole video. stretch_s: as means over stretches of so many seconds of a shot. reach:
    sync features beyond each end of a window that it reads one by one (`types.NEAR`)."""

    stretch_s: Fraction
    reach: int


@runtime_checkable
class ReadsStretches(Protocol):
    """A generator that reads the whole video (`reads_whole_video`) in stretches; others read every feature."""

    whole_input: WholeInput


@dataclass(frozen=True)
class Places:
    """Where the rows of a frame-aligned condition lie, those of all sequences one after another: the sequence that owns
    a row, and the row's instant in s after the window's first latent."""

    owner: Int[Tensor, " rows"]
    time_s: Float[Tensor, " rows"]


class Extensible(Protocol):
    """Prepared conditions to which something can be added (`generators.adapters`)."""

    @property
    def places(self) -> Places: ...

    def plus(self: E, overall: Float[Tensor, "batch width"], rows: Float[Tensor, "rows width"]) -> E:
        """overall: added to the global condition; rows: to the frame-aligned one, at `places`."""
        ...


@dataclass(frozen=True)
class Branches:
    """The two ends of guidance. negatives: the conditions of each negative prompt."""

    conditions: Conditions
    negatives: Sequence[Conditions] = ()

    @property
    def against(self) -> Sequence[Conditions]:
        """The branch of each negative prompt, whose velocities are averaged; of none, the unconditional branch."""
        return self.negatives or [self.conditions.null()]


def latent_times(
    latents: int, hop_length: int, sample_rate: int, device: torch.device | str | None = None
) -> Float[Tensor, " {latents}"]:
    """Centres of a window's latents in s after its start; hop_length in samples, sample_rate in Hz."""
    index = torch.arange(latents, device=device, dtype=torch.float64)
    return ((index + 0.5) * hop_length / sample_rate).float()
