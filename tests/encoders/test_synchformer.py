"""Synchformer's visual encoder: published outputs on seeded weights, divided attention, streaming, no frame lost."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import pytest
import seeded
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from openfoley.encoders import synchformer
from openfoley.encoders.synchformer import (
    SYNCHFORMER,
    Aggregator,
    DividedAttention,
    SynchformerEncoder,
    from_mmaudio,
)
from openfoley.errors import WeightsError

SHAPES = json.loads((seeded.FOLDER / "mmaudio_parts_shapes.json").read_text())["synchformer_visual"]
TINY = replace(SYNCHFORMER, image_size=32, hidden_size=24, heads=3, mlp_size=32, layers=2)


def tiny() -> SynchformerEncoder:
    torch.manual_seed(0)
    encoder = SynchformerEncoder(TINY).eval()
    for parameter in encoder.parameters():
        nn.init.normal_(parameter, std=0.3)
    return encoder


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.no_grad():
        yield


@pytest.mark.slow
def test_encoder_equals_the_published_one() -> None:
    """Suggested tolerance 2e-4; reached 4e-6 (values to 3.9)."""
    goldens = load_file(seeded.FOLDER / "mmaudio_parts.safetensors")
    with torch.device("meta"):
        encoder = SynchformerEncoder(SYNCHFORMER)
    encoder.load_state_dict(from_mmaudio(seeded.state(SHAPES)), strict=True, assign=True)
    video = (0.5 * seeded.noise("input.sync_video", (1, 24, 3, 224, 224))).clamp(-1, 1)[0]
    assert torch.equal(video.flatten()[:: video.numel() // 4096][:256], goldens["synchformer.in.sample"])
    features = encoder.eval()(torch.stack([video[:16], video[8:24]])).flatten(0, 1)
    torch.testing.assert_close(features[None], goldens["synchformer.out.features"], atol=4e-5, rtol=0)


def test_every_key_of_the_checkpoint_is_used_or_left_out_by_name() -> None:
    with torch.device("meta"):
        encoder = SynchformerEncoder(SYNCHFORMER)
    checkpoint = {key: torch.empty(shape, device="meta") for key, shape in SHAPES.items()}
    converted = from_mmaudio({**checkpoint, "afeat_extractor.anything": torch.empty(1)})
    given = {key: tuple(value.shape) for key, value in converted.items()}
    assert given == {key: tuple(value.shape) for key, value in encoder.state_dict().items()}
    assert len(checkpoint) - len(converted) == 2  # patch_embed.proj, the unused picture-wise embedding
    with pytest.raises(WeightsError, match="vfeat_extractor"):
        from_mmaudio({"model.weight": torch.zeros(1)})


@pytest.mark.parametrize("over_time", [True, False])
def test_divided_attention_is_masked_attention(over_time: bool) -> None:
    config = replace(TINY, segment_frames=8)
    attention, places = DividedAttention(config, over_time), 5
    x = torch.randn(2, 1 + config.segment_features * places, config.hidden_size)
    time, place = torch.meshgrid(torch.arange(config.segment_features), torch.arange(places), indexing="ij")
    group = (place if over_time else time).flatten()
    mask = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool)
    mask[1:, 1:] = group[:, None] == group
    q, k, v = attention.qkv(x).unflatten(2, (3, config.heads, -1)).permute(2, 0, 3, 1, 4)
    expected = attention.proj(F.scaled_dot_product_attention(q, k, v, mask).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x), expected, atol=1e-6, rtol=1e-5)


def test_aggregator_is_the_class_token_of_a_transformer_layer() -> None:
    ours = Aggregator(TINY)
    nn.init.normal_(ours.cls_token)
    layer = nn.TransformerEncoderLayer(
        TINY.hidden_size, TINY.heads, TINY.mlp_size, 0.0, F.gelu, 1e-6, batch_first=True, norm_first=True
    )
    state = from_mmaudio({f"vfeat_extractor.{key}": value for key, value in layer.state_dict().items()})
    ours.load_state_dict({**state, "cls_token": ours.cls_token})
    tokens = torch.randn(4, 7, TINY.hidden_size)
    expected = layer.train(False)(torch.cat([ours.cls_token.expand(4, 1, -1), tokens], 1))[:, 0]
    torch.testing.assert_close(ours(tokens), expected, atol=1e-5, rtol=1e-4)


def frames_of(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(
    ("frames", "features"), [(200, 192), (199, 192), (193, 192), (192, 184), (125, 120), (16, 8), (1, 8), (17, 16)]
)
def test_every_frame_is_in_a_segment(frames: int, features: int) -> None:
    encoder = tiny()
    given = encoder.encode(frames_of(frames)[None])[0]
    assert given.shape == (features, TINY.hidden_size)
    changed = frames_of(frames)
    changed[-1] = 255 - changed[-1]
    assert not torch.equal(encoder.encode(changed[None])[0][-8:], given[-8:])


def test_the_last_frame_is_held_where_the_video_ends() -> None:
    encoder, video = tiny(), frames_of(29)
    filled = torch.cat([video, video[-1:].expand(3, -1, -1, -1)])
    torch.testing.assert_close(encoder.encode(video[None]), encoder.encode(filled[None]), atol=0, rtol=0)


@pytest.mark.parametrize("chunks", [[101], [1] * 101, [64, 37], [16, 8, 8, 69], [40, 8, 53]])
def test_chunks_do_not_change_features_and_memory_is_bounded(chunks: list[int]) -> None:
    encoder, video = tiny(), frames_of(101)
    stream, parts, index, most = encoder.stream(), [], 0, 0
    for part in video.split(chunks):
        parts += stream.push(part, index)
        index += len(part)
        most = max(most, len(stream.held))
    assert torch.equal(torch.cat(parts + stream.flush()), encoder.encode(video[None])[0])
    assert most < 16 + 8 * (synchformer.SEGMENTS_PER_CALL - 1)
    with pytest.raises(ValueError, match="follow one another"):
        stream.push(video[:1], 7)


def test_segments_are_those_of_the_fact_sheet() -> None:
    """Segment s depends on frames 8 s .. 8 s + 15 and no others, and gives features 8 s .. 8 s + 7."""
    encoder, video = tiny(), frames_of(40)
    before = encoder.encode(video[None])[0]
    changed = video.clone()
    changed[17] = 0
    differs = (encoder.encode(changed[None])[0] != before).any(1).unflatten(0, (-1, 8)).any(1)
    assert differs.tolist() == [False, True, True, False]
    outputs = encoder.outputs
    assert (encoder.inputs.frames.rate, outputs.rate, outputs.group) == (Fraction(25), Fraction(25), 8)


def test_linear_layers_in_bfloat16_are_those_of_torch() -> None:
    layer, x = synchformer.TokenLinear(24, 40).bfloat16(), torch.randn(2, 9, 24).bfloat16()
    torch.testing.assert_close(layer(x), nn.Linear.forward(layer, x), atol=2e-2, rtol=0)
