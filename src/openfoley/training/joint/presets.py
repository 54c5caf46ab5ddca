"""Settings of the joint model's three stages: the paper's (arXiv 2409.17550), and the Gym's for CPU hours."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from openfoley.codecs import folded
from openfoley.codecs.folded import FoldedConfig
from openfoley.generators.joint import config
from openfoley.generators.joint.config import JointConfig
from openfoley.hub.pair_bases import BaseIdentity
from openfoley.hub.pair_parts import Stage

Trained = Literal["connectors", "motion", "everything"]


@dataclass(frozen=True, kw_only=True)
class JointTraining:
    """A recipe of one stage. data: the digest of the clips. trained: in the third stage, besides the connectors the
    motion modules (the published script) or all of both U-Nets. batch: clips of one pass. validation: clips of every
    figure. precision: of the passes. Their defaults are the paper's: AdamW at 1e-5, 1000 epochs of 387 updates
    (GreatestHits); its average was over the connectors alone, ours is over all that is trained, as a model whose
    connectors and motion modules are of different ages was never evaluated."""

    stage: Stage
    architecture: JointConfig
    data: str
    trained: Trained = "connectors"
    steps: int = 387_000
    batch: int = 16
    learning_rate: float = 1e-5
    warmup_steps: int = 500
    weight_decay: float = 1e-2
    gradient_norm: float = 1.0
    caption_drop: float = 0.1
    self_condition: float = 0.5
    ema_decay: float = 0.9999
    validate_every: int = 1000
    validation: int = 32
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    device: str = "cpu"
    seed: int = 1
    time_limit_s: float | None = None

    @property
    def passes(self) -> int:
        """Whose gradients are added up for one update."""
        return 1

    @property
    def together(self) -> int:
        """Validation clips of one pass."""
        return self.validation


@dataclass(frozen=True, kw_only=True)
class PairTraining(JointTraining):
    """Of a small model, all of whose networks are trained here. longest: words of a prompt. bases: of the first two
    stages, for the third."""

    codec: FoldedConfig
    longest: int = 24
    bases: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FullTraining(JointTraining):
    """Between published base models. size: of the pictures, pixels of a side. accumulation: passes of `batch` clips for
    one update (8 GPUs x 2 passes of one clip as published). bases: what the connectors belong to."""

    size: int
    batch: int = 1
    accumulation: int = 16
    bases: tuple[BaseIdentity, ...] = ()

    @property
    def passes(self) -> int:
        return self.accumulation

    @property
    def together(self) -> int:
        return self.batch


FULL = FullTraining(stage="connectors", architecture=config.FULL, data="", size=256)

GYM_BASE = PairTraining(
    stage="video", architecture=config.GYM, codec=folded.GYM, data="", steps=6000, batch=16, learning_rate=5e-4,
    warmup_steps=200, weight_decay=1e-4, ema_decay=0.999, validate_every=250, precision="float32",
)  # fmt: skip
GYM = {
    "video": GYM_BASE,
    "audio": replace(GYM_BASE, stage="audio"),
    "connectors": replace(GYM_BASE, stage="connectors", steps=4000, batch=8),
}
"""One core: 1.43, 0.39 and 1.87 s a step, 2.4, 0.7 and 2.1 hours; bfloat16 takes 1.5 times as long on a CPU
(docs/log.md, J7)."""

GYM_SCENES = {"train": 6000, "validation": 128}
