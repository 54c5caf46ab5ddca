"""The published MMAudio checkpoints' names and layouts, turned into ours. Nothing is computed but permutations.

- One matrix holds queries, keys and values interleaved (row (head * d + i) * 3 + which); ours holds them one after the
  other. Rotary pairs are neighbours (2i, 2i + 1) there and halves (i, i + d / 2) here: rows of queries and keys and
  their norms' gains are reordered, which leaves every product of a query with a key as it was.
- W1 and W3 of a gated unit are stacked.
- `latent_mean` and `latent_std` belong to the codec here and are left out; see `latent_statistics`.
"""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from openfoley.errors import WeightsError

HEAD_WIDTH = 64  # channels, in every variant
DROPPED = ("latent_rot", "clip_rot", "t_embed.freqs")  # tables that old checkpoints carry
STATISTICS = ("latent_mean", "latent_std")

EXACT = {
    "sync_pos_emb": "conditions.sync_place",
    "empty_string_feat": "conditions.null_text",
    "empty_clip_feat": "conditions.null_semantic",
    "empty_sync_feat": "conditions.null_sync",
}
PREFIXES = {
    "audio_input_proj.0.": "embed.",
    "clip_input_proj.0.": "conditions.semantic.project.",
    "text_input_proj.0.": "conditions.text.project.",
    "sync_input_proj.0.": "conditions.sync.project.",
    "clip_cond_proj.": "conditions.semantic_pooled.",
    "text_cond_proj.": "conditions.text_pooled.",
    "t_embed.mlp.0.": "conditions.time.first.",
    "t_embed.mlp.2.": "conditions.time.second.",
    "final_layer.adaLN_modulation.1.": "modulation.project.",
    "final_layer.conv.": "out.",
}
UNITS = {
    "audio_input_proj.2": "embed_unit",
    "clip_input_proj.": "conditions.semantic.unit",  # 1 in version 1, 2 in version 2
    "text_input_proj.": "conditions.text.unit",
    "sync_input_proj.2": "conditions.sync.unit",
    "global_cond_mlp": "conditions.pooled",
}
STREAMS = {"latent_block": "audio", "clip_block": "semantic", "text_block": "text"}
IN_STREAM = {
    "adaLN_modulation.1.weight": "modulation.project.weight",
    "adaLN_modulation.1.bias": "modulation.project.bias",
    "linear1.weight": "out.weight",
    "linear1.bias": "out.bias",
}


def from_mmaudio(state: Mapping[str, Shaped[Tensor, "..."]]) -> dict[str, Shaped[Tensor, "..."]]:
    """A published network's tensors under our names. Unknown keys are kept as they are, for strict loading to name."""
    result: dict[str, Tensor] = {}
    for key, value in state.items():
        if key in DROPPED or key in STATISTICS:
            continue
        if key.endswith(".w3.weight"):
            continue  # goes with its w1
        if key.endswith(".w1.weight") and key.replace(".w1.", ".w3.") in state:
            stem = key.removesuffix(".w1.weight")
            result[_unit(stem) + ".expand.weight"] = torch.cat((value, state[stem + ".w3.weight"]))
        elif key.endswith(".w2.weight"):
            result[_unit(key.removesuffix(".w2.weight")) + ".contract.weight"] = value
        elif ".attn." in key:
            stem, leaf = key.split(".attn.")
            name, tensor = _attention(leaf, value)
            result[f"{_stream(stem)}.heads.{name}"] = tensor
        else:
            result[_plain(key)] = value.reshape(value.shape[-2:]) if key == "sync_pos_emb" else _flat_null(key, value)
    return result


def latent_statistics(
    state: Mapping[str, Shaped[Tensor, "..."]],
) -> tuple[Float[Tensor, " latent_dim"], Float[Tensor, " latent_dim"]]:
    """Mean and standard deviation of the latents: stored with the network, needed by the codec."""
    for key in STATISTICS:
        if key not in state:
            raise WeightsError(f"the checkpoint of the network lacks {key!r}, which the codec needs; it is not whole")
    return state["latent_mean"].flatten(), state["latent_std"].flatten()


def _flat_null(key: str, value: Tensor) -> Tensor:
    return value.flatten() if key in ("empty_clip_feat", "empty_sync_feat") else value


def _plain(key: str) -> str:
    if key in EXACT:
        return EXACT[key]
    for prefix, ours in PREFIXES.items():
        if key.startswith(prefix):
            return ours + key.removeprefix(prefix)
    for leaf, ours in IN_STREAM.items():
        if key.endswith("." + leaf):
            return f"{_stream(key.removesuffix('.' + leaf))}.{ours}"
    return key


def _unit(stem: str) -> str:
    for prefix, ours in UNITS.items():
        if stem.startswith(prefix):
            return ours
    return _stream(stem.removesuffix(".ffn")) + ".unit"


def _stream(stem: str) -> str:
    """joint_blocks.3.clip_block -> joint.3.semantic, fused_blocks.3 -> audio.3."""
    parts = stem.split(".")
    if parts[0] == "fused_blocks":
        return ".".join(["audio", *parts[1:]])
    if parts[0] == "joint_blocks" and parts[-1] in STREAMS:
        return ".".join(["joint", *parts[1:-1], STREAMS[parts[-1]]])
    return stem


def _attention(leaf: str, value: Tensor) -> tuple[str, Tensor]:
    halves = torch.cat((torch.arange(0, HEAD_WIDTH, 2), torch.arange(1, HEAD_WIDTH, 2)))
    if leaf in ("q_norm.weight", "k_norm.weight"):
        return ("query_scale" if leaf[0] == "q" else "key_scale"), value[halves]
    if leaf in ("qkv.weight", "qkv.bias"):
        query, key, values = value.unflatten(0, (-1, HEAD_WIDTH, 3)).unbind(2)
        parts = (query[:, halves], key[:, halves], values)
        return leaf.replace("qkv", "project"), torch.cat([part.flatten(0, 1) for part in parts])
    return leaf, value
