"""A project and a selection by text that comes, changes and goes beside its model's own weights."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import torch
from torch import nn

from openfoley.encoders import selective_sync
from openfoley.encoders.selective_sync import SelectiveSync
from openfoley.errors import WeightsError
from openfoley.hub.fingerprint import selection_fingerprint
from openfoley.hub.load import load_base
from openfoley.hub.save import add_selection
from openfoley.hub.selection import selection_tensors
from openfoley.pipeline import load
from openfoley.projects.project import Project
from openfoley.request import Cue

BLOCK = replace(selective_sync.GYM, width=32, heads=2, text_dim=32, mlp_width=32)
NAMED = Cue(Fraction(0), Fraction(1), select="a ball")


def select_with(folder: Path, seed: int, heads: int = 2) -> None:
    """Put a random selection into a model's folder, in the place of the one that it may have."""
    model, block = load_base(folder), replace(BLOCK, heads=heads)
    torch.manual_seed(seed)
    sync = SelectiveSync(model.parts["sync"], block)  # pyright: ignore[reportArgumentType]
    for parameter in (*sync.selection.parameters(), *sync.pooling.parameters()):
        nn.init.normal_(parameter, std=0.3)
    made = add_selection(folder, folder.parent / f"{seed}-{heads}", model, block, selection_tensors(model, sync))
    shutil.copytree(made, folder, dirs_exist_ok=True)


@pytest.fixture
def here(tiny_model: Path, make_video: Callable[..., Path], tmp_path: Path) -> Path:
    """A copy of the model, and a project with a take of the time before it could select."""
    shutil.copytree(tiny_model, tmp_path / "model")
    video = make_video(duration_s=1.0)
    Project.new(tmp_path / "p", video, model=tmp_path / "model", steps=1, cuts="none").take()
    return tmp_path


def test_a_project_of_before_the_selection_makes_the_same_takes_and_can_select(here: Path) -> None:
    select_with(here / "model", 1)
    project = Project(here / "p")
    (again,), (named,) = project.take(seed=0), project.take(seed=0, select="a ball")
    first = project.record.takes[0]
    assert again.sha256 == first.sha256 != named.sha256
    assert first.selection_sha256 is again.selection_sha256 is None
    assert named.selection_sha256 == selection_fingerprint(load(here / "model").model) is not None


def test_another_selection_is_refused_only_where_a_text_selects_again(here: Path) -> None:
    select_with(here / "model", 1)
    project = Project(here / "p")
    project.take(select="a ball")
    select_with(here / "model", 2)
    with pytest.raises(WeightsError, match=r"other weights than when take 2 was made; put the old ones back"):
        project.take(select="a stone")
    (plain,) = project.take(seed=0)
    assert plain.sha256 == project.record.takes[0].sha256
    assert len(project.record.takes) == 3
    select_with(here / "model", 1)
    assert project.take(seed=1, select="a ball")[0].sha256 == project.record.takes[1].sha256


def test_a_cue_that_selects_counts_in_its_own_stem_alone(here: Path) -> None:
    select_with(here / "model", 1)
    project = Project(here / "p")
    project.set(cues=[replace(NAMED, stem="ball"), replace(NAMED, select=None, prompt="a door", stem="door")])
    ball, door = project.take()
    assert ball.selection_sha256 is not None and door.selection_sha256 is None
    select_with(here / "model", 2)
    project.take(stem="door")
    with pytest.raises(WeightsError, match="take 2 was made"):
        project.take(stem="ball")


def test_the_fingerprint_knows_the_shape_that_no_tensor_shows(here: Path) -> None:
    assert selection_fingerprint(load(here / "model").model) is None
    select_with(here / "model", 1)
    two = selection_fingerprint(load(here / "model").model)
    select_with(here / "model", 1, heads=4)
    assert two is not None and selection_fingerprint(load(here / "model").model) not in (None, two)
