"""Sequences that are denoised together exchange every second shared latent after each step."""

import torch

from openfoley.flow.exchange import Shared
from openfoley.flow.masking import Known
from openfoley.flow.path import Latents, Rows
from openfoley.flow.samplers import Start, sample, sample_together
from openfoley.flow.settings import MULTISTEP, SHORTCUT

SHARED = Shared(left=5, right=0, count=3)


def known(latents: int, first: int = 0) -> Known:
    is_known = torch.arange(latents)[None] < first
    return Known(torch.full((1, latents, 2), 7.0), is_known)


def towards(value: float):
    """The velocity whose path ends at `value` from any x_t."""

    def velocity(x_t: Latents, t: Rows, step: Rows, is_known: torch.Tensor) -> Latents:
        return (value - x_t) / (1 - t)[:, None, None]

    return velocity


def test_every_second_shared_latent_is_the_others_and_all_else_stays() -> None:
    one, other = torch.zeros(1, 8, 2), torch.ones(1, 6, 2)
    first, second = SHARED.exchanged(one, other)
    assert first[0, :, 0].tolist() == [0, 0, 0, 0, 0, 0, 1, 0] and second[0, :, 0].tolist() == [1, 0, 1, 1, 1, 1]
    assert not one.any() and bool((other == 1).all()), "arguments are left alone"
    again = SHARED.exchanged(first, second)
    assert torch.equal(again[0], one) and torch.equal(again[1], other)


def test_sequences_sampled_together_without_exchange_are_those_sampled_alone() -> None:
    noises = [torch.randn(1, n, 2) for n in (8, 6)]
    starts = [Start(towards(v), noise, known(noise.shape[1], 2)) for v, noise in zip((1.0, -1.0), noises, strict=True)]
    for solver in (MULTISTEP, SHORTCUT):
        both = sample_together(starts, steps=5, step_size=0.2, solver=solver)
        for start, made in zip(starts, both, strict=True):
            alone = sample(start.velocity, start.noise, start.known, steps=5, step_size=0.2, solver=solver)
            assert torch.equal(alone, made) and torch.equal(made[:, :2], start.known.latent[:, :2])


def test_what_two_sequences_share_ends_between_both() -> None:
    """Each latent ends where the sequence that held it in the last step points: every second one at the other's end."""
    starts = [Start(towards(v), torch.randn(1, n, 2), known(n)) for v, n in ((1.0, 8), (-1.0, 6))]
    first, second = sample_together(starts, steps=6, step_size=0.0, solver=MULTISTEP, shared=SHARED)
    torch.testing.assert_close(first[0, :, 0], torch.tensor([1.0, 1, 1, 1, 1, 1, -1, 1]))
    torch.testing.assert_close(second[0, :, 0], torch.tensor([-1.0, 1, -1, -1, -1, -1]))


def test_alike_sequences_are_not_changed_by_the_exchange() -> None:
    noise = torch.randn(1, 12, 2)
    starts = [Start(towards(0.5), part, known(part.shape[1])) for part in (noise[:, :8], noise[:, 5:])]
    apart = sample_together(starts, steps=4, step_size=0.0, solver=MULTISTEP)
    together = sample_together(starts, steps=4, step_size=0.0, solver=MULTISTEP, shared=SHARED)
    for one, other in zip(apart, together, strict=True):
        torch.testing.assert_close(one, other)
