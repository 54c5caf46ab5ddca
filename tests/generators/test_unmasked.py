"""Guidance per condition and known latents, with a tiny MMAudio whose layers are random."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from openfoley.flow.masking import Known
from openfoley.flow.noise import NoiseSource
from openfoley.flow.settings import PLAIN, Replacement
from openfoley.generators.base import Branches
from openfoley.generators.mmaudio.config import SMALL_16K
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.generators.sampling import sample_latents
from openfoley.generators.unmasked import weighted_branches
from openfoley.request import Sampling
from openfoley.types import Conditions
from sequences import conditions as flat_conditions
from sequences import sequence, tokens

TINY = replace(
    SMALL_16K,
    latent_dim=4,
    window_latents=25,
    semantic_dim=6,
    semantic_tokens=8,
    sync_dim=6,
    sync_tokens=192,
    text_dim=6,
    text_tokens=3,
    width=64,
    heads=1,
    mlp_width=32,
    joint_blocks=2,
    audio_blocks=1,
)
LATENTS = 25


@pytest.fixture(scope="module")
def model() -> MMAudioGenerator:
    torch.manual_seed(3)
    model = MMAudioGenerator(TINY).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.copy_(torch.randn_like(parameter) / max(1, parameter[0].numel()) ** 0.5)
    return model


def made_conditions(text: bool = True, picture: bool = True) -> Conditions:
    random = torch.Generator().manual_seed(5)
    return flat_conditions(
        sequence(torch.randn(1, 8, 6, generator=random), torch.arange(8)[None] / 1.0, torch.full((1, 8), picture)),
        sequence(torch.randn(1, 192, 6, generator=random), torch.arange(192)[None] / 25, torch.full((1, 192), picture)),
        tokens(torch.randn(1, 3, 6, generator=random), torch.tensor([text])),
    )


NEGATIVE = torch.randn(1, 3, 6, generator=torch.Generator().manual_seed(9))


def made(model: MMAudioGenerator, conditions: Conditions, **options: Any) -> Tensor:
    beside = {name: options.pop(name) for name in ("negatives", "known") if name in options}
    sampling = Sampling(steps=4, **options)
    return sample_latents(model, conditions, NoiseSource([7], LATENTS), sampling, **beside)


def against(conditions: Conditions, text: Tensor | None = NEGATIVE) -> Branches:
    """The branches of guidance with a negative text, or none."""
    return Branches(conditions, [] if text is None else [conditions.null().replaced(text=tokens(text))])


def velocity(model: MMAudioGenerator, x: Tensor, t: Tensor, conditions: Conditions) -> Tensor:
    return model(x, t, torch.zeros_like(t), torch.zeros(x.shape[:2], dtype=torch.bool), conditions)


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("picture", [True, False])
@pytest.mark.parametrize("negative", [None, NEGATIVE])
def test_weights_of_all_branches_add_up_to_one(text: bool, picture: bool, negative: Tensor | None) -> None:
    conditions = made_conditions(text, picture)
    apart = Sampling(guidance=4.5, picture_guidance=3.0, text_guidance=6.0, negative_guidance=2.0)
    for sampling in (Sampling(guidance=4.5), apart, Sampling(guidance=4.5, text_guidance=7.0), Sampling(guidance=1.0)):
        branches = weighted_branches(against(conditions, negative), sampling)
        assert sum(weight for _, weight in branches) == pytest.approx(1.0)
        assert branches[0][0] is conditions


def test_equal_weights_for_picture_and_text_are_plain_guidance(model: MMAudioGenerator) -> None:
    conditions = made_conditions()
    plain = made(model, conditions, guidance=3.0)
    apart = made(model, conditions, guidance=3.0, picture_guidance=3.0)
    torch.testing.assert_close(apart, plain, atol=1e-4, rtol=1e-4)
    other = made(model, conditions, guidance=3.0, text_guidance=6.0)
    assert (other - plain).abs().max() > 1e-3


@pytest.mark.parametrize("options", [{}, {"text_guidance": 3.0}, {"negative_guidance": 2.0}])
@pytest.mark.parametrize("picture", [True, False])
def test_a_negative_text_acts_without_a_prompt(
    model: MMAudioGenerator, options: dict[str, float], picture: bool
) -> None:
    conditions = made_conditions(text=False, picture=picture)
    without = made(model, conditions, guidance=3.0, **options)
    with_negative = made(model, conditions, guidance=3.0, negatives=against(conditions).against, **options)
    assert (with_negative - without).abs().max() > 1e-3


def test_a_negative_texts_own_weight_moves_the_velocity_away_from_it(model: MMAudioGenerator) -> None:
    """v(w_n) is linear in w_n, along v(picture) - v(picture, negative)."""
    conditions = made_conditions(text=False)
    x, t = torch.randn(1, LATENTS, 4), torch.tensor([0.4])
    unwanted = conditions.replaced(text=tokens(NEGATIVE))
    away = velocity(model, x, t, conditions) - velocity(model, x, t, unwanted)

    def guided(weight: float) -> Tensor:
        branches = weighted_branches(against(conditions), Sampling(guidance=2.0, negative_guidance=weight))
        return sum(w * velocity(model, x, t, c) for c, w in branches)  # type: ignore[return-value]

    torch.testing.assert_close(guided(3.0) - guided(1.0), 2 * away, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("options", [{}, {"negative_guidance": 2.0}])
def test_several_negative_texts_share_the_weight_of_one(options: dict[str, float]) -> None:
    conditions, sampling = made_conditions(), Sampling(guidance=4.5, **options)
    one = against(conditions)
    three = Branches(conditions, [*one.against, *against(conditions, 2 * NEGATIVE).against, *one.against])
    single, several = (weighted_branches(branches, sampling) for branches in (one, three))
    assert [weight for _, weight in several[-3:]] == pytest.approx([single[-1][1] / 3] * 3)
    assert [weight for _, weight in several[:-3]] == [weight for _, weight in single[:-1]]
    assert torch.equal(several[-2][0]["text"].values, 2 * single[-1][0]["text"].values)


@pytest.mark.parametrize("replacement", [PLAIN, Replacement(1, 0.0), Replacement(1, 1.0)])
def test_known_latents_are_returned_bit_for_bit_and_reach_the_others(
    model: MMAudioGenerator, replacement: Replacement
) -> None:
    conditions = made_conditions()
    known = torch.zeros(1, LATENTS, dtype=torch.bool)
    known[:, :6] = True
    results = []
    with torch.inference_mode():
        for scale in (1.0, -1.0):
            clean = scale * torch.randn(1, LATENTS, 4, generator=torch.Generator().manual_seed(2))
            latent = made(model, conditions, known=Known(clean, known), replacement=replacement)
            assert torch.equal(latent[:, :6], clean[:, :6]) and latent.isfinite().all()
            results.append(latent)
    assert (results[0][:, 6:] - results[1][:, 6:]).abs().max() > 1e-3


def test_the_same_seed_gives_the_same_bytes(model: MMAudioGenerator) -> None:
    known = torch.zeros(1, LATENTS, dtype=torch.bool)
    known[:, :6] = True
    options = {"known": Known(torch.ones(1, LATENTS, 4), known)}
    assert torch.equal(made(model, made_conditions(), **options), made(model, made_conditions(), **options))
