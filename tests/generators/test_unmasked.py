"""Guidance per condition and known latents, with a tiny MMAudio whose layers are random."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from openfoley.flow.replacement import PLAIN, Replacement
from openfoley.generators.base import sample_latents
from openfoley.generators.guidance_weights import Guidance
from openfoley.generators.mmaudio import SMALL_16K, MMAudioGenerator
from openfoley.generators.unmasked import weighted_branches
from openfoley.types import Conditions

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
    return Conditions(
        semantic=torch.randn(1, 8, 6, generator=random),
        semantic_time=torch.arange(8)[None] / 1.0,
        semantic_present=torch.full((1, 8), picture),
        sync=torch.randn(1, 192, 6, generator=random),
        sync_time=torch.arange(192)[None] / 25,
        sync_present=torch.full((1, 192), picture),
        text=torch.randn(1, 3, 6, generator=random),
        text_present=torch.tensor([text]),
    )


NEGATIVE = torch.randn(1, 3, 6, generator=torch.Generator().manual_seed(9))


def made(model: MMAudioGenerator, conditions: Conditions, **options: object) -> Tensor:
    return sample_latents(model, conditions, seeds=[7], latents=LATENTS, steps=4, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("picture", [True, False])
@pytest.mark.parametrize("negative", [None, NEGATIVE])
def test_weights_of_all_branches_add_up_to_one(text: bool, picture: bool, negative: Tensor | None) -> None:
    conditions = made_conditions(text, picture)
    for guidance in (Guidance(4.5), Guidance(4.5, 3.0, 6.0, 2.0), Guidance(4.5, text=7.0), Guidance(1.0)):
        branches = weighted_branches(conditions, negative, guidance)
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
    with_negative = made(model, conditions, guidance=3.0, negative_text=NEGATIVE, **options)
    assert (with_negative - without).abs().max() > 1e-3


def test_a_negative_texts_own_weight_moves_the_velocity_away_from_it(model: MMAudioGenerator) -> None:
    """v(w_n) is linear in w_n, along v(picture) - v(picture, negative)."""
    conditions = made_conditions(text=False)
    x, t = torch.randn(1, LATENTS, 4), torch.tensor([0.4])
    unwanted = replace(conditions, text=NEGATIVE, text_present=torch.tensor([True]))
    away = model(x, t, model.hear([conditions], LATENTS)) - model(x, t, model.hear([unwanted], LATENTS))

    def velocity(weight: float) -> Tensor:
        branches = weighted_branches(conditions, NEGATIVE, Guidance(2.0, negative=weight))
        return sum(w * model(x, t, model.hear([c], LATENTS)) for c, w in branches)  # type: ignore[return-value]

    torch.testing.assert_close(velocity(3.0) - velocity(1.0), 2 * away, atol=1e-4, rtol=1e-4)


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
            latent = made(model, conditions, known_latent=clean, known=known, replacement=replacement)
            assert torch.equal(latent[:, :6], clean[:, :6]) and latent.isfinite().all()
            results.append(latent)
    assert (results[0][:, 6:] - results[1][:, 6:]).abs().max() > 1e-3


def test_the_same_seed_gives_the_same_bytes(model: MMAudioGenerator) -> None:
    known = torch.zeros(1, LATENTS, dtype=torch.bool)
    known[:, :6] = True
    options = {"known_latent": torch.ones(1, LATENTS, 4), "known": known}
    assert torch.equal(made(model, made_conditions(), **options), made(model, made_conditions(), **options))
