"""The self-consistency target on fields whose flow is known."""

from fractions import Fraction

import torch
from torch import Tensor

from openfoley.flow.shortcut import shortcut_target

SMALLEST = Fraction(1, 32)


def test_target_on_a_linear_field_is_the_mean_of_two_half_steps() -> None:
    """dx/dt = a x: two Euler steps of d give x (1 + a d)^2, so the average velocity is x ((1 + a d)^2 - 1) / (2 d)."""
    a = 1.7
    x = torch.randn(3, 4, 2)
    step = torch.tensor([1.0, 0.5, 1 / 16])
    known = torch.zeros(3, 4, dtype=torch.bool)
    target = shortcut_target(lambda x, t, step, known: a * x, x, torch.zeros(3), step, known, SMALLEST)
    d = (step / 2)[:, None, None]
    torch.testing.assert_close(target, x * ((1 + a * d) ** 2 - 1) / (2 * d))


def test_second_half_step_is_taken_at_t_plus_d_with_the_half_step() -> None:
    seen: list[tuple[float, float]] = []

    def velocity(x: Tensor, t: Tensor, step: Tensor, known: Tensor) -> Tensor:
        seen.append((t.item(), step.item()))
        return t[:, None, None].expand_as(x)

    known = torch.zeros(1, 2, dtype=torch.bool)
    target = shortcut_target(velocity, torch.zeros(1, 2, 1), torch.tensor([0.5]), torch.tensor([0.25]), known, SMALLEST)
    assert seen == [(0.5, 0.125), (0.625, 0.125)]
    torch.testing.assert_close(target, torch.full((1, 2, 1), 0.5625))


def test_below_the_smallest_step_the_instantaneous_velocity_is_followed() -> None:
    passed_steps: list[float] = []

    def velocity(x: Tensor, t: Tensor, step: Tensor, known: Tensor) -> Tensor:
        passed_steps.append(step.item())
        return x

    known = torch.zeros(1, 2, dtype=torch.bool)
    shortcut_target(velocity, torch.ones(1, 2, 1), torch.tensor([0.5]), torch.tensor([1 / 32]), known, SMALLEST)
    assert passed_steps == [0.0, 0.0]


def test_known_latents_stay_where_they_are_in_the_second_half_step() -> None:
    inputs: list[Tensor] = []

    def velocity(x: Tensor, t: Tensor, step: Tensor, known: Tensor) -> Tensor:
        inputs.append(x)
        return torch.ones_like(x)

    x = torch.randn(1, 4, 2)
    known = torch.tensor([[False, True, True, False]])
    shortcut_target(velocity, x, torch.zeros(1), torch.ones(1), known, SMALLEST)
    assert torch.equal(inputs[1][known], x[known])
    torch.testing.assert_close(inputs[1][~known], x[~known] + 0.5)
