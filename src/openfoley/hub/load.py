"""Read a model folder: config.json, a safetensors file for each part, tokenizers. Strict; nothing is unpickled."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import torch
from torch import nn

from openfoley.checks import path
from openfoley.codecs.base import Codec
from openfoley.config import from_dict
from openfoley.encoders.base import FrameEncoder
from openfoley.encoders.text_selection import TextSelectionConfig
from openfoley.errors import OpenFoleyError, UsageError, WeightsError
from openfoley.hub.adapters import with_adapters
from openfoley.hub.download import Progress
from openfoley.hub.familiarity import Familiarity
from openfoley.hub.filling import fill, read_weights, ready, unfilled
from openfoley.hub.parts import FORMAT, PARTS, TOKENIZERS, Model, all_parts, build_part
from openfoley.hub.registry import CONFIG_NAME, DEFAULT_MODEL, SELECTION, adapters_beside, find_model, published
from openfoley.hub.selection import check_base, selective_model

if TYPE_CHECKING:
    from openfoley.encoders.semantic import SemanticEncoder

REASON_LETTERS = 100  # kept of another library's error message


def load_model(
    name_or_folder: str | os.PathLike[str] = DEFAULT_MODEL,
    device: str | torch.device = "cpu",
    weights_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    adapters: str | os.PathLike[str] | None = None,
) -> Model:
    """The model `name_or_folder` in float32 and evaluation mode on `device`.

    adapters: a file of `openfoley train adapters`; None: adapters.safetensors in the model's folder, if it has one.

    weights_dir: searched first for a published model's files; those neither there nor in the cache are downloaded, with
    `progress` in megabytes.
    Raises UsageError for an unknown name or device, WeightsError for files that are missing, damaged or do not match.
    """
    path("name_or_folder", name_or_folder)
    found = Path(adapters) if adapters is not None else adapters_beside(name_or_folder)
    model = load_base(name_or_folder, device, weights_dir, progress)
    if published(name_or_folder) is None and SELECTION in model.config:
        model = with_selection(model, find_model(name_or_folder), model.device)
    return model if found is None else with_adapters(model, found)


def load_base(
    name_or_folder: str | os.PathLike[str],
    device: str | torch.device = "cpu",
    weights_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Model:
    """As `load_model`, without what its folder may have for selection by text and for the whole video: these may belong
    to earlier weights, and new ones are trained on this."""
    if (card := published(name_or_folder)) is not None:
        from openfoley.hub.foreign import load_foreign

        return load_foreign(card, checked_device(device), Path(weights_dir) if weights_dir else None, progress)
    folder = find_model(name_or_folder)
    target = checked_device(device)
    config = read_config(folder)
    modules = {}
    for part in all_parts(config):
        modules[part] = ready(part, _loaded(part, config[part], folder, f"{part}.safetensors"), target)
    return replace(Model.of_parts(config["name"], modules, config), familiarity=Familiarity.load(folder))


def with_selection(model: Model, folder: Path, device: torch.device) -> Model:
    """The model with what its folder has for selection by text."""
    config = from_dict(TextSelectionConfig, model.config[SELECTION], where=SELECTION)
    path = folder / f"{SELECTION}.safetensors"
    selective = selective_model(model, config, read_weights(path), f"{str(path)!r} does not match its config")
    check_base(model, path)
    for part in ("sync", "generator"):
        selective.parts[part].to(device).eval().requires_grad_(False)
    return replace(model, selective=selective)


@overload
def load_part(part: Literal["codec"], folder: Path, device: str | torch.device = "cpu") -> Codec: ...
@overload
def load_part(part: Literal["sync"], folder: Path, device: str | torch.device = "cpu") -> FrameEncoder: ...
@overload
def load_part(part: Literal["semantic"], folder: Path, device: str | torch.device = "cpu") -> SemanticEncoder: ...
@overload
def load_part(part: Literal["generator"], folder: Path, device: str | torch.device = "cpu") -> nn.Module: ...
def load_part(part: str, folder: Path, device: str | torch.device = "cpu") -> object:
    """One trained part (codec, sync, semantic or generator) from its own folder: config.json and model.safetensors."""
    path = folder / CONFIG_NAME
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} cannot be read: {error}") from None
    return ready(part, _loaded(part, settings, folder, "model.safetensors"), checked_device(device))


def _loaded(part: str, settings: dict[str, Any], folder: Path, weights: str) -> nn.Module:
    """The part as configured, with the weights of a file in its folder."""
    try:
        module = unfilled(lambda: build_part(part, settings, folder))
    except OpenFoleyError:
        raise
    except Exception as error:  # whatever the networks' libraries raise; tokenizers raises bare Exceptions
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise WeightsError(
            f"{str(folder / CONFIG_NAME)!r}: the {part} cannot be built as configured: {reason}"
        ) from None
    fill(module, read_weights(folder / weights), f"{str(folder / weights)!r} does not match its config", assign=True)
    return module


def checked_device(device: str | torch.device) -> torch.device:
    """A torch device that exists here; no silent fallback to another."""
    try:
        target = torch.device(device)
    except RuntimeError:
        raise UsageError(f"device {str(device)!r} is unknown to PyTorch; pass cpu, cuda, cuda:1 or mps") from None
    try:
        torch.zeros(1, device=target).item()
    except (RuntimeError, AssertionError, ImportError) as error:
        # NotImplementedError, for a backend missing from this build, lists all others in 1,000 letters
        is_absent = isinstance(error, (NotImplementedError, ImportError))
        reason = "not in this build of PyTorch" if is_absent else str(error).splitlines()[0][:REASON_LETTERS]
        raise UsageError(f"device {str(device)!r} cannot be used here ({reason}); use cpu") from None
    return target


def read_config(folder: Path) -> dict[str, Any]:
    """config.json with its format and sections checked."""
    path = folder / CONFIG_NAME
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{str(path)!r} cannot be read: {error}") from None
    if not isinstance(config, dict) or config.get("format") != FORMAT:
        found = config.get("format") if isinstance(config, dict) else type(config).__name__
        raise WeightsError(f"{str(path)!r}: expected format {FORMAT}, found {found!r}")
    for key in ("name", *PARTS):
        if key not in config:
            raise WeightsError(f"{str(path)!r}: key {key!r} is missing")
    for part, name in TOKENIZERS.items():
        if part in config and not (folder / name).is_file():
            raise WeightsError(f"{str(folder / name)!r} is missing")
    return config


def load_weights(module: nn.Module, path: Path, *, may_lack: str | None = None) -> bool:
    """Load the file into the module; WeightsError names the first key or shape that does not match. may_lack: prefix of
    keys that may all be missing from the file; they keep their values, and the result is False."""
    tensors = read_weights(path)
    expected = module.state_dict()
    optional = [key for key in expected if may_lack is not None and key.startswith(may_lack)]
    lacks = bool(optional) and not any(key in tensors for key in optional)
    if lacks:
        tensors |= {key: expected[key] for key in optional}
    fill(module, tensors, f"{str(path)!r} does not match its config")
    return not lacks
