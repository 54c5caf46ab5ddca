"""A project whose model later gets a selection beside the same base weights, as the shipped one did."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from openfoley.encoders import selective_sync
from openfoley.encoders.selective_sync import SelectiveSync
from openfoley.errors import UsageError
from openfoley.hub.load import load_base, load_model
from openfoley.hub.save import add_selection
from openfoley.hub.selection import selection_tensors
from openfoley.projects.project import Project

FAST = {"steps": 2, "cuts": "none"}


def with_selection(folder: Path, beside: Path) -> None:
    """Put a random selection into a model's folder, whose other files stay as they are."""
    model, block = load_base(folder), replace(selective_sync.GYM, width=32, heads=2, text_dim=32, mlp_width=32)
    torch.manual_seed(1)
    sync = SelectiveSync(model.parts["sync"], block)  # pyright: ignore[reportArgumentType]
    for parameter in sync.selection.parameters():
        nn.init.normal_(parameter, std=0.5)
    made = add_selection(folder, beside, model, block, selection_tensors(model, sync, model.parts["generator"]))
    for name in ("selection.safetensors", "config.json"):
        shutil.copyfile(made / name, folder / name)


def test_an_older_project_opens_with_a_selection_added_and_its_takes_stay_valid(
    tiny_model: Path, make_video: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(tiny_model, tmp_path / "model")
    project = Project.new(tmp_path / "p", make_video(duration_s=1.0), model=str(folder), **FAST)
    (first,) = project.take(seed=5)
    with pytest.raises(UsageError, match="select is not an option"):
        project.take(select="a ball")
    with_selection(folder, tmp_path / "made")
    assert load_model(folder).selective is not None
    again = Project(project.folder)
    encoded: list[int] = []
    encode = type(load_base(folder).parts["sync"]).stream
    monkeypatch.setattr(type(load_base(folder).parts["sync"]), "stream", lambda *one: encoded.append(1) or encode(*one))
    (same,) = again.take(seed=5)
    assert same.sha256 == first.sha256 and not encoded, "the kept features are still those of this model"
    (selected,) = again.take(seed=5, select="a ball")
    assert selected.sha256 != first.sha256
    assert (project.folder / first.file).read_bytes() == (project.folder / same.file).read_bytes()
