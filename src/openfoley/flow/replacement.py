"""Sampling around known latents with a generator that was not trained with clean latents in its input.

At every step known latents are replaced by their place on the path, x_t = (1 - t) noise + t known. Alone that is not
enough: what is decided early is decided beside almost pure noise and does not fit. Two remedies, best together:

Resampling (RePaint, arXiv 2201.09865, section 4.2, for the straight path). Each step is taken back and repeated:

    x_s = (s / t) x_t + sqrt((1 - s)^2 - (s / t)^2 (1 - t)^2) noise      s < t, with fresh noise

If x_t = t x_1 + (1 - t) x_0 then x_s is a draw from the path at s. The known latents get fresh noise there too.

Pull (arXiv 2310.04432, after arXiv 2302.11552's "pseudo-inverse" guidance). The estimated end m(x_t) = x_t + (1 - t) v
is wrong at the known latents by e = known - m. With r^2 = (1 - t)^2 / (t^2 + (1 - t)^2), the variance of x_1 given x_t
for data of unit variance, the change of x_t that would correct it is

    v <- v + (1 - t) / t  J^T e / r^2,     J = dm / dx_t        (one backward pass of the conditional network)

benchmarks/replacement.py measures them on Gaussian sequences; docs/method.md has the table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from openfoley.flow.exchange import Shared
from openfoley.flow.masking import Known
from openfoley.flow.path import Latents, Rows, Velocity, on_path

FRESH_SALT = 0x5EED  # sets the fresh noise of a seed apart from its first noise

Pull = Callable[[Latents, Rows], Latents]
"""pull(x_t, t) -> what to add to the velocity."""


def fresh_noise(seeds: Sequence[int], like: Latents) -> Callable[[], Tensor]:
    """A source of noise like `like`, a row for each seed, which depends on the seed and the number of the call."""
    generators = [torch.Generator().manual_seed(seed ^ FRESH_SALT) for seed in seeds]

    def draw() -> Tensor:
        return torch.stack([torch.randn(like.shape[1:], generator=generator) for generator in generators]).to(like)

    return draw


@dataclass(frozen=True)
class Start:
    """A sequence before the first step. velocity receives `known` all False and step 0: every latent is at time t.
    fresh: noise for the known latents and for steps taken back."""

    velocity: Velocity
    noise: Latents
    known: Known
    fresh: Callable[[], Tensor]
    pull: Pull | None = None


@torch.no_grad()
def sample_with_replacement(
    start: Start, *, steps: int, rounds: int, on_step: Callable[[int], None] | None = None
) -> Latents:
    """The latents at t = 1; known ones leave bit for bit as they entered. Without known latents: Euler sampling.

    on_step: receives the number of steps done.
    """
    (latents,) = sample_together_with_replacement([start], steps=steps, rounds=rounds, on_step=on_step)
    return latents


@torch.no_grad()
def sample_together_with_replacement(
    starts: Sequence[Start],
    *,
    steps: int,
    rounds: int,
    shared: Shared | None = None,
    on_step: Callable[[int], None] | None = None,
) -> list[Latents]:
    """As `sample_with_replacement`, of several sequences step by step. shared: latents of the first two that are
    exchanged after each step, its repetitions included."""
    walks = [_Walk(start, steps) for start in starts]
    for number in range(steps):
        for walk in walks:
            walk.step(number, rounds)
        if shared is not None:
            walks[0].x, walks[1].x = shared.exchanged(walks[0].x, walks[1].x)
        if on_step is not None:
            on_step(number + 1)
    return [torch.where(walk.inside, walk.start.known.latent, walk.x) for walk in walks]


class _Walk:
    """One sequence on its way. beside: the noise from which the known latents' path begins."""

    def __init__(self, start: Start, steps: int) -> None:
        self.start, self.steps = start, steps
        self.inside, self.nothing = start.known.is_known[..., None], torch.zeros_like(start.known.is_known)
        self.has_known = bool(start.known.is_known.any())
        self.x = self.beside = start.noise

    def step(self, number: int, rounds: int) -> None:
        self.x = self._forward(self.x, number)
        for _ in range(rounds if self.has_known and number else 0):  # back at t = 0 all would be noise again
            self.beside = self.start.fresh()
            back = taken_back(self.x, (number + 1) / self.steps, number / self.steps, self.start.fresh())
            self.x = self._forward(torch.where(self.inside, self._known_at(number), back), number)

    def _forward(self, x: Latents, number: int) -> Latents:
        """One step; the known latents move along their path."""
        change = self.start.velocity(x, self._time(number), self._time(0), self.nothing).to(x.dtype)
        if not self.has_known:
            return x + change / self.steps
        if self.start.pull is not None and number:
            change = change + self.start.pull(x, self._time(number)).to(x.dtype)
        return torch.where(self.inside, self._known_at(number + 1), x + change / self.steps)

    def _known_at(self, number: int) -> Latents:
        return on_path(self.beside, self.start.known.latent, self._time(number))

    def _time(self, number: int) -> Rows:
        """Before that step."""
        return torch.full((len(self.start.noise),), number / self.steps, device=self.start.noise.device)


def taken_back(
    x: Float[Tensor, "*shape"], t: float, s: float, noise: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """From a draw of the path at t to one at s < t."""
    ratio = s / t
    return ratio * x + max(0.0, (1 - s) ** 2 - (ratio * (1 - t)) ** 2) ** 0.5 * noise


def pull_towards(conditional: Velocity, known: Known, strength: float) -> Pull:
    """The second term above; `conditional` is differentiated: no tensor in it may come from inference mode."""

    def pull(x_t: Latents, t: Rows) -> Latents:
        with torch.inference_mode(False), torch.enable_grad():
            x, target, time, inside = (
                x_t.clone().requires_grad_(),
                known.latent.clone(),
                t.clone(),
                known.is_known.clone(),
            )
            change = conditional(x, time, torch.zeros_like(time), torch.zeros_like(inside))
            end = x + (1 - time)[:, None, None] * change.to(x.dtype)
            missing = torch.where(inside[..., None], target - end.detach(), 0.0)
            (towards,) = torch.autograd.grad(end, x, missing)
        scale = (t**2 + (1 - t) ** 2) / (t * (1 - t))
        return strength * scale[:, None, None] * towards

    return pull
