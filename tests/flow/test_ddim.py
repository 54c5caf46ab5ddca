"""Schedules, warped timesteps and the DDIM step against the published implementation, and against theory."""

import pytest
import svg_seeded
import torch

from openfoley.flow.ddim import AUDIO, VIDEO, NoiseSchedule, ddim_step, noise_from_velocity, noised, powers
from openfoley.flow.timestep_adjustment import Modality, adjusted, mapped

SCHEDULES: dict[Modality, NoiseSchedule] = {"video": VIDEO, "audio": AUDIO}
TIMESTEPS = svg_seeded.golden("timesteps")


@pytest.mark.parametrize("modality", ["video", "audio"])
def test_schedules_and_all_published_timesteps(modality: Modality) -> None:
    schedule = SCHEDULES[modality]
    torch.testing.assert_close(schedule.signal_power(), TIMESTEPS[f"{modality}.alphas_cumprod"], atol=1e-7, rtol=1e-6)
    cases = [key for key in TIMESTEPS if key.startswith(f"{modality}.n")]
    assert len(cases) == 28
    for key in cases:
        _, steps, gamma = key.split(".", 2)
        grid = schedule.timesteps(int(steps[1:]))
        found = grid if gamma == "none" else adjusted(grid, float(gamma[1:]), modality)
        assert torch.equal(found, TIMESTEPS[key]), key


@pytest.mark.parametrize("modality", ["video", "audio"])
def test_ddim_steps_on_a_warped_list(modality: Modality) -> None:
    given = svg_seeded.golden("ddim_gamma1.5_10steps")
    schedule = SCHEDULES[modality]
    now, following = powers(schedule, adjusted(schedule.timesteps(10), 1.5, modality))
    x = given[f"{modality}.x_init"]
    for step in range(10):
        made = ddim_step(x, given[f"{modality}.eps.{step}"], now[step], following[step])
        torch.testing.assert_close(made.x0, given[f"{modality}.x0.{step}"], atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(made.x, given[f"{modality}.x.{step}"], atol=1e-5, rtol=1e-4)
        x = made.x


@pytest.mark.parametrize("modality", ["video", "audio"])
@pytest.mark.parametrize("steps", [1, 10, 25, 50, 100])
def test_gamma_1_is_bit_equal_to_plain_ddim(modality: Modality, steps: int) -> None:
    grid = SCHEDULES[modality].timesteps(steps)
    assert torch.equal(adjusted(grid, 1.0, modality), grid)


def test_the_step_equals_diffusers_on_its_even_grid() -> None:
    """Bit for bit, where T - T // n is the next entry of the list."""
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    theirs = DDIMScheduler(
        beta_start=AUDIO.first_beta, beta_end=AUDIO.last_beta, beta_schedule="scaled_linear", clip_sample=False,
        set_alpha_to_one=False, steps_offset=1, timestep_spacing="leading",
    )  # fmt: skip
    theirs.set_timesteps(50)
    grid = AUDIO.timesteps(50)
    assert torch.equal(theirs.timesteps, grid)
    now, following = powers(AUDIO, grid)
    x = y = torch.randn(2, 3)
    for step, t in enumerate(grid):
        eps = torch.randn(2, 3)
        x, y = ddim_step(x, eps, now[step], following[step]).x, theirs.step(eps, int(t), y).prev_sample
        assert torch.equal(x, y)


def test_true_noise_leads_back_to_the_data() -> None:
    """With the noise known exactly, every list of timesteps ends at the data with the noise of a_0."""
    x0, noise = torch.randn(4, 5), torch.randn(4, 5)
    now, following = powers(VIDEO, adjusted(VIDEO.timesteps(7), 2.0, "video"))
    x = noised(x0, noise, now[0])
    for step in range(7):
        x = ddim_step(x, noise, now[step], following[step]).x
    torch.testing.assert_close(x, noised(x0, noise, VIDEO.signal_power()[0]), atol=1e-4, rtol=1e-4)


def test_the_true_velocity_gives_the_noise() -> None:
    a = VIDEO.signal_power()[[0, 500, 999]][:, None]
    x0, noise = torch.randn(3, 5), torch.randn(3, 5)
    velocity = a.sqrt() * noise - (1 - a).sqrt() * x0
    torch.testing.assert_close(noise_from_velocity(noised(x0, noise, a), velocity, a), noise, atol=1e-6, rtol=1e-5)


def test_video_is_the_cleaner_by_gamma() -> None:
    grid = torch.arange(999, 0, -50)
    video, audio = (adjusted(grid, 1.5, modality).double() / 1000 for modality in ("video", "audio"))
    torch.testing.assert_close(video, audio**1.5, atol=1e-3, rtol=0)
    assert (video <= audio).all()


def test_a_map_of_equal_timesteps_changes_nothing() -> None:
    identity = torch.arange(1000, dtype=torch.float32)
    for modality, schedule in SCHEDULES.items():
        grid = schedule.timesteps(25)
        assert torch.equal(mapped(grid, identity, modality), grid)
