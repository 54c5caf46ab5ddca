"""Connectors, both U-Nets and their variants equal the published implementation's outputs on seeded weights."""

import re

import pytest
import svg_seeded
import torch
from einops import rearrange
from torch import Tensor

from openfoley.generators.joint.blocks import ConnectorBlock, PositionBlock, pooled
from openfoley.generators.joint.config import Kind
from openfoley.generators.joint.model import JointGenerator, Pair, PairText, PairTimes

MODULES = svg_seeded.golden("connectors_additive")


@pytest.fixture(scope="module")
def model() -> JointGenerator:
    return svg_seeded.tiny()


def close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def block_of(model: JointGenerator, side: str, place: str) -> ConnectorBlock:
    block = getattr(model.connectors, f"into_{side}")[place]
    assert isinstance(block, ConnectorBlock)
    return block


def test_encoders_and_pooled_sequences(model: JointGenerator) -> None:
    of_video = model.connectors.encode_video(MODULES["video_out.x"], MODULES["video_out.emb"])
    close(of_video, MODULES["video_out.y"])
    close(pooled(of_video, "cmc-pe"), MODULES["video_out.cond"].squeeze(-1))
    of_audio = model.connectors.encode_audio(MODULES["audio_out.x"][..., None], MODULES["audio_out.emb"])
    close(of_audio.squeeze(-1), MODULES["audio_out.y"])
    close(pooled(of_audio, "cmc-pe"), MODULES["audio_out.cond"].squeeze(-1))


def test_temporal_block(model: JointGenerator) -> None:
    block = model.connectors.encode_video.along_first
    bias = block.bias(10, torch.device("cpu"))
    close(bias, MODULES["sta.rel_pos_bias"])
    seconds = torch.arange(10) / 8
    x = MODULES["sta.temporal_attn.x"]
    close(block.attention(x, seconds, bias) - x, MODULES["sta.temporal_attn.y"])  # theirs is without the residual
    close(block(MODULES["sta.x"]), MODULES["sta.y"])


def test_blocks_that_take_a_sequence_in(model: JointGenerator) -> None:
    of_video, of_audio = (MODULES[f"{name}_out.cond"].squeeze(-1) for name in ("video", "audio"))
    for name, place in (("audio_in", "down_2"), ("audio_in_up", "up_0")):
        block = block_of(model, "audio", place)
        x = MODULES[f"{name}.x"]
        close(x + block(x[..., None], of_video).squeeze(-1), MODULES[f"{name}.y"])
    block = block_of(model, "video", "down_2")
    x = MODULES["video_in.x"]
    close(x + block(x, of_audio), MODULES["video_in.y"])
    inner, x = block.block, MODULES["video_in.attn_c.x"]
    assert isinstance(inner, PositionBlock)
    close(inner(x, of_audio), MODULES["video_in.block.y"])
    frames = rearrange(x + inner.position(of_audio, x), "b c t h w -> (b t) (h w) c")
    wanted = rearrange(MODULES["video_in.attn_c.y"], "b c t h w -> (b t) (h w) c")
    close(inner.conditioned(frames), wanted)


def inputs(name: str) -> tuple[Pair, PairTimes, PairText, dict[str, Tensor]]:
    given = svg_seeded.golden(name)
    x, times = Pair(given["x_v"], given["x_a"]), PairTimes(given["t_v"], given["t_a"])
    return x, times, PairText(given["ctx_v"], given["cls_a"]), given


def test_joint_forward_with_separate_connector_timesteps(model: JointGenerator) -> None:
    x, times, text, given = inputs("joint_additive_xpred")
    seen, heard = (given[f"xcon_{m}"].chunk(2, dim=1) for m in ("v", "a"))
    connector_times = PairTimes(given["tcon_v"], given["tcon_a"])
    conditions = model.conditions(Pair(seen[0], heard[0]), Pair(seen[1], heard[1]), connector_times)
    found = model.noise(x, times, text, conditions)
    close(found.video, given["eps_v"])
    close(found.audio, given["eps_a"])


def test_single_vector_variant() -> None:
    model = svg_seeded.tiny("cross-attention")
    x, times, text, given = inputs("joint_attn_xcur")
    found = model.noise(x, times, text, model.conditions(x, None, times))
    close(found.video, given["eps_v"])
    close(found.audio, given["eps_a"])


def test_zeroed_connectors_equal_the_bare_unets_exactly(model: JointGenerator) -> None:
    x, times, text, _ = inputs("joint_additive_xpred")
    wanted = svg_seeded.golden("bare_unets")
    bare = model.noise(x, times, text, None)
    close(bare.video, wanted["eps_v"])
    close(bare.audio, wanted["eps_a"])
    zeroed = svg_seeded.tiny()
    for name, value in zeroed.connectors.named_parameters():
        if ".leave." in name and name.startswith("into_"):
            value.zero_()
    found = zeroed.noise(x, times, text, zeroed.conditions(x, None, times))
    assert torch.equal(found.video, bare.video) and torch.equal(found.audio, bare.audio)


SHIFT = r"along_(first|second)\.bias\.layers\.4\.bias"
"""The last bias of a position's bias adds the same to all logits of a softmax."""
WITHOUT_EFFECT = {"cmc-pe": SHIFT, "cross-attention": rf"{SHIFT}|\.block\.(cross\.(query|key)|norms\.1)\."}
"""An attention to a single vector does not depend on its query and key, nor on the norm before the query."""
ROUNDING = 1e-6
"""Of the largest gradient; below it a gradient is zero in exact arithmetic (measured: under 4e-8, others over 4e-4)."""


@pytest.mark.parametrize("kind", ["cmc-pe", "cross-attention"])
def test_every_connector_tensor_that_has_an_effect_gets_a_gradient_and_no_frozen_weight_does(kind: Kind) -> None:
    model = svg_seeded.tiny(kind)
    model.connectors.requires_grad_(True)
    x, times, text, _ = inputs("joint_attn_xcur")
    x = x._replace(video=x.video.repeat(1, 1, 1, 4, 4))  # at 8 x 8 the deepest frames are one token
    found = model.noise(x, times, text, model.conditions(x, None, times))
    (found.video.square().mean() + found.audio.square().mean()).backward()
    assert len(dict(model.connectors.named_parameters())) == len(svg_seeded.SHAPES[svg_seeded.NAMES[kind]])
    largest = {
        name: 0.0 if value.grad is None else float(value.grad.abs().max())
        for name, value in model.connectors.named_parameters()
    }
    zero = {name for name, value in largest.items() if value <= ROUNDING * max(largest.values())}
    assert zero == {name for name in largest if re.search(WITHOUT_EFFECT[kind], name)}
    assert all(value.grad is None for unet in (model.video, model.audio) for value in unet.parameters())
