"""Gamma and the map of timesteps found from what two models know, against closed forms."""

from dataclasses import replace

import pytest
import torch

from openfoley.flow.ddim import AUDIO, VIDEO
from openfoley.flow.equal_information import (
    TRAINED_STEPS,
    gamma_of,
    known_by_loss,
    known_by_snr,
    timestep_map,
)


def snr(power: torch.Tensor) -> torch.Tensor:
    return power / (1 - power)


def test_a_model_belongs_to_itself() -> None:
    known = known_by_snr(VIDEO, 0.7)
    found = timestep_map(known, known)
    torch.testing.assert_close(found, torch.arange(1000.0), atol=0.01, rtol=0)
    assert gamma_of(found) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("variance", [0.1, 1.0, 4.0])
def test_equally_known_means_equal_snr_times_variance(variance: float) -> None:
    found = timestep_map(known_by_snr(AUDIO, 1.0), known_by_snr(VIDEO, variance))
    audio = torch.arange(100, 600)
    video = found[audio]
    inside = (video > 20) & (video < 960)
    lower = video.floor().long()
    power = torch.lerp(VIDEO.signal_power()[lower], VIDEO.signal_power()[(lower + 1).clamp(max=999)], video - lower)
    expected = snr(AUDIO.signal_power()[audio]) / variance
    torch.testing.assert_close(snr(power)[inside], expected[inside], rtol=5e-3, atol=0)
    assert inside.sum() > 200


@pytest.mark.parametrize("gamma", [0.6, 1.0, 1.5, 2.2])
def test_a_true_exponent_is_found(gamma: float) -> None:
    share = torch.arange(TRAINED_STEPS, dtype=torch.float64) / TRAINED_STEPS
    audio = (1 - share).float()
    video = (1 - share ** (1 / gamma)).float()  # as known at t as the sound at t^(1 / gamma)
    assert gamma_of(timestep_map(audio, video)) == pytest.approx(gamma, rel=5e-3)


def test_the_exponent_turns_with_the_direction() -> None:
    """AudioLDM's schedule is the noisier of the two at the same t, but for data of equal variance only."""
    one, other = known_by_snr(AUDIO, 1.0), known_by_snr(VIDEO, 1.0)
    there, back = gamma_of(timestep_map(one, other)), gamma_of(timestep_map(other, one))
    assert (there - 1) * (back - 1) < 0 and there * back == pytest.approx(1.0, rel=0.15)


def test_noisy_losses_give_the_curve_of_the_variance() -> None:
    """Losses of Gaussian data at 40 timesteps, each with an error of 2 %."""
    timesteps = torch.linspace(0, 999, 40)
    true = known_by_snr(VIDEO, 0.5)
    losses = true[timesteps.long()] * (1 + 0.02 * torch.randn(40))
    found = known_by_loss(timesteps, losses)
    assert (found.diff() <= 1e-6).all()
    assert (found - true).abs().max() < 0.04


def test_losses_out_of_order_are_pooled() -> None:
    timesteps = torch.tensor([0.0, 300.0, 600.0, 999.0])
    for losses, known in (([0.9, 0.3, 0.6, 0.0], [0.9, 0.45, 0.45, 0.0]), ([0.1, 0.2, 0.3, 0.4], [0.25] * 4)):
        found = known_by_loss(timesteps, torch.tensor(losses))[timesteps.long()]
        torch.testing.assert_close(found, torch.tensor(known))


def test_a_slower_schedule_is_the_cleaner_one() -> None:
    """Half of all betas: at the same t more is known, so the other's cleaner timesteps belong to it."""
    slow = replace(VIDEO, first_beta=VIDEO.first_beta / 2, last_beta=VIDEO.last_beta / 2)
    assert gamma_of(timestep_map(known_by_snr(slow, 1.0), known_by_snr(VIDEO, 1.0))) > 1.2
