"""Learning rate over a training: linear warm-up from 0, then half a cosine down to 0 (arXiv 2510.02916, A.4)."""

import math


def warmup_cosine(step: int, *, warmup_steps: int, total_steps: int, progress: float | None = None) -> float:
    """The factor of the peak rate at `step` (0 .. total_steps - 1); a pure function, so a resume needs no state.
    progress: share of the training that is over, 0 to 1, where time may end it before its steps do (`Run.progress`)."""
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    reached = step if progress is None else progress * total_steps
    share = min(1.0, max(0.0, (reached - warmup_steps) / max(1, total_steps - warmup_steps)))
    return 0.5 * (1.0 + math.cos(math.pi * share))
