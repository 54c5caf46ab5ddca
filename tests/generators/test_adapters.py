"""The adapters against the fact sheet's arithmetic, and against what they must leave alone."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from openfoley.generators.adapters.config import SHARE, VARIANTS, AdapterConfig, compact, paper
from openfoley.generators.adapters.frame import Sliced, at_places
from openfoley.generators.adapters.model import AdaptedGenerator, Adapters, added_parameters
from openfoley.generators.adapters.overall import Gathered, in_same_shot
from openfoley.generators.base import Places
from openfoley.generators.mmaudio import config as mmaudio
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.generators.salsa_v import config as salsa_v
from openfoley.generators.salsa_v.model import SalsaVGenerator
from openfoley.types import NEAR, SHOTS, TEXT, Conditions
from sequences import sequence, tokens

SMALL = {"semantic_dim": 6, "sync_dim": 5, "text_dim": 4, "width": 32, "heads": 2, "mlp_width": 32, "audio_blocks": 1}
SALSA_V = replace(salsa_v.GYM, **SMALL, joint_blocks=1, modulation_rank=8)
TIMED = replace(mmaudio.GYM, **SMALL)
STRETCHED = replace(TIMED, sync_segment=8, window_latents=86, clock="stretched", text_tokens=3, semantic_tokens=64)
LATENTS, RATE, SYNC, PICTURES = 86, 24.0, 48, 16
KINDS = {"salsa-v": SALSA_V, "mmaudio": TIMED, "mmaudio-stretched": STRETCHED}


def generator(kind: str) -> Any:
    config = KINDS[kind]
    made = SalsaVGenerator(config) if kind == "salsa-v" else MMAudioGenerator(config)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.2)
    return made.eval().requires_grad_(False)


def adapters(config: AdapterConfig, std: float = 0.1) -> Adapters:
    made = Adapters(config)
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=std)
    return made.eval()


def conditions(batch: int = 2, text_tokens: int = 1, stretches: int = 9) -> Conditions:
    """A window from 3 s on of a video of 9 s with cuts at 2.6 and 6 s."""
    window = {
        "sync": sequence(torch.randn(batch, SYNC, 5), torch.arange(SYNC) / RATE),
        "semantic": sequence(torch.randn(batch, PICTURES, 6), torch.arange(PICTURES) / 8),
        TEXT: tokens(torch.randn(batch, text_tokens, 4)),
    }
    time = torch.arange(stretches) + 0.5 - 3.0
    whole = {
        "sync": sequence(torch.randn(batch, stretches, 5), time),
        "semantic": sequence(torch.randn(batch, stretches, 6), time),
        NEAR: window["sync"],
        SHOTS: sequence(torch.ones(batch, 3, 1), torch.tensor([-3.0, -0.4, 3.0])),
    }
    return Conditions(window, whole)


@torch.no_grad()
def velocity(model: Any, given: Conditions) -> Tensor:
    batch = given.batch
    x = torch.randn(batch, LATENTS, model.latent_dim, generator=torch.Generator().manual_seed(3))
    known = torch.zeros(batch, LATENTS, dtype=torch.bool)
    return model.velocity(x, torch.full((batch,), 0.3), torch.zeros(batch), known, model.prepare(given, LATENTS))


def texts(kind: str) -> int:
    return 3 if kind == "mmaudio-stretched" else 1


def test_the_papers_size_on_mmaudio_large() -> None:
    """Fact sheet 2.3: 25.46 M and 15.60 M on 1,030,002,168 are 1.0711 B."""
    config = paper(mmaudio.LARGE_44K)
    both = added_parameters(config)
    assert added_parameters(replace(config, overall="none")) == 25_461_632
    assert added_parameters(replace(config, frame="none")) == 15_599_360
    with torch.device("meta"):
        base = sum(one.numel() for one in MMAudioGenerator(mmaudio.LARGE_44K).parameters())
    published = base + 2 * mmaudio.LARGE_44K.latent_dim  # its file also has the latents' mean and deviation
    assert (both, published) == (41_060_992, 1_030_002_168) and round((published + both) / 1e9, 4) == 1.0711


@pytest.mark.parametrize("name", VARIANTS)
def test_the_gyms_adapters_are_under_a_twentieth_of_the_generator_and_two_megabytes(name: str) -> None:
    count = added_parameters(replace(compact(salsa_v.GYM), **VARIANTS[name]))
    assert 0 < count < SHARE * 4_088_257 and 2 * count < 2e6


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("config_of", [paper, compact])
@pytest.mark.parametrize("name", VARIANTS)
def test_at_the_start_they_add_nothing_to_the_bit(kind: str, name: str, config_of: Any) -> None:
    base, given = generator(kind), conditions(text_tokens=texts(kind))
    config = replace(config_of(base.config), inner=32, queries=4, heads=2, mlp_width=16, **VARIANTS[name])
    assert torch.equal(velocity(AdaptedGenerator(base, Adapters(config)), given), velocity(base, given))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", VARIANTS)
def test_trained_ones_change_the_velocity_but_not_the_unconditional_branch(kind: str, name: str) -> None:
    base, given = generator(kind), conditions(text_tokens=texts(kind))
    adapted = AdaptedGenerator(base, adapters(replace(compact(base.config), **VARIANTS[name])))
    assert not torch.allclose(velocity(adapted, given), velocity(base, given))
    assert torch.equal(velocity(adapted, given.null()), velocity(base, given.null()))
    joined = Conditions.joined([given, given.null()])
    prepared, plain = adapted.prepare(joined, LATENTS), base.prepare(joined, LATENTS)
    assert (
        torch.equal(prepared.overall[2:], plain.overall[2:])
        and not torch.equal(prepared.overall, plain.overall)
        or (name == "frame-only")
    )
    assert adapted.reads_whole_video and adapted.accepts_known == base.accepts_known
    assert adapted.trained_step(8) == base.trained_step(8) and adapted.defaults == base.defaults


@torch.no_grad()
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_added_reaches_both_conditions(kind: str) -> None:
    base, given = generator(kind), conditions(text_tokens=texts(kind))
    prepared = base.prepare(given, LATENTS)
    places, width = prepared.places, base.config.width
    nothing = prepared.plus(torch.zeros(2, width), torch.zeros(len(places.owner), width))
    same = prepared.plus(torch.ones(2, width), -torch.ones(len(places.owner), width))
    more = prepared.plus(torch.zeros(2, width), torch.ones(len(places.owner), width))
    x, known = torch.randn(2, LATENTS, base.latent_dim), torch.zeros(2, LATENTS, dtype=torch.bool)

    def run(ready: Any) -> Tensor:
        return base.velocity(x, torch.full((2,), 0.3), torch.zeros(2), known, ready)

    assert torch.equal(run(nothing), run(prepared))
    assert not torch.allclose(run(more), run(prepared)) and not torch.allclose(run(same), run(more))
    assert set(places.owner.tolist()) == {0, 1} and float(places.time_s.max()) < 2.1


def test_a_slice_with_its_reach_is_what_the_whole_sequence_gives() -> None:
    config = replace(paper(SALSA_V), mlp_width=16)
    frame = Sliced(config)
    for parameter in frame.parameters():
        nn.init.normal_(parameter, std=0.3)
    shot = sequence(torch.randn(1, 96, 5), torch.arange(96) / RATE)
    middle = torch.ones(1)
    whole = frame(shot, shot, middle)
    assert config.reach == 5
    for reach, equal in ((config.reach, True), (config.reach - 1, False)):
        part = shot.each(lambda x, r=reach: x[:, 40 - r : 60 + r])
        assert torch.allclose(frame(part, shot, middle)[:, reach:-reach], whole[:, 40:60], atol=1e-6) is equal


def test_rows_are_read_linearly_at_their_instants_and_not_where_nothing_is_seen() -> None:
    time = torch.stack([torch.arange(10) / 5 - 0.4, torch.arange(10) / 5 + 1.0])
    there = torch.ones(2, 10, dtype=torch.bool)
    there[0, :3] = False
    rows = (3 * time + 1)[..., None]
    places = Places(torch.tensor([0, 0, 1, 1, 0]), torch.tensor([0.77, 1.2, 1.9, 0.0, -0.4]))
    read = at_places(rows, replace(sequence(rows, time), present=there), places)
    assert torch.allclose(read[:, 0], torch.tensor([3.31, 4.6, 6.7, 4.0, 0.0]), atol=1e-5)  # edges are held
    nothing = at_places(rows[:, :0], sequence(rows[:, :0], time[:, :0]), places)
    assert torch.equal(nothing, torch.zeros(5, 1))


@pytest.mark.parametrize("name", ["shipped", "attention", "mean"])
def test_the_order_and_the_absent_tokens_of_the_whole_video_do_not_matter(name: str) -> None:
    config = replace(compact(SALSA_V), **VARIANTS[name])
    made, given, places = adapters(config), conditions(), Places(torch.tensor([0, 1]), torch.tensor([0.5, 1.0]))
    middle = torch.full((2,), 1.0)
    mixed = torch.randperm(9)
    whole = {n: one.each(lambda x: x[:, mixed]) if n in ("sync", "semantic") else one for n, one in given.whole.items()}
    padded = {
        n: replace(
            one.each(lambda x: torch.cat([x, x[:, :2]], 1)), present=torch.tensor([[True] * 9 + [False] * 2] * 2)
        )
        if n in ("sync", "semantic")
        else one
        for n, one in given.whole.items()
    }
    expected = made(given, places, middle)
    for other in (whole, padded):
        for ours, theirs in zip(made(replace(given, whole=other), places, middle), expected, strict=True):
            assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_the_gate_chooses_between_the_windows_shot_and_the_whole_video() -> None:
    made, given = Gathered(compact(SALSA_V), by_shot=True), conditions()
    for parameter in made.parameters():
        nn.init.normal_(parameter, std=0.1)
    middle = torch.full((2,), 1.0)
    inside = in_same_shot(given.whole["sync"].time_s, middle, given.whole[SHOTS])
    assert inside[0].tolist() == [False] * 3 + [True] * 3 + [False] * 3  # 2.6 to 6 s; the middle of a stretch counts
    other = {
        n: replace(one, values=torch.where(inside[..., None], one.values, -one.values))
        if n in ("sync", "semantic")
        else one
        for n, one in given.whole.items()
    }
    assert made.gate is not None
    for bias, equal in ((30.0, True), (-30.0, False)):  # the shot alone; the whole video alone
        nn.init.zeros_(made.gate.weight)
        nn.init.constant_(made.gate.bias, bias)
        assert torch.allclose(made(given, middle), made(replace(given, whole=other), middle), atol=1e-5) is equal


def test_a_video_of_which_nothing_is_seen_yet_adds_nothing() -> None:
    """Live, in the first second."""
    for name in VARIANTS:
        base = generator("salsa-v")
        adapted = AdaptedGenerator(base, adapters(replace(compact(SALSA_V), **VARIANTS[name])))
        given = conditions(stretches=0)
        if name in ("sliced", "as-paper"):  # a convolution sees the window itself
            given = replace(given, whole={**given.whole, NEAR: given.whole[NEAR].absent()})
        assert torch.equal(velocity(adapted, given), velocity(base, given))


def test_the_stretch_is_exact() -> None:
    base = generator("salsa-v")
    adapted = AdaptedGenerator(base, Adapters(compact(SALSA_V)))
    assert adapted.whole_input.stretch_s == Fraction(1) and adapted.whole_input.reach == 0
