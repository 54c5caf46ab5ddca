"""Noise that is scaled down on the way: what stays as it is, what becomes smaller, and what it is for."""

import pytest
import torch
from torch import Tensor

from openfoley.flow.guidance import Branch, guided
from openfoley.flow.masking import Known
from openfoley.flow.noise_scale import SCALED_FROM, UNSCALED, NoiseScale
from openfoley.flow.path import on_path
from openfoley.flow.samplers import sample
from openfoley.flow.settings import MULTISTEP, SHORTCUT, Solver

NONE_KNOWN = torch.zeros(2, 7, dtype=torch.bool)


def drawn(velocity, noise: Tensor, temperature: float, steps: int = 8, solver: Solver = MULTISTEP) -> Tensor:
    nothing = torch.zeros(noise.shape[:2], dtype=torch.bool)
    known = Known(noise, nothing)
    return sample(velocity, noise, known, steps=steps, step_size=0.0, solver=solver, scale=NoiseScale(temperature))


def test_cooling_keeps_the_data_and_shrinks_the_noise() -> None:
    noise, data, t = torch.randn(2, 7, 3), torch.randn(2, 7, 3), torch.full((2,), 0.25)
    made = NoiseScale(0.6).after_step(on_path(noise, data, t), data - noise, 0.0, 0.25)
    torch.testing.assert_close(made, on_path(0.6 * noise, data, t))
    torch.testing.assert_close(UNSCALED.after_step(made, data - 0.6 * noise, 0.0, 0.25), made)
    assert torch.equal(NoiseScale(0.6).after_step(made, data, SCALED_FROM, 0.25), made)


@pytest.mark.parametrize("solver", [MULTISTEP, SHORTCUT])
@pytest.mark.parametrize("steps", [2, 8, 32])
def test_the_noise_is_made_smaller_once_and_the_end_of_a_settled_path_does_not_move(solver: Solver, steps: int) -> None:
    """Heading straight for one point, the sampler gets there at any temperature, from smaller noise."""
    noise, data, seen = torch.randn(2, 7, 3), torch.randn(2, 7, 3), []

    def velocity(x: Tensor, t: Tensor, d: Tensor, k: Tensor) -> Tensor:
        left = (1 - t)[:, None, None]
        torch.testing.assert_close(
            (x - t[:, None, None] * data) / left, NoiseScale(0.5).deviation(t)[:, None, None] * noise
        )
        seen.append(float(NoiseScale(0.5).deviation(t)[0]))
        return (data - x) / left

    torch.testing.assert_close(drawn(velocity, noise, 0.5, steps, solver), data)
    assert set(seen) == {1.0, 0.5} and sorted(seen, reverse=True) == seen


def test_a_gaussian_keeps_its_middle_and_loses_width() -> None:
    """Data of mean 2 and deviation 0.5, whose flow is known: temperature 1 draws them, 0.5 the likely ones."""
    noise, middle, width = torch.randn(64, 32, 4), 2.0, 0.5

    def velocity(x: Tensor, t: Tensor, d: Tensor, k: Tensor) -> Tensor:
        time = t[:, None, None]
        variance = (1 - time) ** 2 + (time * width) ** 2
        return middle + (time * width**2 - (1 - time)) / variance * (x - time * middle)

    plain, cool = (drawn(velocity, noise, temperature, steps=64) for temperature in (1.0, 0.5))
    assert abs(float(plain.mean()) - middle) < 0.02 and abs(float(plain.std()) - width) < 0.02
    assert abs(float(cool.mean()) - middle) < 0.02 and 0.4 * width < float(cool.std()) < 0.8 * width


def test_noise_small_from_the_start_makes_the_likeliest_single_thing_and_late_cooling_does_not() -> None:
    """Silence at 0 with a chance of 0.3, or one of eight sounds far from it with the rest of the chance shared among
    them. The flow is known."""
    torch.manual_seed(0)
    sounds, far = 8, 40.0
    points = torch.cat([torch.zeros(1, sounds), far * torch.eye(sounds)])
    chances = torch.tensor([0.3] + [0.7 / sounds] * sounds).log()
    noise = torch.randn(1000, 1, sounds)

    def velocity(x: Tensor, t: Tensor, d: Tensor, k: Tensor) -> Tensor:
        time = float(t[0])
        odds = chances - ((x - time * points) ** 2).sum(-1) / (2 * (1 - time) ** 2)
        return ((odds.softmax(-1) @ points)[:, None] - x) / (1 - time)

    def silent(made: Tensor) -> float:
        return float((made.amax((1, 2)) < far / 2).float().mean())

    plain, late = (silent(drawn(velocity, noise, temperature, steps=32)) for temperature in (1.0, 0.7))
    early = silent(drawn(velocity, 0.7 * noise, 1.0, steps=32))
    assert abs(plain - 0.3) < 0.05 and abs(late - plain) < 0.08 and early > plain + 0.2


def test_one_step_leaves_no_noise_to_cool() -> None:
    noise = torch.randn(2, 7, 3)
    plain, cool = (drawn(lambda x, t, d, k: x - 1, noise, temperature, steps=1) for temperature in (1.0, 0.5))
    assert torch.equal(plain, cool)


def test_known_latents_are_clean_in_every_step() -> None:
    noise, clean, known, calls = torch.randn(2, 7, 3), torch.randn(2, 7, 3), NONE_KNOWN.clone(), []
    known[:, 2:5] = True

    def velocity(x: Tensor, t: Tensor, d: Tensor, k: Tensor) -> Tensor:
        calls.append(torch.equal(x[known], clean[known]))
        return torch.randn_like(x)

    made = sample(velocity, noise, Known(clean, known), steps=9, step_size=0.0, solver=MULTISTEP, scale=NoiseScale(0.3))
    assert calls == [True] * 9 and torch.equal(made[known], clean[known])


def test_the_reference_is_noised_as_much_as_what_is_unknown() -> None:
    noise, clean, known, calls = torch.randn(2, 7, 3), torch.randn(2, 7, 3), NONE_KNOWN.clone(), []
    known[:, :3] = True
    t = torch.tensor([SCALED_FROM / 2, 0.5])

    def unconditional(x: Tensor, t: Tensor, d: Tensor, k: Tensor) -> Tensor:
        smaller = torch.tensor([1.0, 0.6])[:, None, None] * noise
        torch.testing.assert_close(x[known], on_path(smaller, clean, t)[known])
        calls.append(True)
        return torch.zeros_like(x)

    branches = [Branch(unconditional, sees_known=False), Branch(lambda x, t, d, k: x, 4.0)]
    guided(branches, noise, scale=NoiseScale(0.6))(clean, t, torch.zeros(2), known)
    assert calls == [True]
