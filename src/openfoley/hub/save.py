"""Write a model folder. Matrices are stored in bfloat16; vectors and scalars (norms, statistics) stay float32."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from openfoley.config import to_dict
from openfoley.encoders.selective_sync import SelectiveSync
from openfoley.encoders.text_selection import TextSelectionConfig
from openfoley.errors import OutputError, WeightsError
from openfoley.generators.adapters.config import AdapterConfig
from openfoley.hub.adapters import FORMAT as ADAPTERS_FORMAT
from openfoley.hub.adapters import KEY as ADAPTERS_KEY
from openfoley.hub.filling import read_weights
from openfoley.hub.fingerprint import base_of
from openfoley.hub.parts import FORMAT, KINDS, PARTS, TOKENIZERS, Model, all_parts, section
from openfoley.hub.registry import ADAPTERS_NAME, CONFIG_NAME, SELECTION
from openfoley.hub.selection import metadata_of, selection_tensors
from openfoley.media.write.atomic import cannot_write


def save_weights(
    tensors: Mapping[str, Tensor], path: Path, *, exact: bool = False, metadata: dict[str, str] | None = None
) -> None:
    """Tensors to safetensors, matrices as bfloat16 unless `exact`. Raises OutputError where they cannot be written."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    def stored(value: Tensor) -> Tensor:
        is_matrix = value.is_floating_point() and value.ndim >= 2 and not exact
        return value.detach().to("cpu", torch.bfloat16 if is_matrix else value.dtype).contiguous().clone()

    try:
        save_file({key: stored(value) for key, value in tensors.items()}, path, metadata)
    except (OSError, SafetensorError) as error:  # the latter for a full disk and a missing folder
        raise cannot_write(path, error) from error


def save_model(folder: Path, model: Model) -> Path:
    """Write a model that `load_model` reads back. Each part carries its dataclass as `.config`."""
    configs = {part: section(part, module.config) for part, module in model.parts.items()}
    tensors = {part: module.state_dict() for part, module in model.parts.items()}
    if model.selective is not None:
        sync, generator = (model.selective.parts[part] for part in ("sync", "generator"))
        assert isinstance(sync, SelectiveSync)
        configs[SELECTION], tensors[SELECTION] = to_dict(sync.config), selection_tensors(model, sync, generator)
    metadata = {} if model.selective is None else {SELECTION: metadata_of(model)}
    write_folder(folder, model.name, configs, tensors, tokenizers_of(model.parts), metadata=metadata)
    if model.adapters is not None:
        save_adapters(folder / ADAPTERS_NAME, model.adapters.config, model.adapters.state_dict(), model)
    return folder


def tokenizers_of(parts: Mapping[str, nn.Module]) -> dict[str, str]:
    """The contents of the tokenizers' files, by name."""
    from tokenizers import Tokenizer

    texts = {}
    for part, name in TOKENIZERS.items():
        if part in parts:
            tokenizer = parts[part].tokenizer
            assert isinstance(tokenizer, Tokenizer)
            texts[name] = tokenizer.to_str()
    return texts


def assemble_model(folder: Path, name: str, parts: Mapping[str, Path], tokenizer: Path) -> Path:
    """Assemble a model folder from trained parts, each a folder with config.json and model.safetensors."""
    configs, tensors = {}, {}
    for part in PARTS:
        config_path = parts[part] / CONFIG_NAME
        try:
            configs[part] = json.loads(config_path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise WeightsError(f"{str(config_path)!r} cannot be read: {error}; train {part} first") from None
        tensors[part] = read_weights(parts[part] / "model.safetensors")
    text = tokenizer.read_text(encoding="utf-8")
    return write_folder(folder, name, configs, tensors, {TOKENIZERS["semantic"]: text})


def write_folder(
    folder: Path,
    name: str,
    configs: Mapping[str, dict[str, Any]],
    tensors: Mapping[str, Mapping[str, Tensor]],
    tokenizers: Mapping[str, str],
    *,
    exact: bool = False,
    metadata: Mapping[str, dict[str, str]] = {},
) -> Path:
    """Write the folder atomically. A part's section names its kind unless it is the default. configs, tensors: of the
    parts, and of the selection if there is one. tokenizers: contents by file name. exact: matrices keep their
    precision. metadata: of the parts' files."""
    whole = {"format": FORMAT, "name": name}
    whole |= {part: {"kind": KINDS[part], **configs[part]} for part in all_parts(configs)}
    whole |= {SELECTION: configs[SELECTION]} if SELECTION in configs else {}
    with complete_folder(folder) as unfinished:
        (unfinished / CONFIG_NAME).write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
        for file, text in tokenizers.items():
            (unfinished / file).write_text(text, encoding="utf-8")
        for part, values in tensors.items():
            save_weights(values, unfinished / f"{part}.safetensors", exact=exact, metadata=metadata.get(part))
    return folder


def save_part(
    folder: Path, section: dict[str, Any], tensors: Mapping[str, Tensor], others: Mapping[str, Mapping[str, Tensor]]
) -> Path:
    """One part's folder: config.json, model.safetensors and OTHER.safetensors, without rounding; written atomically."""
    with complete_folder(folder) as unfinished:
        (unfinished / CONFIG_NAME).write_text(json.dumps(section, indent=2) + "\n", encoding="utf-8")
        save_weights(tensors, unfinished / "model.safetensors", exact=True)
        for name, values in others.items():
            if values:
                save_weights(values, unfinished / f"{name}.safetensors", exact=True)
    return folder


def save_adapters(path: Path, config: AdapterConfig, tensors: Mapping[str, Shaped[Tensor, "..."]], base: Model) -> Path:
    """Write adapters that were trained on `base`; matrices in bfloat16."""
    about = {"format": ADAPTERS_FORMAT, "config": to_dict(config), "base": base_of(base), "base_name": base.name}
    save_weights(tensors, path, metadata={ADAPTERS_KEY: json.dumps(about)})  # of several keys the order would be random
    return path


def add_adapters(source: Path, folder: Path, adapters: Path) -> Path:
    """A model folder's files, to the byte, with adapters beside them; written atomically."""
    with complete_folder(folder) as unfinished:
        for file in source.iterdir():
            shutil.copyfile(file, unfinished / file.name)
        shutil.copyfile(adapters, unfinished / ADAPTERS_NAME)
    return folder


def add_selection(
    source: Path, folder: Path, base: Model, config: TextSelectionConfig, tensors: Mapping[str, Tensor]
) -> Path:
    """A model folder's files, to the byte, with a selection that was trained on `base`, the model that they are;
    written atomically."""
    whole = json.loads((source / CONFIG_NAME).read_text(encoding="utf-8")) | {SELECTION: to_dict(config)}
    with complete_folder(folder) as unfinished:
        for file in source.iterdir():
            shutil.copyfile(file, unfinished / file.name)
        (unfinished / CONFIG_NAME).write_text(json.dumps(whole, indent=2) + "\n", encoding="utf-8")
        save_weights(tensors, unfinished / f"{SELECTION}.safetensors", metadata=metadata_of(base))
    return folder


@contextmanager
def complete_folder(folder: Path) -> Iterator[Path]:
    """A folder to write into, which then takes the place of `folder` unless something failed."""
    unfinished = folder.with_name(folder.name + ".unfinished")
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        yield unfinished
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.replace(folder)
    except OSError as error:
        raise OutputError(f"cannot write the folder {str(folder)!r}: {error.strerror}") from None
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
