"""The MMAudio network against the published implementation's outputs (seeded weights), and against theory."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import seeded
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor

from openfoley.generators.mmaudio.conditioning import Prepared, TimeEmbedding
from openfoley.generators.mmaudio.config import VARIANTS, MMAudioConfig
from openfoley.generators.mmaudio.foreign import from_mmaudio, latent_statistics
from openfoley.generators.mmaudio.model import MMAudioGenerator
from openfoley.nn.gated import TimeConv
from openfoley.types import Conditions, FeatureSequence
from sequences import conditions as flat_conditions
from sequences import sequence, tokens

OUTPUTS = load_file(seeded.FOLDER / "mmaudio_network.safetensors")
SHAPES = json.loads((seeded.FOLDER / "mmaudio_network_shapes.json").read_text())
TINY = replace(VARIANTS["small-16k"], **seeded.TINY_SIZES)
CONFIGS = {
    "tiny_v1": TINY,
    "tiny_v2": replace(TINY, version=2),
    **{name.replace("-", "_"): config for name, config in VARIANTS.items()},
}
TOLERANCE = {"tiny": 1e-5, "full": 4e-5}  # values are of order 1 to 4; the kit's own suggestion for full is 2e-4
END_POINT_TOLERANCE = 1e-4  # after 25 guided steps; the kit suggests 1e-3
GUIDANCE = 4.5
SYNC_FPS = 25


class Lazy(Mapping[str, Tensor]):
    """The seeded weights of a manifest, each made on demand: the large network is 4 GB."""

    def __init__(self, shapes: dict[str, list[int]]) -> None:
        self.shapes = shapes

    def __getitem__(self, key: str) -> Tensor:
        return seeded.weight(key, self.shapes[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)


def seeded_model(name: str) -> MMAudioGenerator:
    with torch.device("meta"):
        model = MMAudioGenerator(CONFIGS[name])
    model.load_state_dict(from_mmaudio(Lazy(SHAPES[name]["shapes"])), assign=True)
    return model.eval().requires_grad_(False)


def seeded_conditions(
    config: MMAudioConfig, batch: int, semantic: int, sync: int, text_key: str = "text_f"
) -> Conditions:
    pictures = F.normalize(seeded.noise("input.clip_f", (batch, semantic, config.semantic_dim)), dim=-1)
    text = F.normalize(seeded.noise(f"input.{text_key}", (batch, config.text_tokens, config.text_dim)), dim=-1)
    return flat_conditions(
        sequence(
            pictures,
            (torch.arange(semantic) * (8 / config.semantic_tokens)).expand(batch, -1),
            torch.ones(batch, semantic, dtype=torch.bool),
        ),
        sequence(
            seeded.noise("input.sync_f", (batch, sync, config.sync_dim)),
            (torch.arange(sync) / SYNC_FPS).expand(batch, -1),
            torch.ones(batch, sync, dtype=torch.bool),
        ),
        tokens(text),
    )


def velocity(model: MMAudioGenerator, x: Tensor, t: Tensor, conditions: Conditions) -> Tensor:
    return prepared_velocity(model, x, t, model.prepare(conditions, x.shape[1]))


def prepared_velocity(model: MMAudioGenerator, x: Tensor, t: Tensor, prepared: Prepared) -> Tensor:
    return model.velocity(x, t, torch.zeros_like(t), torch.zeros(x.shape[:2], dtype=torch.bool), prepared)


def check_flow(
    model: MMAudioGenerator, name: str, times: list[float], guided_time: float, tokens: tuple[int, int]
) -> None:
    config, limit = model.config, TOLERANCE["tiny" if name.startswith("tiny") else "full"]
    expected = OUTPUTS[f"{name}.flow"]
    x = seeded.noise("input.latent", expected.shape)
    conditions = seeded_conditions(config, len(x), *tokens)
    torch.testing.assert_close(velocity(model, x, torch.tensor(times), conditions), expected, atol=limit, rtol=0)
    if f"{name}.flow_empty" not in OUTPUTS:
        return
    empty = velocity(model, x, torch.tensor(times), conditions.null())
    torch.testing.assert_close(empty, OUTPUTS[f"{name}.flow_empty"], atol=limit, rtol=0)
    branches = model.prepare(Conditions.joined([conditions, conditions.null()]), x.shape[1])
    both = prepared_velocity(model, x, torch.full((len(x),), guided_time), branches)
    conditional, unconditional = both.chunk(2)
    guided = GUIDANCE * conditional + (1 - GUIDANCE) * unconditional
    torch.testing.assert_close(guided, OUTPUTS[f"{name}.flow_cfg"], atol=8 * limit, rtol=0)


@pytest.mark.parametrize("name", ["tiny_v1", "tiny_v2"])
def test_tiny_networks_give_the_published_implementations_velocities(name: str) -> None:
    check_flow(seeded_model(name), name, [0.0, 0.4, 0.97], 0.0, (16, 40))


@pytest.mark.slow
def test_small_network_gives_the_published_velocities_at_5_8_and_10_seconds() -> None:
    model = seeded_model("small_16k")
    check_flow(model, "small_16k", [0.3, 0.85], 0.3, (64, 192))
    check_flow(model, "small_16k_5s", [0.6], 0.6, (40, 112))
    check_flow(model, "small_16k_10s", [0.6], 0.6, (80, 240))


@pytest.mark.slow
def test_large_v2_network_gives_the_published_velocities() -> None:
    check_flow(seeded_model("large_44k_v2"), "large_44k_v2", [0.37], 0.37, (64, 192))


def end_point(model: MMAudioGenerator, x: Tensor, branches: list[Conditions]) -> Tensor:
    """With the published sampler's times: float32's linspace is off by up to 3e-8, which version 2 resolves."""
    prepared = model.prepare(Conditions.joined(branches), x.shape[1])
    for time in torch.linspace(0, 1, 26)[:-1]:
        conditional, unconditional = prepared_velocity(model, x, time.expand(len(x)), prepared).chunk(2)
        x = x + (GUIDANCE * conditional + (1 - GUIDANCE) * unconditional) / 25
    return x


@pytest.mark.parametrize("name", ["tiny_v1", "tiny_v2", pytest.param("small_16k", marks=pytest.mark.slow)])
def test_25_guided_steps_end_where_the_published_sampler_ends(name: str) -> None:
    model = seeded_model(name)
    tokens = (64, 192) if name == "small_16k" else (16, 40)
    conditions = seeded_conditions(model.config, 1, *tokens)
    expected = OUTPUTS[f"{name}_sampler.x1"]
    noise = seeded.noise("input.x0", expected.shape)
    made = end_point(model, noise, [conditions, conditions.null()])
    torch.testing.assert_close(made, expected, atol=END_POINT_TOLERANCE, rtol=0)
    mean, deviation = latent_statistics(seeded.state(SHAPES[name]["shapes"]))
    torch.testing.assert_close(
        made * deviation + mean, OUTPUTS[f"{name}_sampler.x1_unnormalized"], atol=2 * END_POINT_TOLERANCE, rtol=0
    )
    if name == "small_16k":
        return
    negative = seeded_conditions(model.config, 1, *tokens, text_key="negative_text_f")
    against = conditions.null().replaced(text=negative["text"])
    expected = OUTPUTS[f"{name}_sampler.x1_negative_prompt"]
    torch.testing.assert_close(
        end_point(model, noise, [conditions, against]), expected, atol=END_POINT_TOLERANCE, rtol=0
    )


@pytest.mark.parametrize("name", CONFIGS)
def test_every_published_key_and_shape_is_used(name: str) -> None:
    with torch.device("meta"):
        model = MMAudioGenerator(CONFIGS[name])
        foreign = {key: torch.empty(shape) for key, shape in SHAPES[name]["shapes"].items()}
        old = {key: torch.empty(3) for key in ("latent_rot", "clip_rot", "t_embed.freqs")}
    ours = from_mmaudio(foreign | old)
    expected = model.state_dict()
    assert {k: v.shape for k, v in ours.items()} == {k: v.shape for k, v in expected.items()}
    statistics = 2 * model.config.latent_dim  # they go to the codec
    assert sum(v.numel() for v in expected.values()) + statistics == SHAPES[name]["params"]


def test_no_value_is_lost_in_renaming() -> None:
    foreign = seeded.state(SHAPES["tiny_v2"]["shapes"])
    ours = from_mmaudio(foreign)
    total = sum(value.double().abs().sum() for value in ours.values())
    statistics = sum(value.double().abs().sum() for value in latent_statistics(foreign))
    assert float(total + statistics) == pytest.approx(SHAPES["tiny_v2"]["weights"]["abs_sum"], rel=1e-9)


def test_unknown_keys_survive_renaming_so_that_strict_loading_names_them() -> None:
    foreign: dict[str, Any] = seeded.state(SHAPES["tiny_v1"]["shapes"]) | {"something.else": torch.zeros(2)}
    assert "something.else" in from_mmaudio(foreign)


def test_version_2s_clock_stays_exact_in_bfloat16() -> None:
    config = VARIANTS["large-44k-v2"]
    torch.manual_seed(0)
    clock = TimeEmbedding(config).requires_grad_(False)
    for key, parameter in clock.named_parameters():
        parameter.data = seeded.weight("t_embed." + key, parameter.shape)
    t = torch.arange(25) / 25
    exact = clock(t)
    halved = clock.to(torch.bfloat16)(t)
    assert float((halved - exact).norm() / exact.norm()) < 0.005


def test_a_fresh_network_predicts_no_movement() -> None:
    model = MMAudioGenerator(replace(TINY, width=64, heads=1, mlp_width=64)).eval()
    conditions = seeded_conditions(TINY, 2, 16, 40)
    assert not velocity(model, torch.randn(2, 50, 8), torch.tensor([0.1, 0.5]), conditions).any()


def test_each_condition_reaches_the_velocity_and_rows_do_not_mix() -> None:
    model = seeded_model("tiny_v2")
    conditions = seeded_conditions(TINY, 2, 16, 40)
    x, t = torch.randn(2, 50, 8), torch.tensor([0.2, 0.6])
    base = velocity(model, x, t, conditions)
    for name in ("semantic", "sync", "text"):
        flags = conditions[name].present.clone()
        flags[1] = False
        other = velocity(model, x, t, conditions.replaced(**{name: replace(conditions[name], present=flags)}))
        torch.testing.assert_close(other[0], base[0], atol=1e-5, rtol=0)
        assert (other[1] - base[1]).abs().max() > 1e-2


def test_rows_shared_without_sync_features_change_nothing() -> None:
    model = seeded_model("tiny_v1")
    conditions = seeded_conditions(TINY, 2, 16, 40).null()
    x, t = torch.randn(2, 50, 8), torch.tensor([0.2, 0.6])
    prepared = model.prepare(conditions, 50)
    assert len(prepared.sync_rows) == 2 * 18
    shared = prepared_velocity(model, x, t, prepared)
    model.train()
    torch.testing.assert_close(velocity(model, x, t, conditions), shared, atol=1e-5, rtol=0)


def test_no_picture_at_all_is_the_same_as_absent_pictures() -> None:
    model = seeded_model("tiny_v2")
    config = replace(TINY, version=2, sync_tokens=192)
    model.config = model.conditions.config = config
    conditions = seeded_conditions(config, 1, 16, 192).null()
    bare = conditions.replaced(
        **{
            name: FeatureSequence(one.values[:, :0], one.time_s[:, :0], one.present[:, :0])
            for name, one in conditions.features.items()
            if name != "text"
        }
    )
    x, t = torch.randn(1, 50, 8), torch.tensor([0.3])
    torch.testing.assert_close(velocity(model, x, t, bare), velocity(model, x, t, conditions), atol=1e-5, rtol=0)


def test_a_window_that_starts_between_segments_reads_the_feature_of_its_time() -> None:
    """Segments 0.1 s late: each latent reads what it would read 0.1 s earlier."""
    model = seeded_model("tiny_v1")
    conditions = seeded_conditions(TINY, 1, 16, 40)
    tokens, index, _ = model.conditions._sync_tokens(conditions, 50)
    sync = conditions["sync"]
    late = conditions.replaced(sync=replace(sync, time_s=sync.time_s + 0.1))
    _, shifted, _ = model.conditions._sync_tokens(late, 50)
    expected = ((torch.arange(50) + 0.5 - 0.1 * 50 / 8) * 40 / 50).floor().clamp(0, 39)
    assert torch.equal(shifted[0].float(), expected) and not torch.equal(shifted, index)
    assert tokens.shape == (1, 40, 24)


@pytest.mark.parametrize("tokens", [64, 66, 345])
def test_remembered_kernels_change_nothing_but_roundings(tokens: int) -> None:
    layer = TimeConv(24, 40, 3).requires_grad_(False)
    x = torch.randn(2, tokens, 24)
    expected = layer(x)
    layer.remember_kernels()
    assert set(layer.state_dict()) == {"weight", "bias"}
    torch.testing.assert_close(layer(x), expected, atol=1e-4, rtol=0)  # learning is on: the plain form
    with torch.no_grad():
        fast = layer(x)
    torch.testing.assert_close(fast, expected, atol=2e-5, rtol=0)
    assert not torch.equal(fast, expected)


@pytest.mark.parametrize("name", VARIANTS)
def test_latents_of_a_window_read_the_sync_features_that_training_gave_them(name: str) -> None:
    """Nearest-exact interpolation with float32's roundings: latent 57 of 345 reads feature 31, not 32."""
    config = VARIANTS[name]
    with torch.device("meta"):
        model = MMAudioGenerator(replace(config, width=64, heads=1, mlp_width=32, joint_blocks=1, audio_blocks=1))
    embedding = model.conditions.to_empty(device="cpu")
    conditions = seeded_conditions(config, 1, 64, 192)
    _, index, _ = embedding._sync_tokens(conditions, config.window_latents)
    numbers = torch.arange(192.0)[None, None]
    expected = F.interpolate(numbers, size=config.window_latents, mode="nearest-exact")[0, 0]
    assert torch.equal(index[0], expected.long())
