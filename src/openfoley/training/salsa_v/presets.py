"""Settings of a generator's training, and the paper's two sizes (arXiv 2510.02916, section 3 and A.4)."""

from dataclasses import dataclass, replace
from pathlib import Path

from openfoley.flow.dropout import ConditionDropout
from openfoley.flow.masking import MASK_PROBABILITY
from openfoley.generators.salsa_v import config as salsa_v
from openfoley.training.loop.optimizer import OptimizerName
from openfoley.training.salsa_v.objective import Architecture, Objective


@dataclass(frozen=True)
class GeneratorTraining:
    """A recipe. `features` holds the caches `train`, `validation` and, for `seen_share` > 0, `seen`."""

    architecture: Architecture
    features: Path
    use_sync: bool  # False: an ablation without sync features
    objective: Objective
    steps: int
    start: Path | None  # weights (safetensors) of a generator of this architecture to begin with; None: random ones
    seen_share: float  # of the steps, from the first on, that draw from `seen` too: what the encoders were trained on
    crop_latents: tuple[int, ...]  # one is drawn per step
    batch_latents: int  # latents per step
    optimizer: OptimizerName
    learning_rate: float
    warmup_steps: int
    weight_decay: float
    gradient_norm: float  # gradients are clipped to this norm
    ema_decay: float
    validate_every: int
    device: str
    seed: int
    time_limit_s: float | None


# The paper's objective, steps and average. Batch, rate (that of its sync encoder) and weight decay are chosen here; no
# model has been trained with these yet.
LARGE = GeneratorTraining(
    architecture=salsa_v.LARGE,
    features=Path("out/features"),
    use_sync=True,
    objective=Objective(
        time_logits=(0.0, 1.0),
        consistency_fraction=0.25,
        mask_probability=MASK_PROBABILITY,
        mask_kinds=("span",),
        dropout=ConditionDropout(drop=0.1, text_given=1.0, swapped=0.0, picture_absent=0.0, reference_unseen=0.0),
    ),
    steps=1_000_000,
    start=None,
    seen_share=0.0,
    crop_latents=(345,),
    batch_latents=64 * 345,
    optimizer="adamw",
    learning_rate=1e-4,
    warmup_steps=2000,
    weight_decay=1e-4,
    gradient_norm=1.0,
    ema_decay=0.999,
    validate_every=5000,
    device="cuda",
    seed=1,
    time_limit_s=None,
)
SMALL = replace(LARGE, architecture=salsa_v.SMALL)
