"""A model folder with a selection: without a text that selects nothing changes, with one the pair is used."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from openfoley.encoders import selective_sync
from openfoley.encoders.selective_sync import SelectiveSync
from openfoley.encoders.sync import SyncEncoder
from openfoley.errors import UsageError, WeightsError
from openfoley.hub.load import load_base, load_model
from openfoley.hub.registry import DEFAULT_MODEL, check_selects
from openfoley.hub.save import add_selection, save_model
from openfoley.hub.selection import selection_tensors, selective_model
from openfoley.pipeline import load
from openfoley.request import Cue, Request

BLOCK = replace(selective_sync.GYM, width=32, heads=2, text_dim=32, mlp_width=32)
CHANGED = "audio.0.modulation.project.bias"


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model with a random selection and one changed tensor of its generator."""
    model = load_model(tiny_model)
    trunk = model.parts["sync"]
    assert isinstance(trunk, SyncEncoder)
    torch.manual_seed(1)
    sync = SelectiveSync(trunk, BLOCK)
    for parameter in sync.selection.parameters():
        nn.init.normal_(parameter, std=0.5)
    tensors = selection_tensors(model, sync)
    tensors[f"generator.{CHANGED}"] = torch.full_like(model.parts["generator"].state_dict()[CHANGED], 0.3)
    return add_selection(tiny_model, tmp_path_factory.mktemp("selective") / "model", model, BLOCK, tensors)


def test_a_fresh_selection_stores_the_block_alone_and_changes_nothing(tiny_model: Path) -> None:
    model = load_model(tiny_model)
    trunk = model.parts["sync"]
    assert isinstance(trunk, SyncEncoder)
    tensors = selection_tensors(model, SelectiveSync(trunk, BLOCK), model.parts["generator"])
    assert tensors and all(key.startswith("selection.") for key in tensors)
    selective = selective_model(model, BLOCK, tensors, "here")
    ours, theirs = selective.parts["generator"].state_dict(), model.parts["generator"].state_dict()
    assert all(value.data_ptr() == theirs[key].data_ptr() for key, value in ours.items()), "weights are shared"


def test_a_saved_model_keeps_its_selection(folder: Path, tmp_path: Path) -> None:
    model = load_model(folder)
    again = load_model(save_model(tmp_path / "copy", model))
    assert model.selective is not None and again.selective is not None
    for part in ("sync", "generator"):
        ours, theirs = model.selective.parts[part].state_dict(), again.selective.parts[part].state_dict()
        assert all(torch.equal(value, theirs[key]) for key, value in ours.items())


def test_without_a_selection_all_stays_as_it_was_to_the_byte(
    tiny_model: Path, folder: Path, make_video: Callable[..., Path]
) -> None:
    for file in tiny_model.iterdir():
        if file.suffix == ".safetensors":
            assert (folder / file.name).read_bytes() == file.read_bytes()
    video, plain, selective = make_video(duration_s=1.0), load(tiny_model), load(folder)
    same = [pipeline.generate(video, prompt="a ball", steps=2).audio.samples for pipeline in (plain, selective)]
    assert torch.equal(*same)
    selected = selective.generate(video, prompt="a ball", select="a ball", steps=2).audio.samples
    other = selective.generate(video, prompt="a ball", select="a stone", steps=2).audio.samples
    assert not torch.equal(selected, same[0]) and not torch.equal(selected, other)
    cue = Cue(start=0.5, end=1.0, select="a stone")
    assert not torch.equal(selective.generate(video, prompt="a ball", cues=(cue,), steps=2).audio.samples, same[0])


def test_a_model_without_a_selection_refuses_before_it_is_loaded(tiny_model: Path, folder: Path) -> None:
    asked = Request.of(None, select="a ball")
    check_selects(folder, asked)
    with pytest.raises(UsageError, match="select is not an option"):
        check_selects(tiny_model, asked)
    with pytest.raises(UsageError, match="select is not an option"):
        load(tiny_model).plan(None, asked, duration=1.0)


@pytest.mark.parametrize(
    ("key", "shape", "said"),
    [
        ("selection.norm1.weight", None, "lacks 'selection.norm1.weight'"),
        ("selection.norm1.weight", (3,), "should be"),
        ("generator.odd", (3,), "holds 'odd'"),
        ("odd", (3,), "holds 'odd'"),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    folder: Path, tmp_path: Path, key: str, shape: tuple[int, ...] | None, said: str
) -> None:
    broken = shutil.copytree(folder, tmp_path / "broken")
    tensors = load_file(broken / "selection.safetensors")
    tensors.pop(key, None)
    save_file(tensors | ({} if shape is None else {key: torch.zeros(shape)}), broken / "selection.safetensors")
    with pytest.raises(WeightsError, match=said):
        load_model(broken)


def test_a_selection_beside_other_weights_than_its_own_is_refused_but_can_be_trained_anew(
    folder: Path, tmp_path: Path
) -> None:
    """Base weights that were copied into a folder leave its selection behind."""
    changed = shutil.copytree(folder, tmp_path / "changed")
    weights = load_file(changed / "generator.safetensors")
    weights["out.bias"] += 0.5
    save_file(weights, changed / "generator.safetensors")
    with pytest.raises(WeightsError, match=r"belongs to another model: tiny \w{12}, this is tiny \w{12}; train one: o"):
        load_model(changed)
    assert load_base(changed).selective is None
    plain = shutil.copytree(folder, tmp_path / "plain")
    save_file(load_file(plain / "selection.safetensors"), plain / "selection.safetensors")
    with pytest.raises(WeightsError, match="its metadata lack the model that it was trained on; train one"):
        load_model(plain)


def test_the_shipped_model_selects_and_without_a_name_is_as_before_to_the_byte(make_video: Callable[..., Path]) -> None:
    video, model, asked = make_video(duration_s=1.0), load(DEFAULT_MODEL), {"prompt": "a wooden ball", "steps": 2}
    base = replace(model, model=load_base(DEFAULT_MODEL))
    assert base.model.selective is None and model.model.selective is not None
    sound = model.generate(video, **asked).audio.samples
    assert torch.equal(sound, base.generate(video, **asked).audio.samples)
    assert not torch.equal(sound, model.generate(video, select="a wooden ball", **asked).audio.samples)
