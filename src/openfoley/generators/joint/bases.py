"""Published base models under our names: pure functions of their config.json and their tensors' names.

A U-Net of Stable Diffusion 1.5 and AnimateDiff's motion modules become one network, whose names are the union of
theirs. (diffusers' `from_unet2d` does the same, but drops `attention_head_dim`, in which the file counts heads.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from jaxtyping import Shaped
from torch import Tensor

from openfoley.errors import WeightsError
from openfoley.generators.joint.config import UNetConfig

Config = Mapping[str, Any]
State = Mapping[str, Shaped[Tensor, "..."]]
COMPUTED = ("pe", "position_ids", "token_type_ids")
"""Tables that follow from the configuration; some versions of the libraries write them, some do not."""
PLAIN_DOWN, ATTENDING_DOWN = "DownBlock2D", "CrossAttnDownBlock2D"
EARLIER_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
"""Of a VAE's middle, as diffusers named it before version 0.15."""
MOTION = re.compile(r"(?:^|\.)((?:down_blocks|mid_block|up_blocks)\.(?:\d+\.)?motion_modules\..+)")


def video_config(unet: Config, motion: Config, where: str) -> tuple[UNetConfig, int]:
    """The video's U-Net, and the frames that its motion modules have positions for. WeightsError for another kind."""
    found = _unet_config(unet, where)
    wanted = {
        "block_out_channels": list(found.widths),
        "motion_num_attention_heads": found.heads,
        "motion_layers_per_block": found.layers,
        "use_motion_mid_block": True,
    }
    for key, value in wanted.items():
        if (theirs := _listed(motion.get(key))) != value:
            raise WeightsError(f"{where}: the motion modules have {key} {theirs!r}, the U-Net needs {value!r}")
    return found, int(motion.get("motion_max_seq_length", 0))


def audio_config(unet: Config, where: str) -> UNetConfig:
    """AudioLDM's U-Net. WeightsError for one that reads its text otherwise."""
    if unet.get("class_embed_type") != "simple_projection" or not unet.get("class_embeddings_concat"):
        raise WeightsError(f"{where}: the U-Net does not take its text as a vector beside the time, as AudioLDM's")
    return _unet_config(unet, where, condition="projection_class_embeddings_input_dim")


def _unet_config(unet: Config, where: str, condition: str = "cross_attention_dim") -> UNetConfig:
    heads = unet.get("num_attention_heads") or unet.get("attention_head_dim")  # the latter counts heads in these files
    values = {
        "in_channels": unet.get("in_channels"), "layers_per_block": unet.get("layers_per_block"),
        "attention_head_dim": heads, condition: unet.get(condition),
        "norm_num_groups": unet.get("norm_num_groups", 32),
    }  # fmt: skip
    for key, value in values.items():
        if not isinstance(value, int):
            raise WeightsError(f"{where}: {key} should be one number, found {value!r}; it is another kind of U-Net")
    kinds = unet.get("down_block_types", ())
    if not set(kinds) <= {PLAIN_DOWN, ATTENDING_DOWN} or len(kinds) != len(unet.get("block_out_channels", ())):
        raise WeightsError(f"{where}: down_block_types {list(kinds)} are of another kind of U-Net")
    return UNetConfig(
        channels=values["in_channels"], widths=tuple(unet["block_out_channels"]),
        attends=tuple(kind == ATTENDING_DOWN for kind in kinds), layers=values["layers_per_block"],
        heads=values["attention_head_dim"], condition=values[condition], groups=values["norm_num_groups"],
    )  # fmt: skip


def _listed(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def is_table(key: str) -> bool:
    return key.rpartition(".")[2] in COMPUTED


def without_tables(state: State) -> dict[str, Shaped[Tensor, "..."]]:
    """The weights alone."""
    return {key: value for key, value in state.items() if not is_table(key)}


def clip_names(state: State) -> dict[str, Shaped[Tensor, "..."]]:
    """Of CLIP's text encoder: transformers before version 5 put `text_model.` in front."""
    return {key.removeprefix("text_model."): value for key, value in state.items()}


def vae_names(state: State) -> dict[str, Shaped[Tensor, "..."]]:
    """With today's names of the middle's attention."""

    def renamed(key: str) -> str:
        stem, _, last = key.rpartition(".")
        stem, _, layer = stem.rpartition(".")
        is_earlier = ".attentions." in key and layer in EARLIER_ATTENTION
        return f"{stem}.{EARLIER_ATTENTION[layer]}.{last}" if is_earlier else key

    return {renamed(key): value for key, value in state.items()}


def motion_modules(state: State) -> dict[str, Shaped[Tensor, "..."]]:
    """Those in a checkpoint of a whole system, by their names in the video's U-Net."""
    found = {match[1]: value for key, value in state.items() if (match := MOTION.search(key)) is not None}
    return without_tables(found)
