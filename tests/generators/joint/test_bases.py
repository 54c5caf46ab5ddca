"""Config files and names of published base models, those of earlier library versions among them."""

from typing import Any

import pytest
import torch

from openfoley.errors import WeightsError
from openfoley.generators.joint import bases
from openfoley.generators.joint.config import FULL

UNET: dict[str, Any] = {  # of Stable Diffusion 1.5
    "_class_name": "UNet2DConditionModel", "act_fn": "silu", "attention_head_dim": 8,
    "block_out_channels": [320, 640, 1280, 1280], "cross_attention_dim": 768, "in_channels": 4, "layers_per_block": 2,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "norm_num_groups": 32, "num_attention_heads": None,
}  # fmt: skip
MOTION: dict[str, Any] = {
    "block_out_channels": [320, 640, 1280, 1280], "motion_layers_per_block": 2, "motion_max_seq_length": 32,
    "motion_num_attention_heads": 8, "use_motion_mid_block": True,
}  # fmt: skip
AUDIO: dict[str, Any] = {
    "attention_head_dim": 8, "block_out_channels": [192, 384, 576, 960], "class_embed_type": "simple_projection",
    "class_embeddings_concat": True, "in_channels": 8,
    "layers_per_block": 2, "projection_class_embeddings_input_dim": 512,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
}  # fmt: skip


def test_the_published_configs_are_those_of_the_full_model() -> None:
    assert bases.video_config(UNET, MOTION, "unet") == (FULL.video, FULL.motion_frames)
    assert bases.audio_config(AUDIO, "unet") == FULL.audio


@pytest.mark.parametrize(
    ("unet", "motion", "said"),
    [
        ({"attention_head_dim": [5, 10, 20, 20]}, {}, "attention_head_dim should be one number"),
        ({"down_block_types": ["DownBlock2D", "AttnDownBlock2D"]}, {}, "down_block_types .* of another kind"),
        ({}, {"motion_num_attention_heads": 4}, "the motion modules have motion_num_attention_heads 4, .* needs 8"),
        ({}, {"use_motion_mid_block": False}, "use_motion_mid_block False"),
    ],
)
def test_other_networks_are_refused(unet: dict[str, Any], motion: dict[str, Any], said: str) -> None:
    with pytest.raises(WeightsError, match=said):
        bases.video_config(UNET | unet, MOTION | motion, "unet")


def test_a_unet_without_a_text_vector_is_not_audioldm() -> None:
    with pytest.raises(WeightsError, match="does not take its text as a vector"):
        bases.audio_config(UNET, "unet")


def test_names_of_earlier_versions_are_todays() -> None:
    one = torch.zeros(1)
    middle = "decoder.mid_block.attentions.0"
    found = bases.vae_names({f"{middle}.query.weight": one, f"{middle}.proj_attn.bias": one, "quant_conv.bias": one})
    assert set(found) == {f"{middle}.to_q.weight", f"{middle}.to_out.0.bias", "quant_conv.bias"}
    state = {"text_model.encoder.layers.0.mlp.fc1.bias": one, "text_model.embeddings.position_ids": one}
    assert set(bases.clip_names(bases.without_tables(state))) == {"encoder.layers.0.mlp.fc1.bias"}


def test_motion_modules_are_found_behind_any_prefix() -> None:
    one = torch.zeros(1)
    name = "down_blocks.0.motion_modules.1.proj_in.weight"
    state = {f"unet_v.{name}": one, "mid_block.motion_modules.0.norm.bias": one, "unet_v.down_blocks.0.x.weight": one}
    assert set(bases.motion_modules(state)) == {name, "mid_block.motion_modules.0.norm.bias"}
