import torch

from openfoley.data.onsets import STEPS_PER_FRAME, onset_targets


def click(at_s: float, level: float = 0.5, duration_s: float = 1.0) -> torch.Tensor:
    samples = torch.zeros(1, round(16000 * duration_s))
    start = round(at_s * 16000)
    ring = torch.arange(400) / 16000
    samples[0, start : start + 400] = level * torch.sin(2 * torch.pi * 1800 * ring) * torch.exp(-ring / 0.01)
    return samples


def test_a_click_rises_in_the_step_in_which_it_begins() -> None:
    for at_s in (0.26, 0.505, 0.731):
        rises = onset_targets(click(at_s), 24)[0, :, :, :6].flatten(0, 1).amax(-1)
        assert abs(int(rises.argmax()) - int(at_s * 96)) <= 1


def test_silence_and_steady_tones_have_no_onsets_but_a_level() -> None:
    assert onset_targets(torch.zeros(1, 16000), 24).max() == 0
    tone = torch.sin(2 * torch.pi * 1000 * torch.arange(16000) / 16000)[None] * 0.1
    targets = onset_targets(tone, 24)[0, :-1]
    assert targets[..., :6].max() < 0.05
    expected = torch.log10(torch.tensor(0.005 / 1e-7)) / 6  # mean square over the floor, six decades
    torch.testing.assert_close(targets[..., 6].mean(), expected, atol=0.02, rtol=0)


def test_louder_clicks_have_a_higher_level() -> None:
    quiet, loud = (onset_targets(click(0.5, level), 24)[..., 6].max() for level in (0.05, 0.5))
    assert loud > quiet


def test_shape_is_steps_per_frame_whatever_the_length() -> None:
    assert onset_targets(torch.randn(2, 10667), 16).shape == (2, 16, STEPS_PER_FRAME, 7)
