"""Reading other people's checkpoints: tensors only, whatever the container; and telling what they are by their content.

A .pth, .pt or .bin file is a pickle. It is read with torch's weights_only unpickler, which knows tensors and plain
containers and refuses everything else, so nothing in it is ever executed.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from openfoley.errors import WeightsError
from openfoley.hub.sources import ForeignPart

SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors")
WRAPPERS = ("generator", "state_dict", "model", "ema", "weights")  # under which trainers put the tensors


@dataclass(frozen=True)
class Recognised:
    """What a checkpoint is; note: what is odd about it."""

    part: ForeignPart
    variant: str
    note: str = ""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """All tensors of a file by name, on the CPU, as stored (mapped into memory where the container allows)."""
    if not path.is_file():
        raise WeightsError(f"{str(path)!r} is missing")
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise WeightsError(f"{str(path)!r} is not a whole safetensors file: {error}") from None
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # the unpickler, the archive reader and the file system each raise their own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "Weights only load failed" in str(error) or "Unsupported" in reason:
            reason = "it holds something else than tensors; nothing of it was executed"
        raise WeightsError(
            f"{str(path)!r} ({path.stat().st_size} bytes) cannot be read as weights: {reason[:200]}; "
            "it may be truncated, or no checkpoint; fetch it again"
        ) from None
    return _tensors(content, path)


def _tensors(content: Any, path: Path) -> dict[str, Tensor]:
    """The state dict in whatever a training script wrapped around it."""
    for _ in range(3):
        if not isinstance(content, Mapping):
            break
        tensors = {str(key): value for key, value in content.items() if isinstance(value, Tensor)}
        if len(tensors) > 1 or (tensors and not any(isinstance(v, Mapping) for v in content.values())):
            return {key.removeprefix("module."): value for key, value in tensors.items()}
        inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    raise WeightsError(f"{str(path)!r} holds no weights by name ({type(content).__name__}); it is no checkpoint")


def recognise(state: Mapping[str, Tensor]) -> Recognised | None:
    """What published network these tensors belong to, whatever the file is called; None if unknown."""
    if "audio_input_proj.0.weight" in state:
        return Recognised("network", *_network_variant(state))
    if "data_mean" in state and any(key.startswith("decoder.conv_in") for key in state):
        bands = state["data_mean"].numel()
        return Recognised("vae", {80: "16k", 128: "44k"}.get(bands, f"{bands} mel bands"))
    if any(key.startswith("conv_pre.") for key in state) and any(key.startswith("ups.0.") for key in state):
        return Recognised("vocoder", "16k" if "conv_post.bias" in state else "44k")
    if any(key.startswith("vfeat_extractor.") for key in state):
        return Recognised("sync", "synchformer")
    if "visual.conv1.weight" in state and "token_embedding.weight" in state:
        width, patch = state["visual.conv1.weight"].shape[0], state["visual.conv1.weight"].shape[-1]
        is_huge = (width, patch) == (1280, 14)
        return Recognised("clip", "dfn5b-vit-h14" if is_huge else f"CLIP of width {width}, patch {patch}")
    return None


def _network_variant(state: Mapping[str, Tensor]) -> tuple[str, str]:
    """The name of the variant with exactly these sizes, or a description; and a note."""
    from openfoley.generators.mmaudio.config import VARIANTS

    weight = state["audio_input_proj.0.weight"]
    latent_dim, width = weight.shape[1], weight.shape[0]
    joint = len({key.split(".")[1] for key in state if key.startswith("joint_blocks.")})
    audio = len({key.split(".")[1] for key in state if key.startswith("fused_blocks.")})
    version = 2 if "clip_input_proj.2.w1.weight" in state else 1
    described = f"width {width}, {joint} + {audio} blocks, {latent_dim} latent channels, version {version}"
    for name, config in VARIANTS.items():
        sizes = (config.latent_dim, config.width, config.joint_blocks, config.audio_blocks, config.version)
        if sizes == (latent_dim, width, joint, audio, version):
            extra = [key for key in ("latent_rot", "clip_rot", "t_embed.freqs") if key in state]
            return name, f"old tables left out: {', '.join(extra)}" if extra else ""
    return f"unknown MMAudio ({described})", described
