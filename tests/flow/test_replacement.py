"""Known latents under a generator without masks, on Gaussian sequences whose conditional distribution is known.

Data: x_n = rho x_(n-1) + sqrt(1 - rho^2) e, unit variance. Given x_(k-1), x_k ~ N(rho x_(k-1), 1 - rho^2).
"""

import pytest
import torch
from torch import Tensor

from openfoley.flow.exchange import Shared
from openfoley.flow.masking import Known
from openfoley.flow.replacement import (
    Start,
    fresh_noise,
    pull_towards,
    sample_together_with_replacement,
    sample_with_replacement,
    taken_back,
)
from openfoley.flow.samplers import sample
from openfoley.flow.settings import SHORTCUT

LENGTH, KNOWN, STEPS, SEQUENCES = 12, 4, 25, 3000


def covariance(rho: float) -> Tensor:
    index = torch.arange(LENGTH)
    return rho ** (index[:, None] - index).abs().float()


def exact_velocity(rho: float):
    """E[x_1 - x_0 | x_t] of the Gaussian sequences."""
    data, unit = covariance(rho), torch.eye(LENGTH)

    def velocity(x: Tensor, t: Tensor, step: Tensor, known: Tensor) -> Tensor:
        assert not known.any()
        time = t[0]
        path = time**2 * data + (1 - time) ** 2 * unit
        return (torch.linalg.solve(path, time * data - (1 - time) * unit) @ x[..., 0].T).T[..., None]

    return velocity


def continued(rho: float, rounds: int, pull: float) -> tuple[Tensor, Tensor]:
    """Known sequences [n, LENGTH] and what was made of their first KNOWN values."""
    random = torch.Generator().manual_seed(0)
    root = torch.linalg.cholesky(covariance(rho))
    true = (torch.randn(SEQUENCES, LENGTH, generator=random) @ root.T)[..., None]
    noise = torch.randn(true.shape, generator=random)
    known = (torch.arange(LENGTH) < KNOWN).expand(SEQUENCES, -1)
    velocity = exact_velocity(rho)
    start = Start(
        velocity,
        noise,
        Known(true, known),
        lambda: torch.randn(true.shape, generator=random),
        pull_towards(velocity, Known(true, known), pull) if pull else None,
    )
    made = sample_with_replacement(start, steps=STEPS, rounds=rounds)
    assert torch.equal(made[:, :KNOWN], true[:, :KNOWN])
    return true[..., 0], made[..., 0]


def lean(made: Tensor) -> float:
    """Slope of the first open value on the last known one; rho in truth."""
    before, first = made[:, KNOWN - 1], made[:, KNOWN]
    return float((before * first).mean() / before.square().mean())


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_open_latents_follow_the_known_ones_as_the_conditional_distribution_does(rho: float) -> None:
    _, made = continued(rho, rounds=1, pull=1.0)
    _, resampled = continued(rho, rounds=3, pull=0.0)
    _, replaced = continued(rho, rounds=0, pull=0.0)
    assert lean(made) == pytest.approx(rho, abs=0.08)
    assert abs(lean(made) - rho) < abs(lean(resampled) - rho) < abs(lean(replaced) - rho)
    left_over = made[:, KNOWN] - rho * made[:, KNOWN - 1]
    assert float(left_over.var()) / (1 - rho**2) == pytest.approx(1.0, abs=0.25)


def test_the_far_end_keeps_the_datas_spread() -> None:
    """Not quite: the pull takes the estimate's error for uncorrelated."""
    _, made = continued(0.9, rounds=1, pull=1.0)
    assert float(made[:, -1].var()) == pytest.approx(1.0, abs=0.2)


def test_without_known_latents_it_is_plain_euler_sampling() -> None:
    noise = torch.randn(3, LENGTH, 1)
    nothing = torch.zeros(3, LENGTH, dtype=torch.bool)
    velocity = exact_velocity(0.9)
    plain = sample(velocity, noise, Known(noise, nothing), steps=8, step_size=0.0, solver=SHORTCUT)
    source = fresh_noise([1, 2, 3], noise)
    done: list[int] = []
    start = Start(velocity, noise, Known(noise, nothing), source)
    made = sample_with_replacement(start, steps=8, rounds=2, on_step=done.append)
    assert torch.equal(made, plain) and done == list(range(1, 9))


@pytest.mark.parametrize("rounds", [0, 1])
def test_of_two_sequences_every_second_shared_latent_goes_on_with_both(rounds: int) -> None:
    """Of two constant velocities, what is exchanged after each step has the mean, the rest its own."""
    noise, known = torch.randn(1, LENGTH, 1), torch.zeros(1, LENGTH, dtype=torch.bool)
    known[:, 0] = True

    def start(speed: float) -> Start:
        return Start(lambda x, t, step, known: torch.full_like(x, speed), noise, Known(noise, known), lambda: noise)

    shared = Shared(left=LENGTH - 4, right=LENGTH - 4, count=4)
    one, other = sample_together_with_replacement([start(1.0), start(3.0)], steps=8, rounds=0, shared=shared)
    for made, own in ((one, 1.0), (other, 3.0)):
        expected = noise + own
        expected[:, [LENGTH - 3, LENGTH - 1]] = noise[:, [LENGTH - 3, LENGTH - 1]] + 2.0
        expected[:, 0] = noise[:, 0]
        torch.testing.assert_close(made, expected)
    apart = sample_together_with_replacement([start(1.0), start(3.0)], steps=8, rounds=rounds)
    again = [sample_with_replacement(start(speed), steps=8, rounds=rounds) for speed in (1.0, 3.0)]
    assert all(torch.equal(a, b) for a, b in zip(apart, again, strict=True))


def test_a_draw_taken_back_has_the_paths_mean_and_spread() -> None:
    data, count = 1.7, 200_000
    x = 0.6 * data + 0.4 * torch.randn(count)
    back = taken_back(x, 0.6, 0.25, torch.randn(count))
    assert float(back.mean()) == pytest.approx(0.25 * data, abs=0.01)
    assert float(back.std()) == pytest.approx(0.75, abs=0.01)


def test_fresh_noise_of_a_row_depends_on_its_seed_alone() -> None:
    like = torch.zeros(2, 5, 3)
    pair, single = fresh_noise([4, 9], like), fresh_noise([9], like[:1])
    first, second = pair(), pair()
    assert torch.equal(first[1], single()[0]) and torch.equal(second[1], single()[0])
    assert not torch.equal(first, second)


def test_the_pull_works_inside_inference_mode() -> None:
    with torch.inference_mode():
        true, noise = torch.randn(1, LENGTH, 1), torch.randn(1, LENGTH, 1)
        known = (torch.arange(LENGTH) < KNOWN)[None]
        pull = pull_towards(exact_velocity(0.9), Known(true, known), 1.0)
        assert pull(noise, torch.tensor([0.4])).abs().max() > 0
