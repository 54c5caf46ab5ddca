"""Settings of the joint model's three stages: the paper's (arXiv 2409.17550), and the Gym's for CPU hours."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from openfoley.codecs import folded
from openfoley.codecs.folded import FoldedConfig
from openfoley.generators.joint import config
from openfoley.generators.joint.config import JointConfig
from openfoley.hub.pair_parts import Stage

Trained = Literal["connectors", "motion", "everything"]


@dataclass(frozen=True)
class PairTraining:
    """A recipe of one stage. data: the digest of the clips. trained: in the third stage, besides the connectors the
    motion modules (the published script) or all of both U-Nets. bases: of the first two stages, for the third.
    validation: clips of every figure."""

    stage: Stage
    architecture: JointConfig
    codec: FoldedConfig
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
    longest: int = 24
    validate_every: int = 1000
    validation: int = 32
    bases: tuple[Path, ...] = ()
    device: str = "cpu"
    seed: int = 1
    time_limit_s: float | None = None


PAPER = PairTraining("connectors", config.FULL, folded.GYM, "")
"""Steps: 1000 epochs of 387 updates (GreatestHits). AdamW at 1e-5; its average was over the connectors alone, ours is
over all that is trained, as a model whose connectors and motion modules are of different ages was never evaluated."""

GYM_BASE = replace(
    PAPER, stage="video", architecture=config.GYM, steps=6000, batch=16, learning_rate=5e-4, warmup_steps=200,
    weight_decay=1e-4, ema_decay=0.999,
)  # fmt: skip
GYM = {
    "video": GYM_BASE,
    "audio": replace(GYM_BASE, stage="audio"),
    "connectors": replace(GYM_BASE, stage="connectors", steps=4000, batch=8),
}
"""One core, measured on 3 steps each in bfloat16: 2.2, 0.6 and 2.7 s a step, so 3.6, 1.0 and 3.0 hours."""

GYM_SCENES = {"train": 6000, "validation": 128}
