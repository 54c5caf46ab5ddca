"""Sampling on fields whose flow is known, and guidance."""

import math

import pytest
import torch
from torch import Tensor

from openfoley.flow.guidance import Branch, guided, rescaled
from openfoley.flow.masking import Known
from openfoley.flow.path import Velocity, on_path
from openfoley.flow.samplers import sample
from openfoley.flow.settings import MULTISTEP, SHORTCUT, Solver

NONE_KNOWN = torch.zeros(2, 7, dtype=torch.bool)


def everywhere(value: float) -> Velocity:
    return lambda x, t, d, k: torch.full_like(x, value)


def towards(
    conditional: Velocity, unconditional: Velocity, guidance: float, reference: float | None = None
) -> list[Branch]:
    """Eq. 3: from nothing over the known latents to everything."""
    known = Branch(unconditional, guidance if reference is None else reference)
    return [Branch(unconditional, sees_known=False), known, Branch(conditional, guidance)]


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 128])
def test_a_constant_velocity_field_is_integrated_exactly(steps: int) -> None:
    noise, data = torch.randn(2, 7, 3), torch.randn(2, 7, 3)
    made = sample(
        lambda x, t, d, k: data - noise, noise, Known(noise, NONE_KNOWN), steps=steps, step_size=0.0, solver=SHORTCUT
    )
    torch.testing.assert_close(made, data, atol=1e-5, rtol=1e-5)


def test_euler_converges_to_the_flow_of_a_linear_field() -> None:
    noise = torch.ones(2, 7, 3)
    made = sample(lambda x, t, d, k: x, noise, Known(noise, NONE_KNOWN), steps=128, step_size=0.0, solver=SHORTCUT)
    torch.testing.assert_close(made, torch.full_like(made, (1 + 1 / 128) ** 128))
    assert abs(made[0, 0, 0].item() - math.e) < 0.02


def test_known_region_is_unchanged_by_masked_sampling() -> None:
    noise, clean = torch.randn(2, 7, 3), torch.randn(2, 7, 3) * 1e3
    known = NONE_KNOWN.clone()
    known[:, 2:5] = True

    def velocity(x: Tensor, t: Tensor, d: Tensor, k: Tensor) -> Tensor:
        assert torch.equal(x[known], clean[known])
        return torch.randn_like(x)

    made = sample(velocity, noise, Known(clean, known), steps=9, step_size=0.0, solver=SHORTCUT)
    assert torch.equal(made[known], clean[known])
    assert not torch.equal(made[~known], noise[~known])


@pytest.mark.parametrize("steps", [0, 129])
def test_step_counts_out_of_range_are_refused(steps: int) -> None:
    with pytest.raises(ValueError, match="steps"):
        sample(
            lambda x, t, d, k: x,
            torch.zeros(2, 7, 3),
            Known(torch.zeros(2, 7, 3), NONE_KNOWN),
            steps=steps,
            step_size=0,
            solver=SHORTCUT,
        )


def test_guidance_moves_from_the_unconditional_velocity_along_the_difference() -> None:
    velocity = guided(towards(everywhere(3.0), everywhere(1.0), 4.0), torch.zeros(2, 7, 3))
    assert (velocity(torch.zeros(2, 7, 3), torch.zeros(2), torch.zeros(2), NONE_KNOWN) == 9.0).all()


def test_the_reference_has_its_own_weight() -> None:
    """Constant velocities 1 (nothing), 2 (known), 5 (all): 1 + w_a (2 - 1) + w (5 - 2); equal weights: Eq. 3."""
    calls: list[bool] = []
    known = NONE_KNOWN.clone()
    known[:, :3] = True

    def unconditional(x: Tensor, t: Tensor, d: Tensor, k: Tensor) -> Tensor:
        calls.append(bool(k.any()))
        return torch.full_like(x, 2.0 if k.any() else 1.0)

    def run(guidance: float, apart: float | None) -> float:
        velocity = guided(towards(everywhere(5.0), unconditional, guidance, apart), torch.zeros(2, 7, 3))
        (value,) = velocity(torch.zeros(2, 7, 3), torch.zeros(2), torch.zeros(2), known).unique()
        return value.item()

    assert run(4.0, 2.0) == 1 + 2 * (2 - 1) + 4 * (5 - 2)
    assert run(4.0, 1.0) == 2 + 4 * (5 - 2)
    assert calls == [False, True, True]
    calls.clear()
    assert run(4.0, None) == run(4.0, 4.0) == 1 + 4 * (5 - 1)
    assert calls == [False, False]
    assert run(1.0, None) == 5


def test_unconditional_branch_receives_the_reference_noised_and_no_mask() -> None:
    noise, clean = torch.randn(2, 7, 3), torch.randn(2, 7, 3)
    known = NONE_KNOWN.clone()
    known[:, :3] = True
    t = torch.tensor([0.25, 0.5])

    def unconditional(x: Tensor, t: Tensor, d: Tensor, k: Tensor) -> Tensor:
        assert not k.any()
        torch.testing.assert_close(x[known], on_path(noise, clean, t)[known])
        assert torch.equal(x[~known], clean[~known])
        return torch.zeros_like(x)

    guided(towards(lambda x, t, d, k: x, unconditional, 4.0), noise)(clean, t, torch.zeros(2), known)


def test_rescaled_guidance_heads_for_the_spread_of_the_conditional_end_point() -> None:
    x, with_conditions, combined = torch.randn(2, 7, 3), torch.randn(2, 7, 3), 5 * torch.randn(2, 7, 3)
    known = NONE_KNOWN.clone()
    known[:, :3] = True
    t = torch.tensor([0.25, 0.5])
    left = (1 - t)[:, None, None]
    whole = torch.ones(2)
    result = rescaled(combined, with_conditions, x, t, known, whole)
    for row in range(2):
        wanted = (x + left * with_conditions)[row, 3:].std(correction=0)
        torch.testing.assert_close((x + left * result)[row, 3:].std(correction=0), wanted)
    torch.testing.assert_close(rescaled(combined, with_conditions, x, t, known, 0 * whole), combined)
    torch.testing.assert_close(rescaled(with_conditions, with_conditions, x, t, known, whole), with_conditions)


@pytest.mark.parametrize("steps", [1, 2, 3, 8, 128])
def test_multistep_integrates_a_constant_velocity_field_exactly(steps: int) -> None:
    noise, data = torch.randn(2, 7, 3), torch.randn(2, 7, 3)
    made = sample(
        lambda x, t, d, k: data - noise, noise, Known(noise, NONE_KNOWN), steps=steps, step_size=0.5, solver=MULTISTEP
    )
    torch.testing.assert_close(made, data, atol=1e-5, rtol=1e-5)


def gaussian_field(spread: float) -> Velocity:
    """The velocity of data N(0, spread^2): the path has the variance (1 - t)^2 + t^2 spread^2, so its flow takes noise
    z to spread z."""

    def velocity(x: Tensor, t: Tensor, d: Tensor, k: Tensor) -> Tensor:
        t = t[:, None, None]
        variance = (1 - t) ** 2 + (t * spread) ** 2
        return x * (t * spread**2 - (1 - t)) / variance

    return velocity


@pytest.mark.parametrize("spread", [0.3, 1.0, 4.0])
def test_multistep_is_nearer_to_the_flow_of_gaussian_data_than_equal_steps(spread: float) -> None:
    noise = torch.randn(2, 7, 3, generator=torch.Generator().manual_seed(1))

    def error(steps: int, solver: Solver) -> float:
        field, start = gaussian_field(spread), Known(noise, NONE_KNOWN)
        made = sample(field, noise, start, steps=steps, step_size=0.0, solver=solver)
        return (made / noise - spread).abs().max().item() / max(1.0, spread)

    assert error(8, MULTISTEP) < 0.12
    assert error(32, MULTISTEP) < 0.03
    assert error(128, MULTISTEP) < 0.005
    if spread > 1:  # loud data are settled early, where the times are dense
        assert error(8, MULTISTEP) < error(8, SHORTCUT) / 2


def test_only_the_papers_solver_passes_the_step_to_the_model() -> None:
    for solver, given_step in ((SHORTCUT, 0.25), (MULTISTEP, 0.0)):
        received: list[tuple[float, float]] = []

        def velocity(x: Tensor, t: Tensor, d: Tensor, k: Tensor, received: list = received) -> Tensor:
            received.append((t[0].item(), d[0].item()))
            return x

        zero = torch.zeros(2, 7, 3)
        sample(velocity, zero, Known(zero, NONE_KNOWN), steps=4, step_size=0.25, solver=solver)
        assert [step for _, step in received] == [given_step] * 4
        assert [time for time, _ in received] == pytest.approx([(n / 4) ** solver.time_exponent for n in range(4)])


def test_text_has_a_weight_of_its_own() -> None:
    """v(0) + 4 (v(picture) - v(0)) + 7 (v(picture, text) - v(picture)); with 4 it is plain guidance."""
    arguments = torch.zeros(2, 7, 3), torch.full((2,), 0.5), torch.zeros(2), torch.zeros(2, 7, dtype=torch.bool)

    def value(text_guidance: float) -> float:
        branches = [*towards(everywhere(3.0), everywhere(1.0), 4.0), Branch(everywhere(5.0), text_guidance)]
        (value,) = guided(branches, torch.zeros(2, 7, 3))(*arguments).unique()
        return value.item()

    assert value(7.0) == 1 + 4 * 2 + 7 * 2
    assert value(4.0) == 1 + 4 * 4
