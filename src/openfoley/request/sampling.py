"""How latents are sampled: steps, guidance weights, temperature, solver, seed."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace

from openfoley.checks import Kind, Number, flag
from openfoley.flow.settings import Replacement, Solver
from openfoley.request.cues import WEIGHT
from openfoley.request.declared import option


@dataclass(frozen=True)
class Defaults:
    """Default sampling settings of a kind of generator. temperature: None if it has none."""

    steps: int
    guidance: float
    temperature: float | None = None


@dataclass(frozen=True)
class Sampling:
    """How latents are sampled (`generators.base.sample_latents`).

    Guidance is Eq. 3 of arXiv 2510.02916; picture, text, negative text and known latents can have a weight each.
    rescale: 0 is Eq. 3 as it stands, 1 gives the guided end point the spread of the conditional one (flow.guidance).
    temperature: flow.noise_scale. solver: flow.samplers. replacement: flow.replacement. batch_takes: several takes are
    sampled as one batch, whose products may round differently; None: on a GPU.
    """

    steps: int | None = option(Number(1, 128, whole=True), "sampling steps", "N")
    guidance: float | None = option(WEIGHT, "how closely to follow picture and prompt", "W")
    text_guidance: float | None = option(
        WEIGHT, "guidance weight of the prompt", "W", usual="twice --guidance; mmaudio: --guidance"
    )
    picture_guidance: float | None = option(
        WEIGHT,
        "guidance weight of the picture",
        "W",
        usual="--guidance; with a prompt half of it, except mmaudio",
    )
    negative_guidance: float | None = option(
        WEIGHT, "mmaudio: guidance weight of the negative prompt", "W", usual="--guidance"
    )
    reference_guidance: float | None = option(
        WEIGHT, "guidance weight of the reference and the sound before", "W", usual="--guidance; not mmaudio"
    )
    temperature: float | None = option(
        Number(0, 1), "sampling temperature; lower: fewer false events, more missed", "T"
    )
    rescale: float | None = option(Number(0, 1))
    solver: Solver | None = option(Kind(Solver, "flow.settings.MULTISTEP or SHORTCUT"))
    replacement: Replacement | None = option(Kind(Replacement, "flow.settings.DEFAULT_REPLACEMENT or PLAIN"))
    seed: int = option(Number(0, math.inf, whole=True), "the same seed gives the same sound", "S", usual="0", default=0)
    batch_takes: bool | None = option(flag)

    def resolved(self, defaults: Defaults) -> Sampling:
        """With the generator's default steps and guidance filled in."""
        return replace(
            self,
            steps=defaults.steps if self.steps is None else self.steps,
            guidance=defaults.guidance if self.guidance is None else self.guidance,
        )

    def unsupported(self, supported: frozenset[str]) -> str | None:
        """The first given option that a generator does not support."""
        given = (f.name for f in fields(self) if f.name not in ("seed", "batch_takes"))
        return next((name for name in given if getattr(self, name) is not None and name not in supported), None)
