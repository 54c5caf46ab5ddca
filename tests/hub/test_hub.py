"""A model folder comes back as it was saved; whatever does not match is named."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from openfoley.errors import UsageError, WeightsError
from openfoley.hub.load import load_model, read_weights
from openfoley.hub.parts import PARTS
from openfoley.hub.save import assemble_model, save_model


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


def test_saved_model_loads_in_float32_with_matrices_stored_as_bfloat16(tiny_model: Path) -> None:
    model = load_model(tiny_model)
    assert model.name == "tiny" and set(model.parts) == set(PARTS)
    for module in model.parts.values():
        assert not module.training
        assert all(p.dtype == torch.float32 and not p.requires_grad for p in module.parameters())
    stored = load_file(tiny_model / "generator.safetensors")
    assert all(value.dtype == torch.bfloat16 for value in stored.values() if value.ndim >= 2)


def test_saving_a_loaded_model_changes_nothing(tiny_model: Path, tmp_path: Path) -> None:
    again = save_model(tmp_path / "again", load_model(tiny_model))
    for part in PARTS:
        first, second = read_weights(tiny_model / f"{part}.safetensors"), read_weights(again / f"{part}.safetensors")
        assert first.keys() == second.keys()
        assert all(torch.equal(first[key], second[key]) for key in first)
    assert json.loads((again / "config.json").read_text()) == json.loads((tiny_model / "config.json").read_text())


def test_loading_leaves_the_global_random_generator_alone(tiny_model: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    load_model(tiny_model)
    assert torch.equal(torch.rand(3), expected)


def test_trained_parts_are_assembled_into_a_model(tiny_model: Path, tmp_path: Path) -> None:
    config = json.loads((tiny_model / "config.json").read_text())
    parts = {}
    for part in PARTS:
        parts[part] = tmp_path / part
        parts[part].mkdir()
        section = {key: value for key, value in config[part].items() if key != "kind"}
        (parts[part] / "config.json").write_text(json.dumps(section))
        shutil.copy(tiny_model / f"{part}.safetensors", parts[part] / "model.safetensors")
    assembled = assemble_model(tmp_path / "whole", "again", parts, tiny_model / "tokenizer.json")
    assert load_model(assembled).name == "again"


def test_unknown_name_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="unknown model 'nonsense'.*salsa-v-gym"):
        load_model("nonsense")


def test_folder_without_config_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no config.json"):
        load_model(tmp_path)


def test_unknown_device_is_a_usage_error(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="device 'quantum'"):
        load_model(tiny_model, "quantum")


def test_wrong_shape_names_file_key_and_shapes(folder: Path) -> None:
    tensors = load_file(folder / "generator.safetensors")
    key = sorted(key for key, value in tensors.items() if value.ndim == 2)[0]
    tensors[key] = tensors[key][:1].clone()
    save_file(tensors, folder / "generator.safetensors")
    with pytest.raises(WeightsError, match=rf"generator.safetensors.*{key}.*should be \[.*found \[1, "):
        load_model(folder)


@pytest.mark.parametrize("extra", [True, False])
def test_missing_and_extra_keys_are_named(folder: Path, extra: bool) -> None:
    tensors = load_file(folder / "codec.safetensors")
    key = "stranger" if extra else sorted(tensors)[0]
    if extra:
        tensors[key] = torch.zeros(1)
    else:
        del tensors[key]
    save_file(tensors, folder / "codec.safetensors")
    with pytest.raises(WeightsError, match=f"codec.safetensors.*{key}"):
        load_model(folder)


def test_pickled_weights_are_refused(folder: Path) -> None:
    torch.save({"weight": torch.zeros(1)}, folder / "sync.safetensors")
    with pytest.raises(WeightsError, match="not a complete safetensors file"):
        load_model(folder)


def test_truncated_weights_are_refused(folder: Path) -> None:
    path = folder / "sync.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="not a complete safetensors file"):
        load_model(folder)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "semantic.safetensors"])
def test_damaged_files_are_named(folder: Path, name: str) -> None:
    (folder / name).write_text("{")
    with pytest.raises(WeightsError):
        load_model(folder)


@pytest.mark.parametrize(
    ("section", "key", "value", "says"),
    [
        ("generator", "width", "wide", "generator.width: expected int, got 'wide'"),
        ("generator", "colour", 3, "unknown key 'colour'"),
        ("generator", "heads", 5, "generator"),
        ("codec", "kind", "bigvgan", "codec.kind is 'bigvgan'"),
    ],
)
def test_bad_configuration_is_named(folder: Path, section: str, key: str, value: object, says: str) -> None:
    config = json.loads((folder / "config.json").read_text())
    config[section][key] = value
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=says):
        load_model(folder)


def test_a_missing_key_is_named(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    del config["sync"]["heads"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="sync: key 'heads' is missing"):
        load_model(folder)


def test_the_shipped_model_loads_and_generates_without_diffusers(
    make_video: Callable[..., Path], tmp_path: Path
) -> None:
    """Importing it took half of a short command's time."""
    code = (
        "import sys; sys.modules |= dict.fromkeys(('diffusers', 'matplotlib', 'tensorboard'));"
        "from openfoley.cli import main; sys.exit(main(['generate', *sys.argv[1:], '--steps', '1']))"
    )
    video, out = make_video("short.mp4", 0.5), tmp_path / "out.wav"
    subprocess.run([sys.executable, "-c", code, video, "--out", out], check=True, capture_output=True)
    assert out.stat().st_size > 10_000
