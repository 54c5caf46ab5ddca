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
    """A recipe. The defaults are the paper's large size with its objective, steps and average. Batch, rate (that of its
    sync encoder) and weight decay are chosen here; no model has been trained with these yet.

    features: holds the caches `train`, `validation` and, for `seen_share` > 0, `seen`.
    """

    architecture: Architecture = salsa_v.LARGE
    features: Path = Path("out/features")
    use_sync: bool = True  # False: an ablation without sync features
    objective: Objective = Objective(
        time_logits=(0.0, 1.0),
        consistency_fraction=0.25,
        mask_probability=MASK_PROBABILITY,
        mask_kinds=("span",),
        dropout=ConditionDropout(drop=0.1, text_given=1.0, swapped=0.0, picture_absent=0.0, reference_unseen=0.0),
    )
    steps: int = 1_000_000
    trained: tuple[str, ...] = ()  # patterns of the names of the weights that are trained; all without any
    start: Path | None = None  # weights (safetensors) of a generator of this architecture; None: random ones
    seen_share: float = 0.0  # of the steps, from the first on, that draw from `seen` too: the encoders' training clips
    crop_latents: tuple[int, ...] = (345,)  # one is drawn per step
    batch_latents: int = 64 * 345  # per step
    optimizer: OptimizerName = "adamw"
    learning_rate: float = 1e-4
    warmup_steps: int = 2000
    weight_decay: float = 1e-4
    gradient_norm: float = 1.0  # gradients are clipped to this norm
    ema_decay: float = 0.999
    validate_every: int = 5000
    device: str = "cuda"
    seed: int = 1
    time_limit_s: float | None = None


LARGE = GeneratorTraining()
SMALL = replace(LARGE, architecture=salsa_v.SMALL)
