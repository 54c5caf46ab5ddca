"""Fades between stretches of sound."""

import torch

from openfoley.synthesis.crossfade import blend_weights, crossfade_latents, rising


def test_unrelated_sounds_keep_their_power_and_like_ones_their_level() -> None:
    torch.testing.assert_close(rising(7) ** 2 + rising(7).flip(0) ** 2, torch.ones(7))
    torch.testing.assert_close(blend_weights(7) + blend_weights(7).flip(0), torch.ones(7))


def test_latents_made_twice_go_from_the_old_to_the_new() -> None:
    old, new = torch.zeros(1, 4, 3), torch.ones(1, 9, 3)
    made = crossfade_latents(old, new)[0, :, 0]
    assert bool((made[:4].diff() > 0).all()) and 0 < made[0] < 0.1 < 0.9 < made[3] < 1
    assert bool((made[4:] == 1).all()) and len(made) == 9
    assert torch.equal(crossfade_latents(old[:, :0], new), new)
    assert torch.equal(crossfade_latents(new, new), new)
