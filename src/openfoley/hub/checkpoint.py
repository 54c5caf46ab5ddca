"""Reads third-party checkpoints (tensors only, any container) and recognises them by content.

A .pth, .pt or .bin file is a pickle. It is read with torch's weights_only unpickler, which knows tensors and plain
containers and refuses everything else, so nothing in it is ever executed.

Trainers nest the weights ({"model_state_dict": ...}) and prefix their names ("module._orig_mod."). A network is
therefore found by one key that it always has (`ROOT_KEYS`), at any depth and behind any prefix. If a checkpoint also
holds a moving average of the weights, the average is used, as in evaluations and releases.
Post-hoc EMA (arXiv 2312.02696, section 3.1) keeps two averages, "ema_models.0" and "ema_models.1"; MMAudio's release is
synthesised at the first one's relative width, 0.05, which at the end of a training is that average itself.
"""

from __future__ import annotations

import logging
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from openfoley.errors import WeightsError
from openfoley.hub.cards.base import ForeignPart
from openfoley.hub.memory import released

logger = logging.getLogger(__name__)

SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".safetensors")
T5_ROOT = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
ROOT_KEYS = (  # one of each network
    "audio_input_proj.0.weight",
    "decoder.conv_in.weight",
    "conv_pre.weight",
    "conv_pre.weight_g",
    "conv_pre.parametrizations.weight.original0",
    "vfeat_extractor.cls_token",
    "visual.conv1.weight",
    T5_ROOT,
)
WRAPPERS = re.compile(r"(?<![^.])(module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")  # anywhere
AVERAGE = re.compile(r"(^|[._])ema([._]|$)")  # in the path to a network
CONNECTOR = re.compile(r"(?:^|\.)(connector_(?:in|out)_(?:audio|video)\..+)")  # of sound and picture together
DEPTH = 4  # levels of nested mappings that are searched
COPY_BYTES = 1 << 20


@dataclass(frozen=True)
class Recognised:
    """What a checkpoint is; note: how it differs from the usual one."""

    part: ForeignPart
    variant: str
    note: str = ""


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """The network's tensors by its own names, on the CPU, as stored (mapped into memory where the container allows)."""
    if not path.is_file():
        raise WeightsError(f"{str(path)!r} is missing")
    if _is_safetensors(path):
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            content: Any = load_file(path)
        except (SafetensorError, OSError, ValueError) as error:
            raise WeightsError(f"{str(path)!r} is not a complete safetensors file: {error}") from None
    else:
        content = _unpickled(path)
    return _network_tensors(content, path)


def check_archive(path: Path) -> None:
    """WeightsError if a record of a zip archive (what torch.save writes) does not match its checksum."""
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as archive:
            for record in archive.infolist():
                if record.CRC == 0:  # torch.save was set not to compute it, or the record is empty
                    continue
                with archive.open(record) as data:
                    while data.read(COPY_BYTES):
                        pass
    except (zipfile.BadZipFile, OSError, EOFError, NotImplementedError, RuntimeError) as error:
        raise WeightsError(f"{str(path)!r} is damaged ({error}); fetch it again") from None


def check_finite(state: Mapping[str, Tensor], where: str) -> None:
    """WeightsError that names the first tensor with a NaN or an infinity; attention masks may hold these."""
    for key, value in released(state):
        if not value.is_floating_point() or value.is_meta or key.endswith("attn_mask"):
            continue
        if not value.isfinite().all():
            raise WeightsError(
                f"{where}: {key!r} holds NaN or infinite values; the training diverged or the file is damaged; "
                "use an earlier checkpoint or fetch it again"
            )


def _is_safetensors(path: Path) -> bool:
    """Whether a file is safetensors, by content: such files are also renamed to .bin and .pth."""
    with path.open("rb") as data:
        head = data.read(9)
    return path.suffix == ".safetensors" or (head[8:9] == b"{" and head[:2] != b"PK")


def _unpickled(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # the unpickler, the archive reader and the file system each raise their own
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if "Weights only load failed" in str(error) or "Unsupported" in reason:
            reason = "it holds objects other than tensors; nothing in it was executed"
        raise WeightsError(
            f"{str(path)!r} ({path.stat().st_size} bytes) cannot be read as weights: {reason[:200]}; "
            "it may be truncated or not a checkpoint; fetch it again"
        ) from None


def _network_tensors(content: Any, path: Path) -> dict[str, Tensor]:
    """The tensors of the first known network, or of its moving average if present; all of an unknown network."""
    plain: dict[str, Tensor] | None = None
    average: dict[str, Tensor] | None = None
    unknown: dict[str, Tensor] = {}
    for place, mapping in _mappings(content):
        mapping = {WRAPPERS.sub("", key): value for key, value in mapping.items()}
        tensors = {key: value for key, value in mapping.items() if isinstance(value, Tensor)}
        roots = _roots(tensors)
        for root in roots:
            inner = tuple(other for other in roots if other != root and other.startswith(root))
            own = [key for key in tensors if key.startswith(root) and not (inner and key.startswith(inner))]
            found = {key.removeprefix(root): tensors[key] for key in own}
            if not AVERAGE.search(place + root):
                plain = plain or found
            elif average is None and _has_begun(mapping, root):
                average = found
                logger.info("%s: the moving average %s of the weights is used", path.name, (place + root).rstrip("."))
        unknown = max(unknown, tensors, key=len)
    if average is not None:
        untrained = plain if plain is not None and average.keys() <= plain.keys() else {}
        return {**untrained, **average}  # averages often omit frozen parameters
    if plain is None and not unknown:
        raise WeightsError(f"{str(path)!r} holds no weights by name ({type(content).__name__}); it is not a checkpoint")
    return plain or unknown


def _mappings(content: Any, place: str = "", depth: int = DEPTH) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every mapping with string keys, outer ones first, and its path ("ema.")."""
    if not isinstance(content, Mapping) or depth == 0:
        return
    mapping = {key: value for key, value in content.items() if isinstance(key, str)}
    yield place, mapping
    for key, value in mapping.items():
        yield from _mappings(value, f"{place}{key}.", depth - 1)


def _roots(tensors: Mapping[str, Tensor]) -> list[str]:
    """The prefixes of known networks' names: "" for a plain one, "module." after distributed training."""
    roots = {key.removesuffix(root) for key in tensors for root in ROOT_KEYS if ("." + key).endswith("." + root)}
    return sorted(roots)


def _has_begun(mapping: Mapping[str, Any], root: str) -> bool:
    """Whether the post-hoc EMA at `root` has been updated; before that it holds the initial weights."""
    owner = root.removesuffix("ema_model.")
    extra = mapping.get(owner + "_extra_state")
    begun = extra.get("initted", True) if isinstance(extra, Mapping) else mapping.get(owner + "initted", True)
    return bool(begun)


def recognise(state: Mapping[str, Tensor]) -> Recognised | None:
    """The published network that these tensors belong to, regardless of the file's name; None if unknown."""
    if "audio_input_proj.0.weight" in state:
        return Recognised("network", *_network_variant(state))
    if "data_mean" in state and any(key.startswith("decoder.conv_in") for key in state):
        bands = state["data_mean"].numel()
        return Recognised("vae", {80: "16k", 128: "44k"}.get(bands, f"{bands} mel bands"))
    if any(key.startswith("conv_pre.") for key in state) and any(key.startswith("ups.0.") for key in state):
        return Recognised("vocoder", "16k" if "conv_post.bias" in state else "44k")
    if any(key.startswith("vfeat_extractor.") for key in state):
        if "text_proj.0.weight" in state:
            tokens = state["sup_text_feat"].shape[0] if "sup_text_feat" in state else 0
            return Recognised("selective", f"selva-sup-{tokens}")
        return Recognised("sync", "synchformer")
    if "visual.conv1.weight" in state and "token_embedding.weight" in state:
        width, patch = state["visual.conv1.weight"].shape[0], state["visual.conv1.weight"].shape[-1]
        is_huge = (width, patch) == (1280, 14)
        return Recognised("clip", "dfn5b-vit-h14" if is_huge else f"CLIP of width {width}, patch {patch}")
    if T5_ROOT in state and "shared.weight" in state:
        width = state["shared.weight"].shape[1]
        layers = len({key.split(".")[2] for key in state if key.startswith("encoder.block.")})
        is_base = (width, layers) == (768, 12) and "encoder.block.0.layer.1.DenseReluDense.wi_0.weight" in state
        return Recognised("words", "t5-base" if is_base else f"T5 of width {width}, {layers} layers")
    if any(CONNECTOR.search(key) for key in state):
        return Recognised("connectors", "svg")
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
            return name, f"obsolete tables ignored: {', '.join(extra)}" if extra else ""
    return f"unknown MMAudio ({described})", described
