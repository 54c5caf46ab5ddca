"""The published connectors' tensors under our names (a pure function of names; shapes are checked when they load).

The released code names a U-Net's side by `connector_in_MODALITY.WAY.LEVEL.0` (way 0: down, 1: up) and the encoders by
`connector_out_MODALITY`. The vector of `cross-attention` and the sequence of `cmc-pe` have the same names but for their
transformer blocks.
"""

import re
from collections.abc import Mapping

from jaxtyping import Shaped
from torch import Tensor

from openfoley.errors import WeightsError

WAYS = {"0": "down", "1": "up"}
INSIDE = {  # of a level's transformer block
    "attn_c.norm": "norm_condition",
    "attn_c.proj_c.net.0.proj": "project.expand",
    "attn_c.proj_c.net.2": "project.contract",
    "attn_c.to_q": "conditioned.query",
    "attn_c.to_k": "conditioned.key",
    "attn_c.to_v": "conditioned.value",
    "attn_c.to_out.0": "conditioned.out",
    "attn_s.to_q": "attention.query",
    "attn_s.to_k": "attention.key",
    "attn_s.to_v": "attention.value",
    "attn_s.to_out.0": "attention.out",
    "attn1.to_q": "attention.query",
    "attn1.to_k": "attention.key",
    "attn1.to_v": "attention.value",
    "attn1.to_out.0": "attention.out",
    "attn2.to_q": "cross.query",
    "attn2.to_k": "cross.key",
    "attn2.to_v": "cross.value",
    "attn2.to_out.0": "cross.out",
    "ff.net.0.proj": "gated.expand",
    "ff.net.2": "gated.contract",
    "norm1": "norms.0",
    "norm2": "norms.1",
    "norm3": "norms.2",
}
AROUND = {"norm": "norm", "proj_in": "enter", "proj_out": "leave"}
RESIDUAL = {
    "in_layers.0": "first.0", "in_layers.2": "first.2", "emb_layers.1": "time", "out_layers.0": "second.0",
    "out_layers.3": "second.2", "skip_connection": "skip",
}  # fmt: skip
TEMPORAL = {
    "temporal_attn.norm.g": "attention.gain",
    "temporal_attn.to_q.weight": "attention.query.weight",
    "temporal_attn.to_kv.weight": "attention.key_value.weight",
    "temporal_attn.to_out.weight": "attention.out.weight",
    "temporal_rel_pos_bias.net.0.0.weight": "bias.layers.0.weight",
    "temporal_rel_pos_bias.net.0.0.bias": "bias.layers.0.bias",
    "temporal_rel_pos_bias.net.1.0.weight": "bias.layers.2.weight",
    "temporal_rel_pos_bias.net.1.0.bias": "bias.layers.2.bias",
    "temporal_rel_pos_bias.net.2.weight": "bias.layers.4.weight",
    "temporal_rel_pos_bias.net.2.bias": "bias.layers.4.bias",
    "ff.proj_in.0.weight": "gated.expand.weight",
    "ff.proj_out.0.g": "gated.gain",
    "ff.proj_out.1.weight": "gated.contract.weight",
    "frameshiftblock.out_layers.0.weight": "shifted.0.weight",
    "frameshiftblock.out_layers.0.bias": "shifted.0.bias",
    "frameshiftblock.out_layers.2.weight": "shifted.2.weight",
    "frameshiftblock.out_layers.2.bias": "shifted.2.bias",
}
ENTRANCES = {"0.0": "enter", "2.0.op": "down", "4.0": "leave.0", "4.2": "leave.2"}
STAGES = {"1": "first", "3": "second"}


def from_svg(state: Mapping[str, Shaped[Tensor, "..."]]) -> dict[str, Shaped[Tensor, "..."]]:
    """The state of `model.Connectors`. WeightsError names a tensor that belongs to no connector."""
    return {renamed(key): value for key, value in state.items()}


def renamed(key: str) -> str:
    if found := re.fullmatch(r"connector_in_(audio|video)\.([01])\.(\d+)\.0\.(.+)\.(weight|bias)", key):
        modality, way, level, rest, last = found.groups()
        inner = rest.removeprefix("transformer_blocks.0.")
        name = AROUND.get(rest) if inner == rest else f"block.{INSIDE[inner]}" if inner in INSIDE else None
        if name is not None:
            return f"into_{modality}.{WAYS[way]}_{level}.{name}.{last}"
    elif found := re.fullmatch(r"connector_out_(audio|video)\.(.+)", key):
        modality, rest = found.groups()
        name = _encoder_name(rest, is_video=modality == "video")
        if name is not None:
            return f"encode_{modality}.{name}"
    raise WeightsError(f"{key!r} is no tensor of a connector of the published system")


def _encoder_name(rest: str, is_video: bool) -> str | None:
    stem, _, last = rest.rpartition(".")
    if stem in ENTRANCES:
        return f"{ENTRANCES[stem]}.{last}"
    stage, _, inside = rest.partition(".")
    if stage not in STAGES:
        return None
    kind, _, inside = inside.partition(".") if not is_video else inside.removeprefix("0.").partition(".")
    if kind == "1":
        return f"along_{STAGES[stage]}.{TEMPORAL[inside]}" if inside in TEMPORAL else None
    stem, _, last = inside.rpartition(".")
    return f"{STAGES[stage]}.{RESIDUAL[stem]}.{last}" if stem in RESIDUAL else None
