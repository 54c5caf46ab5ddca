"""The SALSA-V generator: counts, shapes, invariances, Eq. 4."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from openfoley.config import from_dict, to_dict
from openfoley.flow.masking import Known
from openfoley.flow.noise import NoiseSource
from openfoley.flow.noise_scale import SCALED_FROM
from openfoley.generators.base import latent_times
from openfoley.generators.salsa_v import model as salsa_v_model
from openfoley.generators.salsa_v.conditioning import LengthUnification
from openfoley.generators.salsa_v.config import GYM, LARGE, SMALL, SalsaVConfig
from openfoley.generators.salsa_v.model import SalsaVGenerator
from openfoley.generators.sampling import sample_latents
from openfoley.request import Sampling
from openfoley.types import Conditions
from sequences import conditions as flat_conditions
from sequences import sequence, tokens

TINY = replace(
    GYM, latent_dim=6, semantic_dim=5, sync_dim=8, text_dim=7, width=32, heads=2, mlp_width=64, modulation_rank=8
)
BATCH, LATENTS = 3, 30
PAPER_TOLERANCE = 0.01


def made_conditions(
    config: SalsaVConfig, batch: int = BATCH, latents: int = LATENTS, offset_s: float = 0.0
) -> Conditions:
    duration_s = latents * config.hop_length / config.sample_rate
    frames, pictures = int(duration_s * 24) + 2, int(duration_s * 8) + 2
    return flat_conditions(
        sequence(
            torch.randn(batch, pictures, config.semantic_dim),
            (torch.arange(pictures) / 8 - offset_s).expand(batch, -1),
            torch.ones(batch, pictures, dtype=torch.bool),
        ),
        sequence(
            torch.randn(batch, frames, config.sync_dim),
            (torch.arange(frames) / 24 - offset_s).expand(batch, -1),
            torch.ones(batch, frames, dtype=torch.bool),
        ),
        tokens(torch.randn(batch, config.text_dim)),
    )


def negative(conditions: Conditions) -> Conditions:
    """Another text, and nothing of the picture."""
    return conditions.null().replaced(text=tokens(torch.randn(len(conditions["text"].values), TINY.text_dim)))


def stirred(config: SalsaVConfig) -> SalsaVGenerator:
    """A generator whose zero-started layers are random, so that everything reaches the output."""
    model = SalsaVGenerator(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if not parameter.any():
                parameter.normal_(std=0.2)
    return model


def inputs(config: SalsaVConfig, batch: int = BATCH, latents: int = LATENTS) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    known = torch.zeros(batch, latents, dtype=torch.bool)
    known[0, 3:7] = True
    return torch.randn(batch, latents, config.latent_dim), torch.rand(batch), torch.full((batch,), 0.125), known


@pytest.mark.parametrize(("config", "millions"), [(LARGE, 643), (SMALL, 347)])
def test_presets_have_the_papers_parameter_counts_within_one_percent(config: SalsaVConfig, millions: int) -> None:
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in SalsaVGenerator(config).parameters())
    assert abs(count / 1e6 / millions - 1) < PAPER_TOLERANCE


@pytest.mark.parametrize("config", [LARGE, SMALL, GYM])
def test_presets_map_latents_to_velocities_of_the_same_shape(config: SalsaVConfig) -> None:
    with torch.device("meta"):
        model = SalsaVGenerator(config)
        made = model(*inputs(config, 2, 345), made_conditions(config, 2, 345))
    assert made.shape == (2, 345, 64)


def test_gym_preset_stays_small() -> None:
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in SalsaVGenerator(GYM).parameters())
    assert 3.5e6 < count < 6e6


def test_config_survives_json() -> None:
    for config in (LARGE, GYM, replace(GYM, smallest_step=None)):
        assert from_dict(SalsaVConfig, to_dict(config)) == config


def test_new_generator_predicts_zero() -> None:
    assert not SalsaVGenerator(TINY)(*inputs(TINY), made_conditions(TINY)).any()


@torch.no_grad()
def test_every_input_reaches_the_output() -> None:
    model, (x, t, step, known), conditions = stirred(TINY), inputs(TINY), made_conditions(TINY)
    straight = model(x, t, step, known, conditions)
    changed = {
        "x": model(x + 1, t, step, known, conditions),
        "t": model(x, t / 2, step, known, conditions),
        "step": model(x, t, step * 2, known, conditions),
        "known": model(x, t, step, ~known, conditions),
    }
    for name in ("semantic", "sync", "text"):
        one = conditions[name]
        noisy = conditions.replaced(**{name: replace(one, values=torch.randn_like(one.values))})
        other = conditions.replaced(**{name: replace(one, values=one.values + torch.randn(()))})
        changed[name] = model(x, t, step, known, noisy)
        changed[f"{name} present"] = model(x, t, step, known, conditions.without(name))
        unread = model(x, t, step, known, other.without(name))
        torch.testing.assert_close(unread, changed[f"{name} present"])
    for name, made in changed.items():
        assert (made - straight).abs().max() > 1e-4, name


@torch.no_grad()
def test_rows_of_a_batch_do_not_touch_each_other() -> None:
    model, (x, t, step, known), conditions = stirred(TINY), inputs(TINY), made_conditions(TINY)
    together = model(x, t, step, known, conditions)
    for row in range(BATCH):
        index = [row]
        alone = model(x[index], t[index], step[index], known[index], conditions.select(index))
        torch.testing.assert_close(alone[0], together[row], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_moving_all_times_together_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model, (x, t, step, known), conditions = stirred(TINY), inputs(TINY), made_conditions(TINY)
    plain = model(x, t, step, known, conditions)
    moved = conditions.map(lambda one: replace(one, time_s=one.time_s + 2.75))
    monkeypatch.setattr(salsa_v_model, "latent_times", lambda *arguments: latent_times(*arguments) + 2.75)
    torch.testing.assert_close(model(x, t, step, known, moved), plain, atol=2e-3, rtol=2e-3)


@torch.no_grad()
def test_known_latents_are_at_time_one_whatever_t_says() -> None:
    model, (_, t, step, known), conditions = stirred(TINY), inputs(TINY), made_conditions(TINY)
    prepared = model.prepare(conditions, LATENTS)
    late, early = (model._clocks(time, step, known, prepared)[1] for time in (t, t / 2))
    assert torch.equal(late[known], early[known]) and not torch.isclose(late[~known], early[~known]).all(1).any()


def test_length_unification_is_equation_4() -> None:
    """At times where each term is known: features on their own instants, dense outputs on theirs."""
    unify = LengthUnification(8, 2)
    with torch.no_grad():
        unify.gate.fill_(0.7)
    features = torch.randn(1, 12, 8)
    time = torch.arange(12)[None] / 24
    at_features = unify(features, time, time)
    padded = F.pad(features.mT, (2, 2), mode="replicate")
    dense = unify.upsample(padded)[0].mT  # output j is centred at padded input (j - 1/2) / 2
    between = torch.stack([(dense[2 * k + 4] + dense[2 * k + 5]) / 2 for k in range(12)])
    expected = unify.norm(features[0]) + torch.tensor(0.7).tanh() * between
    torch.testing.assert_close(at_features[0], expected)


def test_gradient_stops_at_the_interpolation_and_passes_the_learned_path() -> None:
    unify = LengthUnification(8, 2)
    features = torch.randn(1, 12, 8, requires_grad=True)
    time, wanted = torch.arange(12)[None] / 24, torch.rand(1, 9) / 2
    unify(features, time, wanted).square().sum().backward()
    assert features.grad is not None and not features.grad.any()  # the gate starts closed
    with torch.no_grad():
        unify.gate.fill_(1.0)
    unify(features, time, wanted).square().sum().backward()
    assert features.grad.any()


@torch.no_grad()
def test_sync_features_are_read_at_absolute_times() -> None:
    """A window that starts between two frames has the same features at the same times, not a stretched copy."""
    unify = LengthUnification(8, 2)
    unify.gate.fill_(0.5)
    features, time = torch.randn(1, 200, 8), torch.arange(200)[None] / 24
    latent_time = (torch.arange(345)[None] + 0.5) * 1024 / 44100
    whole = unify(features, time, latent_time)
    start = 100
    start_s = start * 1024 / 44100
    part = unify(features[:, 40:150], time[:, 40:150] - start_s, latent_time[:, :50])
    torch.testing.assert_close(part, whole[:, start : start + 50], atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_samples_keep_known_latents_and_depend_on_their_seed_alone() -> None:
    model, conditions = stirred(TINY), made_conditions(TINY)
    known = torch.zeros(BATCH, LATENTS, dtype=torch.bool)
    known[:, :6] = True
    clean = torch.randn(BATCH, LATENTS, TINY.latent_dim)

    def draw(seeds: list[int], rows: list[int]) -> Tensor:
        return sample_latents(
            model, conditions.select(rows), NoiseSource(seeds, LATENTS), Sampling(steps=4, guidance=1.5),
            known=Known(clean[rows], known[rows]),
        )  # fmt: skip

    together = draw([1, 2, 3], [0, 1, 2])
    assert torch.equal(together[known], clean[known])
    assert torch.equal(draw([1, 2, 3], [0, 1, 2]), together)
    torch.testing.assert_close(draw([2], [1])[0], together[1], atol=1e-3, rtol=1e-3)
    assert not torch.allclose(draw([9], [1])[0][~known[1]], together[1][~known[1]])


@torch.no_grad()
def test_negative_text_moves_the_result() -> None:
    model, conditions = stirred(TINY), made_conditions(TINY)
    source, sampling = NoiseSource([1, 2, 3], LATENTS), Sampling(steps=2)
    plain = sample_latents(model, conditions, source, sampling)
    away = sample_latents(model, conditions, source, sampling, negatives=[negative(conditions)])
    assert not torch.allclose(plain, away)
    twice = sample_latents(model, conditions, source, sampling, negatives=[first := negative(conditions), first])
    once = sample_latents(model, conditions, source, sampling, negatives=[first])
    torch.testing.assert_close(twice, once, atol=1e-4, rtol=1e-4)
    both = sample_latents(model, conditions, source, sampling, negatives=[first, negative(conditions)])
    assert not torch.allclose(both, once)


@pytest.mark.slow
@pytest.mark.parametrize("preset", [LARGE, SMALL])
def test_paper_preset_of_reduced_depth_trains_a_step_and_generates(preset: SalsaVConfig) -> None:
    """Full width and heads, one block of each kind: a step and a sample with random weights on real memory."""
    config = replace(preset, joint_blocks=1, extra_attention_blocks=1, audio_blocks=1, smallest_step=Fraction(1, 128))
    model = SalsaVGenerator(config)
    x, t, step, known = inputs(config, 1, 64)
    conditions = made_conditions(config, 1, 64)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    for _ in range(2):
        error = (model(x, t, step, known, conditions) - x).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
    assert all(parameter.grad is not None for parameter in model.audio.parameters())
    made = sample_latents(model.eval(), conditions, NoiseSource([1], 64), Sampling(steps=2))
    assert made.shape == (1, 64, 64) and made.isfinite().all()


def test_temperature_makes_the_noise_smaller_on_the_way() -> None:
    """A new generator's velocity is zero, so all that comes out is noise: what is left of it at t = 2 ** -1.75, the end
    of the first of two steps, is 0.25 times as large."""
    model, conditions = SalsaVGenerator(TINY).eval(), made_conditions(TINY)
    plain, cool = (
        sample_latents(
            model,
            conditions,
            NoiseSource(range(BATCH), LATENTS),
            Sampling(steps=2, rescale=0.0, temperature=temperature),
        )  # fmt: skip
        for temperature in (1.0, 0.25)
    )
    torch.testing.assert_close(cool, (1 - 0.75 * (1 - 2**-1.75)) * plain)
    assert abs(float(plain.std()) - 1) < 0.1


def test_the_noise_is_that_of_the_latents_place_in_the_picture() -> None:
    """A new generator's velocity is zero: at temperature 1 the noise comes out as it was."""
    model, conditions = SalsaVGenerator(TINY).eval(), made_conditions(TINY)
    for first in (-5, 0, 100):
        made = sample_latents(
            model, conditions, NoiseSource(range(BATCH), LATENTS, first),
            Sampling(steps=2, rescale=0.0, temperature=1.0),
        )  # fmt: skip
        torch.testing.assert_close(made, NoiseSource(range(BATCH), LATENTS, first).draw(model.latent_dim))


def test_temperature_reaches_the_reference_of_the_unconditional_branch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The branch without the reference receives noise in its place, smaller after the first steps."""
    model, conditions = SalsaVGenerator(TINY).eval(), made_conditions(TINY)
    known = torch.zeros(BATCH, LATENTS, dtype=torch.bool)
    known[:, :5] = True
    seen: list[tuple[float, float]] = []

    def velocity(x: Tensor, t: Tensor, step: Tensor, is_known: Tensor, prepared: object) -> Tensor:
        if not is_known.any():
            seen.append((float(t[0]), float((x[known] / (1 - t[0])).std())))
        return torch.zeros_like(x)

    monkeypatch.setattr(model, "velocity", velocity)
    sample_latents(
        model, conditions, NoiseSource(range(BATCH), LATENTS), Sampling(steps=8, temperature=0.5),
        known=Known(torch.zeros(BATCH, LATENTS, TINY.latent_dim), known),
    )  # fmt: skip
    assert len(seen) == 8
    for time, deviation in seen:
        assert abs(deviation - (1.0 if time < SCALED_FROM else 0.5)) < 0.15


def test_prompt_and_picture_have_weights_of_their_own() -> None:
    """Only with a prompt, also with known latents; twice and half the guidance by default."""
    torch.manual_seed(0)
    model, conditions = stirred(TINY), made_conditions(TINY)
    mixed = conditions.replaced(text=tokens(conditions["text"].values, torch.tensor([True, False, True])))
    known = torch.zeros(BATCH, LATENTS, dtype=torch.bool)
    known[:, :5] = True
    clean = torch.randn(BATCH, LATENTS, TINY.latent_dim)

    def made(conditions: Conditions, text_guidance: float | None, **more: Any) -> Tensor:
        beside = {name: more.pop(name) for name in ("negatives", "known") if name in more}
        sampling = Sampling(steps=3, guidance=3.0, text_guidance=text_guidance, **more)
        return sample_latents(model, conditions, NoiseSource(range(BATCH), LATENTS), sampling, **beside)

    plain, heavier = made(mixed, 3.0), made(mixed, 7.0)
    torch.testing.assert_close(heavier[1], plain[1], atol=1e-5, rtol=1e-4)
    assert float((heavier - plain)[[0, 2]].abs().amax((1, 2)).min()) > 1e-3
    assert torch.equal(made(mixed, None), made(mixed, 6.0))
    torch.testing.assert_close(made(mixed, None)[[0, 2]], made(mixed, 6.0, picture_guidance=1.5)[[0, 2]])
    torch.testing.assert_close(made(mixed, None)[1], made(mixed, 6.0, picture_guidance=3.0)[1])
    assert torch.equal(made(conditions, None), made(conditions, 6.0, picture_guidance=1.5))
    by_row = [made(mixed, None, rescale=strength) for strength in (0.7, 1.0)]
    torch.testing.assert_close(made(mixed, None)[1], by_row[0][1])
    torch.testing.assert_close(made(mixed, None)[[0, 2]], by_row[1][[0, 2]])
    silent = conditions.without("text")
    assert torch.equal(made(silent, 7.0), made(silent, None))
    away: dict[str, Any] = {"negatives": [negative(conditions)]}
    assert torch.equal(made(mixed, None, **away), made(mixed, 6.0, picture_guidance=3.0, **away))
    context: dict[str, Any] = {"known": Known(clean, known)}
    assert torch.equal(made(mixed, None, **context), made(mixed, None, reference_guidance=3.0, **context))
    beside: dict[str, Any] = {"known": Known(clean, known), "reference_guidance": 1.0}
    assert torch.equal(made(mixed, 7.0, **beside)[known], clean[known])
    assert not torch.equal(made(mixed, 7.0, **beside), made(mixed, None, **beside))
