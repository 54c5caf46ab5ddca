"""Known latents without masked training, on Gaussian sequences: python benchmarks/replacement.py [STEPS].

x_n = rho x_(n-1) + sqrt(1 - rho^2) e, 16 values, the first 4 known; the velocity is the exact one of that distribution.
For each way of sampling: the slope of the first unknown value on the last known one (truth: rho), the residual variance
(truth: 1 - rho^2, given as a ratio), and the largest error of the 16 x 16 covariance. 4,000 sequences.
"""

import sys

import torch
from torch import Tensor

from openfoley.flow.masking import Known
from openfoley.flow.replacement import Start, pull_towards, sample_with_replacement

LENGTH, KNOWN, SEQUENCES = 16, 4, 4000
WAYS = {
    "replacement alone": (0, 0.0),
    "one round": (1, 0.0),
    "three rounds (RePaint)": (3, 0.0),
    "eight rounds": (8, 0.0),
    "pull": (0, 1.0),
    "half the pull": (0, 0.5),
    "pull and one round (default)": (1, 1.0),
}


def measured(rho: float, steps: int, rounds: int, strength: float) -> tuple[float, float, float]:
    index = torch.arange(LENGTH)
    covariance = rho ** (index[:, None] - index).abs().float()
    random = torch.Generator().manual_seed(0)
    true = (torch.randn(SEQUENCES, LENGTH, generator=random) @ torch.linalg.cholesky(covariance).T)[..., None]
    known = (index < KNOWN).expand(SEQUENCES, -1)

    def velocity(x: Tensor, t: Tensor, step: Tensor, known: Tensor) -> Tensor:
        time, unit = t[0], torch.eye(LENGTH)
        path = time**2 * covariance + (1 - time) ** 2 * unit
        return (torch.linalg.solve(path, time * covariance - (1 - time) * unit) @ x[..., 0].T).T[..., None]

    def fresh() -> Tensor:
        return torch.randn(true.shape, generator=random)

    pull = pull_towards(velocity, Known(true, known), strength) if strength else None
    start = Start(velocity, fresh(), Known(true, known), fresh, pull)
    made = sample_with_replacement(start, steps=steps, rounds=rounds)[..., 0]
    before, first = made[:, KNOWN - 1], made[:, KNOWN]
    slope = float((before * first).mean() / before.square().mean())
    left_over = float((first - rho * before).var()) / (1 - rho**2)
    return slope, left_over, float((made.T @ made / SEQUENCES - covariance).abs().max())


def main(steps: int = 25) -> None:
    torch.set_num_threads(1)
    for rho in (0.5, 0.9, 0.98):
        print(f"correlation {rho}, {steps} steps")
        for name, (rounds, strength) in WAYS.items():
            slope, left_over, error = measured(rho, steps, rounds, strength)
            print(f"  {name:<30} slope {slope:.2f}   left over {left_over:.2f}   covariance error {error:.2f}")


if __name__ == "__main__":
    main(*(int(steps) for steps in sys.argv[1:]))
