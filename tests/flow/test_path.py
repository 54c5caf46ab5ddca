"""The path, its times, and the errors on it."""

from fractions import Fraction

import pytest
import torch

from openfoley.flow.path import logit_normal_times, on_path, path_velocity, velocity_error
from openfoley.flow.shortcut import shortcut_steps, shortcut_times, trained_step


def test_path_goes_from_noise_to_data_at_its_velocity() -> None:
    noise, data = torch.randn(3, 5, 2), torch.randn(3, 5, 2)
    t = torch.tensor([0.0, 0.25, 1.0])
    x = on_path(noise, data, t)
    torch.testing.assert_close(x[0], noise[0])
    torch.testing.assert_close(x[2], data[2])
    torch.testing.assert_close(x + (1 - t)[:, None, None] * path_velocity(noise, data), data)


def test_known_latents_do_not_reach_the_error_nor_the_gradient() -> None:
    predicted = torch.randn(2, 6, 3, requires_grad=True)
    known = torch.zeros(2, 6, dtype=torch.bool)
    known[0, 1:4] = True
    velocity_error(predicted, torch.zeros(2, 6, 3), known).sum().backward()
    assert predicted.grad is not None
    assert (predicted.grad[known] == 0).all()
    assert (predicted.grad[~known] != 0).all()


def test_error_is_the_mean_over_unknown_latents() -> None:
    predicted = torch.ones(1, 4, 2)
    predicted[0, 0] = 100.0
    known = torch.tensor([[True, False, False, False]])
    torch.testing.assert_close(velocity_error(predicted, torch.zeros(1, 4, 2), known), torch.ones(1))
    assert velocity_error(predicted, torch.zeros(1, 4, 2), torch.ones_like(known)).item() == 0.0


@pytest.mark.parametrize(("mean", "spread"), [(0.0, 1.0), (-0.6, 1.2)])
def test_logit_normal_times_have_a_normal_logit(mean: float, spread: float) -> None:
    logit = logit_normal_times(20_000, torch.Generator().manual_seed(0), mean, spread).logit()
    assert abs(logit.mean().item() - mean) < 0.03
    assert abs(logit.std().item() - spread) < 0.03


def test_shortcut_times_are_multiples_of_their_step_and_end_by_one() -> None:
    t, step = shortcut_times(5000, Fraction(1, 128), torch.Generator().manual_seed(0))
    assert set(step.tolist()) == {2.0**-k for k in range(8)}
    assert torch.equal((t / step).round() * step, t)
    assert (t >= 0).all() and (t + step <= 1).all()
    assert (t[step == 1] == 0).all()
    assert set(t[step == 0.25].tolist()) == {0.0, 0.25, 0.5, 0.75}


def test_smallest_step_must_be_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="power of two"):
        shortcut_steps(Fraction(1, 48))


@pytest.mark.parametrize(
    ("steps", "trained"), [(1, 1.0), (2, 0.5), (3, 0.25), (8, 0.125), (12, 1 / 16), (32, 1 / 32), (33, 0.0), (128, 0.0)]
)
def test_the_largest_trained_step_not_above_the_step_is_used(steps: int, trained: float) -> None:
    assert trained_step(steps, Fraction(1, 32)) == trained


def test_flow_matching_alone_always_gives_zero() -> None:
    assert trained_step(4, None) == 0.0
