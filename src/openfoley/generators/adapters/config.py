"""Sizes of the two adapters (arXiv 2508.11074). Their insides are unpublished; only the total is known, 1.07 B on a
base of 1.03 B (MMAudio-L).

Of the simple choices one gives it: h_syn as MMAudio's own sync projection (a convolution over 7 features, a gated unit
of convolutions over 3), h_global as a linear layer and a gated unit for pictures and another for text: 25.46 M and
15.60 M, 1.0711 B in all. That is `paper`; `compact` is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal, Protocol

FrameKind = Literal["none", "sliced", "queries"]
OverallKind = Literal["none", "mean", "attention", "shots"]

PAPER_KERNEL, PAPER_UNIT_KERNEL = 7, 3  # features, of MMAudio's sync projection (arXiv 2412.15322, section 3.3)
STRETCH_S = Fraction(1)
SHARE = 0.05  # of the generator's parameters: the most that `compact` takes


@dataclass(frozen=True)
class AdapterConfig:
    """Architecture; no defaults.

    frame: h_syn, a convolution over the shot's sync features ("sliced" for the window), or each frame's attention to
    what learned queries gather from the whole video. overall: h_global, of the mean of pictures and text as in the
    paper, of what learned queries gather, or of the same for the window's shot and the whole video with a gate.
    """

    width: int  # of the generator's conditions
    sync_dim: int
    semantic_dim: int  # 0: the generator sees no whole pictures
    text_dim: int
    frame: FrameKind
    overall: OverallKind
    inner: int  # width inside; another than `width` needs one more projection
    mlp_width: int  # inner width of the gated units
    kernel: int  # sync features, h_syn's first convolution
    unit_kernel: int  # sync features, those of its gated unit
    queries: int  # learned ones
    heads: int
    stretch_s: Fraction  # s: the whole video is read as means over so much of a shot

    @property
    def reach(self) -> int:
        """Sync features on either side that a frame of h_syn depends on."""
        return 0 if self.frame != "sliced" else self.kernel // 2 + 2 * (self.unit_kernel // 2)


class Architecture(Protocol):
    """What adapters must know of a generator's configuration."""

    @property
    def width(self) -> int: ...
    @property
    def sync_dim(self) -> int: ...
    @property
    def semantic_dim(self) -> int: ...
    @property
    def text_dim(self) -> int: ...
    @property
    def mlp_width(self) -> int: ...


def paper(base: Architecture) -> AdapterConfig:
    """The paper's size on this generator: gated units as wide as its own."""
    return AdapterConfig(
        width=base.width, sync_dim=base.sync_dim, semantic_dim=base.semantic_dim, text_dim=base.text_dim,
        frame="sliced", overall="mean", inner=base.width, mlp_width=base.mlp_width,
        kernel=PAPER_KERNEL, unit_kernel=PAPER_UNIT_KERNEL, queries=0, heads=0, stretch_s=STRETCH_S,
    )  # fmt: skip


def compact(base: Architecture) -> AdapterConfig:
    """Ours, for a small generator: learned queries in both adapters, cut-aware; under SHARE of a Gym-size one."""
    return replace(
        paper(base), frame="queries", overall="shots", inner=64, mlp_width=64, kernel=5, queries=4,
        heads=4,
    )  # fmt: skip


VARIANTS: dict[str, dict[str, str]] = {  # for tables of one difference
    "shipped": {},
    "frame-only": {"overall": "none"},
    "overall-only": {"frame": "none"},
    "sliced": {"frame": "sliced"},
    "mean": {"overall": "mean"},
    "attention": {"overall": "attention"},
    "as-paper": {"frame": "sliced", "overall": "mean"},
}
